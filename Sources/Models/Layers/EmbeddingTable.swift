import Diagnostics
import Kernels
import ModelFiles

/// A table of vectors, [rows, width], in f32 or in bf16 as it lies in the file. Vectors are looked up one at a time.
final class EmbeddingTable: @unchecked Sendable {
    let rows: Int
    let width: Int
    private let values: Values
    private let owner: AnyObject

    private enum Values {
        case f32(UnsafePointer<Float>)
        case bf16(UnsafePointer<UInt16>)
    }

    /// - Parameters:
    ///   - tensor: [rows, width], f32.
    ///   - base: The tensor's first value.
    init(_ tensor: FloatTensor, rows: Int, width: Int, base: UnsafePointer<Float>) {
        self.rows = rows
        self.width = width
        values = .f32(base)
        owner = tensor
    }

    init(bf16 base: UnsafePointer<UInt16>, rows: Int, width: Int, owner: AnyObject) {
        self.rows = rows
        self.width = width
        values = .bf16(base)
        self.owner = owner
    }

    /// Copies a row to `out`, [width]. Callers check indices; an index out of range gives NaN, so that no other memory
    /// is read and only its own sequence is affected.
    func copyRow(_ index: Int, to out: UnsafeMutablePointer<Float>) {
        guard index >= 0, index < rows else { return out.update(repeating: .nan, count: width) }
        switch values {
        case .f32(let base): out.update(from: base + index * width, count: width)
        case .bf16(let base):
            let row = base + index * width
            for i in 0..<width { out[i] = Float(bitPattern: UInt32(row[i]) << 16) }
        }
    }

    /// Adds a row to `out`, [width]. An index out of range gives NaN, as with `copyRow`.
    func addRow(_ index: Int, to out: UnsafeMutablePointer<Float>, _ kernels: KernelTable) {
        guard index >= 0, index < rows else { return out.update(repeating: .nan, count: width) }
        switch values {
        case .f32(let base): kernels.add(base + index * width, out, width)
        case .bf16(let base):
            let row = base + index * width
            for i in 0..<width { out[i] += Float(bitPattern: UInt32(row[i]) << 16) }
        }
    }
}

extension WeightReader {
    /// Returns the tensor [rows, width] as a table. It stays where it is mapped if it is f32 or bf16, else it is
    /// converted to f32.
    /// - Throws: The errors of `floats`.
    func table(_ name: String, rows: Int, width: Int) throws(FileError) -> EmbeddingTable {
        let tensor = try find(name, [rows, width], use: .table)
        if tensor.dataType == .bf16, let base = tensor.bytes.baseAddress, Int(bitPattern: base) % 2 == 0 {
            return EmbeddingTable(
                bf16: base.assumingMemoryBound(to: UInt16.self), rows: rows, width: width, owner: tensor.owner)
        }
        let floats = try floats(name, shape: [rows, width], use: .table)
        guard let base = floats.values.baseAddress else {
            throw FileError(file: file.path, "tensor \(quoted(name)) is empty")
        }
        return EmbeddingTable(floats, rows: rows, width: width, base: base)
    }
}
