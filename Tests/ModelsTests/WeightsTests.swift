import Foundation
import Kernels
import Testing

@testable import Models

let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path
let weightsData = repository + "/Tests/Reference/data/weights"

/// A model directory in the temporary folder, removed with the value's last use.
final class ScratchDirectory {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("weights-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String, _ bytes: [UInt8]) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path + "/" + name))
    }

    /// What opening the file says: nil where it opens.
    func refusal(_ name: String) -> String? {
        do throws(ModelError) {
            _ = try WeightFiles.open(directory: path, configured: name)
            return nil
        } catch {
            return error.description
        }
    }
}

func fileBytes(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: weightsData + "/" + name)))
}

func floats(_ tensor: Tensor) -> [Float] {
    var values = [Float](repeating: .nan, count: tensor.count)
    values.withUnsafeMutableBufferPointer { if let base = $0.baseAddress { _ = tensor.convert(to: base) } }
    return values
}

@Suite struct WeightsTests {
    static let files = [
        "f32.safetensors", "f16.safetensors", "bf16.safetensors", "f64.safetensors", "sharded.index.json", "stored.npz",
        "deflated.npz", "fortran.npz", "nested-zip.pt", "nested-legacy.pt", "lstm-zip.pt", "lstm-legacy.pt",
    ]

    /// expected.safetensors is read by the reader under test, so its own numbers are anchored in `f32Anchor`.
    @Test(arguments: files) func equalsTorchAndNumpy(_ name: String) throws {
        let expected = try WeightFiles.open(directory: weightsData, configured: "expected.safetensors")
        let file = try WeightFiles.open(directory: weightsData, configured: name)
        let wanted = expected.names.filter { $0.hasPrefix(name + "/") }
        #expect(!wanted.isEmpty)
        #expect(Set(wanted) == Set(file.names.map { name + "/" + $0 }))
        for key in wanted {
            let want = try #require(expected.tensor(key))
            let got = try #require(file.tensor(String(key.dropFirst(name.count + 1))))
            #expect(got.shape == want.shape, "\(key)")
            #expect(floats(got) == floats(want), "\(key)")
        }
    }

    @Test func f32Anchor() throws {
        let scratch = try ScratchDirectory()
        let header = #"{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#
        try scratch.write("x.safetensors", safetensors(header, [0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc0]))
        let file = try WeightFiles.open(directory: scratch.path, configured: "x.safetensors")
        #expect(floats(try #require(file.tensor("x"))) == [1, -2.5])
    }

    @Test(arguments: [
        ("minilm", "model.safetensors", "safetensors", 104, "embeddings.word_embeddings.weight", [30522, 384]),
        ("g2p", "checkpoint20.npz", "npz", 12, "enc_w_ih", [768, 256]),
        ("resemblyzer", "pretrained.pt", "pytorch (legacy)", 16, "model_state.lstm.weight_ih_l0", [1024, 40]),
    ])
    func opensPublishedModel(_ row: (String, String, String, Int, String, [Int])) throws {
        let file = try WeightFiles.open(directory: repository + "/models/" + row.0, configured: row.1)
        #expect(file.format == row.2)
        #expect(file.names.count == row.3, "\(file.names)")
        #expect(file.tensor(row.4)?.shape == row.5)
    }

    @Test(arguments: files) func damageNeverCrashes(_ name: String) throws {
        let scratch = try ScratchDirectory()
        for shard in ["shard-1.safetensors", "shard-2.safetensors"] { try scratch.write(shard, fileBytes(shard)) }
        let good = try fileBytes(name)
        for length in stride(from: 0, to: good.count, by: max(1, good.count / 150)) {
            try scratch.write(name, Array(good[..<length]))
            let refusal = scratch.refusal(name)
            // A legacy file's last storage ends the file, an archive's directory too: no truncation can be whole.
            #expect(refusal?.contains(name) == true, "\(length) of \(good.count) bytes")
        }
        var random = SplitMix(state: 1)
        for _ in 0..<300 {
            var bytes = good
            for _ in 0...Int(random.next() % 3) {
                bytes[Int(random.next() % UInt64(good.count))] = UInt8(truncatingIfNeeded: random.next())
            }
            try scratch.write(name, bytes)
            if let file = try? WeightFiles.open(directory: scratch.path, configured: name) {
                for tensor in file.names.compactMap({ file.tensor($0) }) { _ = floats(tensor) }
            }
        }
    }
}

struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

func safetensors(_ header: String, _ data: [UInt8]) -> [UInt8] {
    withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) } + Array(header.utf8) + data
}
