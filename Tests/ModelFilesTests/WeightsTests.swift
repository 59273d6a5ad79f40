import Foundation
import ModelFiles
import TestSupport
import Testing

@Suite struct WeightsTests {
    static let files = [
        "f32.safetensors", "f16.safetensors", "bf16.safetensors", "f64.safetensors", "sharded.index.json", "stored.npz",
        "deflated.npz", "fortran.npz", "nested-zip.pt", "nested-legacy.pt", "lstm-zip.pt", "lstm-legacy.pt",
    ]

    /// expected.safetensors is read by the reader under test, so its own numbers are anchored in `f32Anchor`.
    @Test(arguments: files) func equalsTorchAndNumpy(_ name: String) throws {
        let expected = try WeightFiles.open(directory: Folders.weights, configured: "expected.safetensors")
        let file = try WeightFiles.open(directory: Folders.weights, configured: name)
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
        let file = try WeightFiles.open(directory: Folders.repository + "/models/" + row.0, configured: row.1)
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
