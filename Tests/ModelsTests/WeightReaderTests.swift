import Kernels
import ModelFiles
import TestSupport
import Testing

@testable import Models

/// Packs into panels of 4 as `DenseKernels.pack` documents; the other kernels are not called.
private let dense = DenseKernels(
    precision: .f32, arithmetic: "f32", packedCount: { n, k in (n + 3) / 4 * 4 * k },
    pack: { w, ldw, n, k, packed in
        let packed = packed.assumingMemoryBound(to: Float.self)
        for j in 0..<(n + 3) / 4 * 4 {
            for i in 0..<k { packed[j / 4 * k * 4 + i * 4 + j % 4] = j < n ? w[j * ldw + i] : 0 }
        }
    }, scratchCount: { _, _ in 0 }, run: { _ in }, recurrentStep: { _ in })
private let attention = AttentionKernels(
    precision: .f32, scratchCount: { _, _, _, _ in 0 }, run: { _ in }, weights: { _ in })
private let table = KernelTable(
    instructionSet: .baseline, name: "test", panelWidth: 4, f32: dense, bf16: dense, int8: dense,
    f32Attention: attention, bf16Attention: attention, int8Attention: attention, layerNorm: { _ in },
    rmsNorm: { _ in }, rotary: { _ in }, activate: { _, _, _ in },
    exp: { _, _, _ in }, softmax: { _, _, _ in }, add: { _, _, _ in })

@Suite struct WeightReaderTests {
    private func reader(_ file: String, _ names: [String: String] = [:]) throws -> WeightReader {
        WeightReader(
            file: try WeightFiles.open(directory: Folders.weights, configured: file), names: names, kernels: table)
    }

    /// A copy: the pointer is good only while the tensor lives.
    private func values(_ tensor: FloatTensor) -> [Float] { withExtendedLifetime(tensor) { Array(tensor.values) } }
    private func values(_ weight: PackedWeight, count: Int) -> [Float] {
        withExtendedLifetime(weight) { Array(UnsafeBufferPointer(start: weight.values, count: count)) }
    }

    @Test(arguments: ["f32.safetensors", "f16.safetensors", "bf16.safetensors", "f64.safetensors", "stored.npz"])
    func stacksPacksAndJoins(_ name: String) throws {
        let weights = try reader(name, ["mine": "a"])
        let a = floats(try #require(weights.file.tensor("a")))
        let b = floats(try #require(weights.file.tensor("b")))
        #expect(try values(weights.floats("mine", shape: [5, 3])) == a)
        let packed = try weights.packed([("mine", 5), ("a", 5)], inputs: 3)
        #expect(packed.outputs == 10 && packed.inputs == 3 && Int(bitPattern: packed.values) % 64 == 0)
        let packedValues = values(packed, count: 36)
        for j in 0..<12 {
            for i in 0..<3 { #expect(packedValues[j / 4 * 12 + i * 4 + j % 4] == (j < 10 ? a[j % 5 * 3 + i] : 0)) }
        }
        let single = try weights.packed([("a", 5)], inputs: 3)
        let singleValues = values(single, count: 24)
        for j in 0..<5 { for i in 0..<3 { #expect(singleValues[j / 4 * 12 + i * 4 + j % 4] == a[j * 3 + i]) } }
        #expect(try values(weights.joined([("b", 7), ("b", 7)])) == b + b)
        #expect(weights.unused == ["layer.c"])
        // The pages were given back; they still read as the file does.
        #expect(try values(weights.floats("a", shape: [5, 3])) == a)
    }

    @Test(arguments: [
        ("layer.d", [2], "has no tensor 'layer.d', which should be [2]; similar names: 'layer.c'"),
        ("mapped", [2], "'nowhere' (mapped from 'mapped')"),
        ("a", [3, 5], "tensor 'a' is [5, 3] but should be [3, 5]"),
    ])
    func names(_ row: (name: String, shape: [Int], says: String)) throws {
        let weights = try reader("f32.safetensors", ["mapped": "nowhere"])
        do throws(FileError) {
            _ = try weights.floats(row.name, shape: row.shape)
            Issue.record("\(row.name) was read")
        } catch {
            #expect(error.description.hasPrefix("f32.safetensors: ") && error.message.contains(row.says), "\(error)")
        }
    }

    @Test func refusesIntegers() throws {
        let scratch = try ScratchDirectory()
        let header = #"{"x":{"dtype":"I8","shape":[2],"data_offsets":[0,2]}}"#
        try scratch.write("x.safetensors", safetensors(header, [1, 2]))
        let file = try WeightFiles.open(directory: scratch.path, configured: "x.safetensors")
        let weights = WeightReader(file: file, names: [:], kernels: table)
        #expect(
            throws: FileError(
                file: "x.safetensors", "tensor 'x' holds i8 values, but weights must be f64, f32, f16 or bf16")
        ) { try weights.floats("x", shape: [2]) }
    }
}
