import Foundation
import KernelSelection
import TestSupport
import Testing

/// The tables of this machine, as test arguments that print by name.
struct Table: CustomTestStringConvertible, Sendable {
    let kernels: KernelTable
    var testDescription: String { kernels.name }

    static let all = KernelSelection.available.map(Table.init)
    /// Every table of this machine, including those that use neither VNNI nor BF16.
    static let variants = KernelSelection.variants.map(Table.init)
}

/// Expected values: a safetensors file under Tests/Reference/data, made by Tests/Reference/kernels.py.
struct Reference {
    private var tensors: [String: (shape: [Int], bytes: Data)] = [:]

    init(_ name: String) throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: "\(Folders.reference)/\(name).safetensors"))
        let length = data.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
        let header = try #require(
            try JSONSerialization.jsonObject(with: data[8..<8 + length]) as? [String: [String: Any]])
        for (name, entry) in header {
            let shape = try #require(entry["shape"] as? [Int])
            let offsets = try #require(entry["data_offsets"] as? [Int])
            tensors[name] = (shape, data[8 + length + offsets[0]..<8 + length + offsets[1]])
        }
    }

    func has(_ name: String) -> Bool { tensors[name] != nil }

    func shape(_ name: String) throws -> [Int] { try #require(tensors[name], "\(name)").shape }

    func floats(_ name: String) throws -> [Float] { try values(name) }

    func doubles(_ name: String) throws -> [Double] { try values(name) }

    private func values<Value>(_ name: String) throws -> [Value] {
        let tensor = try #require(tensors[name], "\(name)")
        let count = tensor.shape.reduce(1, *)
        try #require(tensor.bytes.count == count * MemoryLayout<Value>.size)
        return tensor.bytes.withUnsafeBytes { bytes in
            (0..<count).map { bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Value>.size, as: Value.self) }
        }
    }
}

/// The largest difference, relative to the largest expected value; infinite where one is NaN.
func relativeError(_ got: [Float], _ want: [Float]) -> Float {
    guard got.count == want.count else { return .infinity }
    var worst: Float = 0
    var largest: Float = .leastNormalMagnitude
    for (g, w) in zip(got, want) {
        if g.isNaN || w.isNaN { return .infinity }
        worst = max(worst, abs(g - w))
        largest = max(largest, abs(w))
    }
    return worst / largest
}

/// The largest difference in units of `scale`, element by element: rounding is proportional to the terms of a sum, not
/// to what is left where they cancel. Infinite where one is NaN.
func error(_ got: [Float], _ want: [Float], perUnitOf scale: [Float]) -> Float {
    guard got.count == want.count, got.count == scale.count else { return .infinity }
    return got.indices.reduce(0) { worst, i in
        let unit = abs(got[i] - want[i]) / scale[i]
        return unit.isNaN ? .infinity : max(worst, unit)
    }
}

/// Aligned floats, filled with NaN so that a value never written shows, with a guard behind that must stay untouched.
final class Buffer {
    let base: UnsafeMutablePointer<Float>
    let count: Int
    private static let guarded = 64
    private static let mark: Float = -12345.678

    init(_ count: Int) {
        self.count = count
        let bytes = (count + Self.guarded) * 4
        base = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64).bindMemory(
            to: Float.self, capacity: count + Self.guarded)
        base.update(repeating: .nan, count: count)
        (base + count).update(repeating: Self.mark, count: Self.guarded)
    }

    convenience init(_ values: [Float]) {
        self.init(values.count)
        for (i, value) in values.enumerated() { base[i] = value }
    }

    deinit { base.deallocate() }

    var values: [Float] { Array(UnsafeBufferPointer(start: base, count: count)) }
    var untouchedBehind: Bool { (0..<Self.guarded).allSatisfy { base[count + $0] == Self.mark } }
}

extension KernelTable {
    /// `w` [n, k] of rows `ldw` apart, packed.
    func packed(_ w: [Float], ldw: Int, n: Int, k: Int) -> Buffer {
        let buffer = Buffer(f32.packedCount(n, k))
        w.withUnsafeBufferPointer { if let base = $0.baseAddress { f32.pack(base, ldw, n, k, buffer.base) } }
        return buffer
    }
}
