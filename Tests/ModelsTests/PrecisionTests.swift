import Foundation
import KernelSelection
import ModelFiles
import TestSupport
import Testing

@testable import Models

/// Networks in bf16 and int8 against torch in f32, and directories written in either.
@Suite struct PrecisionTests {
    private static let variants = KernelSelection.variants.map { Table(kernels: $0) }
    /// The least cosine between an embedding and torch's, and the least mean. The texts are odd ones, on which 8 bits
    /// a token do worse than on prose (`make fidelity`).
    private static let least: [Precision: (each: Double, mean: Double)] = [
        .bf16: (0.9998, 0.9999), .int8: (0.985, 0.997),
    ]

    static func cosine(_ a: [Float], _ b: [Float]) -> Double {
        guard a.count == b.count else { return -1 }
        var (ab, aa, bb) = (0.0, 0.0, 0.0)
        for (x, y) in zip(a, b) {
            ab += Double(x) * Double(y)
            aa += Double(x) * Double(x)
            bb += Double(y) * Double(y)
        }
        return ab / (aa * bb).squareRoot()
    }

    private func miniLM(_ directory: String, _ table: Table, _ precision: Precision?) throws -> [[Float]] {
        let model = try Model.load(directory: directory, name: "m", kernels: table.kernels, precision: precision)
        let expected = try Expected(Folders.reference, "minilm.safetensors")
        let requests = try (0..<12).map { n in
            var outputs = OutputSelection()
            outputs.pooling = [.mean]
            outputs.embeddingLayer = 6
            outputs.attention =
                n == 0 ? AttentionSelection(method: .raw, layers: [0, 5], heads: [0, 7], queries: nil) : nil
            return SequenceRequest(input: .tokens(ids: try expected.ids("\(n).ids"), typeIDs: []), outputs: outputs)
        }
        let scratch = Scratch()
        let results = model.network.forward(requests, scratch: scratch)
        // Alone or in a batch, to the bit.
        for n in [0, 5, 11] {
            #expect(model.network.forward([requests[n]], scratch: scratch)[0].embedding == results[n].embedding, "\(n)")
        }
        let maps = try #require(results[0].attention)
        #expect(try #require(maps.rowSumMaxError) < 1e-5)
        // Attention of int8 is f32 or bf16; the weights of either make what the layer used, as near as it rounds.
        #expect(try #require(maps.reconstructionMaxError) < 2e-2)
        return try results.map { try #require($0.embedding) }
    }

    /// all-MiniLM-L6-v2 on every table, those without VNNI and BF16 too, and all tables alike.
    @Test(arguments: [Precision.bf16, .int8]) func miniLMIsNearTorch(_ precision: Precision) throws {
        let expected = try Expected(Folders.reference, "minilm.safetensors")
        let least = try #require(Self.least[precision])
        var first: [[Float]] = []
        for table in Self.variants {
            let got = try miniLM(Folders.miniLM, table, precision)
            var sum = 0.0
            for (n, embedding) in got.enumerated() {
                let cosine = try Self.cosine(embedding, expected.floats("\(n).embedding"))
                sum += cosine
                #expect(cosine > least.each, "\(table.kernels.name) \(n)")
                if !first.isEmpty {
                    #expect(Self.cosine(embedding, first[n]) > least.each, "\(table.kernels.name) \(n)")
                }
            }
            #expect(sum / 12 > least.mean, "\(table.kernels.name)")
            if first.isEmpty { first = got }
        }
    }

    /// Small random networks of every shape: states of all layers, whose width is 16 to 48, near torch's.
    @Test(arguments: [Precision.bf16, .int8]) func familiesAreNearTorch(_ precision: Precision) throws {
        var checked = 0
        for name in directories(in: TransformerTests.folder) {
            let folder = TransformerTests.folder + "/" + name
            guard FileManager.default.fileExists(atPath: folder + "/expected.safetensors") else { continue }
            let expected = try Expected(folder)
            for table in Self.variants {
                let model = try Model.load(
                    directory: folder, name: name, kernels: table.kernels, precision: precision)
                let d = model.description
                #expect(d.runtime.precision == precision.rawValue)
                for key in expected.names(prefix: "0.states.") {
                    guard let layer = Int(key.dropFirst("0.states.".count)), layer == d.architecture.layers else {
                        continue
                    }
                    var request = try TransformerTests.request(expected, 0, d)
                    request.outputs.stateLayers = [layer]
                    let got = model.network.forward([request], scratch: Scratch())[0].states[0]
                    let want = try expected.floats(key)
                    #expect(Self.cosine(got.values, want) > (precision == .bf16 ? 0.999 : 0.99), "\(name) \(table)")
                    checked += 1
                }
            }
        }
        #expect(checked >= 5 * Self.variants.count)
    }

    /// Calls `body` with the path of a folder that does not exist yet, and removes the folder.
    private func withDirectory(_ body: (String) throws -> Void) throws {
        let scratch = try ScratchDirectory()
        try body(scratch.path + "/written")
    }

    /// A written directory: its bytes are the nearest multiples of their row's scale, and it computes what the original does.
    @Test(arguments: [Precision.bf16, .int8]) func writtenDirectoriesComputeTheSame(_ precision: Precision) throws {
        let table = Self.variants[Self.variants.count - 1]
        try withDirectory { output in
            let summary = try ModelQuantizer.quantize(
                directory: Folders.miniLM, output: output, precision: precision, kernels: table.kernels)
            #expect(summary.dense == 36 && summary.tables == 3 && summary.others == 62)
            #expect(summary.bytesAfter < summary.bytesBefore / (precision == .int8 ? 5 : 4) * 2)
            let direct = try miniLM(Folders.miniLM, table, precision)
            for (a, b) in zip(try miniLM(output, table, nil), direct) { #expect(Self.cosine(a, b) > 0.985) }

            let old = try WeightFiles.open(directory: Folders.miniLM, configured: nil)
            let new = try WeightFiles.open(directory: output, configured: nil)
            let name = "encoder.layer.3.output.dense.weight"
            let source = floats(try #require(old.tensor(name)))
            let written = try #require(new.tensor(name))
            #expect(written.dataType == (precision == .int8 ? .i8 : .bf16) && written.shape == [384, 1536])
            if precision == .bf16 {
                #expect(zip(floats(written), source).allSatisfy { abs($0 - $1) <= abs($1) / 256 })
                return
            }
            let scales = floats(try #require(new.tensor(name + "_scale")))
            #expect(scales.count == 384)
            let bytes = written.bytes.bindMemory(to: Int8.self)
            for row in 0..<384 {
                let values = source[row * 1536..<(row + 1) * 1536]
                #expect(abs(scales[row] * 127 - (values.map { abs($0) }.max() ?? 0)) < 1e-6)
                let worst = zip(values, bytes[row * 1536..<(row + 1) * 1536]).reduce(Float(0)) {
                    max($0, abs($1.0 - Float($1.1) * scales[row]))
                }
                #expect(worst <= scales[row] * 0.5001, "row \(row)")
            }
            // In f32 it is what its bytes and scales say; it is not quantized twice.
            let back = try Model.load(directory: output, name: "m", kernels: table.kernels, precision: .f32)
            #expect(back.description.runtime.precision == "f32")
            #expect(throws: FileError.self) {
                try ModelQuantizer.quantize(
                    directory: output, output: output + "-twice", precision: .int8, kernels: table.kernels)
            }
        }
    }

    /// Recurrent networks too, states handed in and out among them.
    @Test(arguments: ["resemblyzer", "g2p"], [Precision.bf16, .int8])
    func writtenRecurrentDirectories(_ name: String, _ precision: Precision) throws {
        let table = Self.variants[Self.variants.count - 1]
        let source = Folders.repository + "/models/" + name
        try withDirectory { output in
            _ = try ModelQuantizer.quantize(
                directory: source, output: output, precision: precision, kernels: table.kernels)
            let original = try Model.load(
                directory: source, name: name, kernels: table.kernels, precision: precision)
            let written = try Model.load(directory: output, name: name, kernels: table.kernels)
            #expect(written.description.runtime.precision == precision.rawValue)
            var outputs = OutputSelection()
            outputs.stateLayers = [original.description.architecture.layers]
            let request = SequenceRequest(input: Self.input(original), outputs: outputs)
            let a = original.network.forward([request], scratch: Scratch())[0].states[0]
            let b = written.network.forward([request], scratch: Scratch())[0].states[0]
            #expect(Self.cosine(a.values, b.values) > 0.999)
        }
    }

    private static func input(_ model: Model) -> SequenceInput {
        let kind = model.description.architecture.input
        return kind.sequence(
            length: kind.vocabularySize == nil ? 30 : 6, id: { [5, 3, 20, 2, 9, 4][$0] % $1 },
            feature: { sin(Float($0) * 0.37) })
    }

    /// The modules of sentence-transformers keep their weights.
    @Test(arguments: ["native_modules/rnn-dense", "sentence/dense"], [Precision.bf16, .int8])
    func writtenDirectoriesKeepModules(_ name: String, _ precision: Precision) throws {
        let table = Self.variants[Self.variants.count - 1]
        let source = Folders.reference + "/" + name
        func embedding(_ directory: String, _ precision: Precision?) throws -> [Float] {
            let model = try Model.load(directory: directory, name: "m", kernels: table.kernels, precision: precision)
            var outputs = OutputSelection()
            outputs.pooling = model.description.outputs.pooling
            outputs.embeddingLayer = model.description.architecture.layers
            let request = SequenceRequest(input: Self.input(model), outputs: outputs)
            let embedding = try #require(model.network.forward([request], scratch: Scratch())[0].embedding)
            #expect(embedding.count == model.description.outputs.embeddingSize)
            return embedding
        }
        try withDirectory { output in
            _ = try ModelQuantizer.quantize(
                directory: source, output: output, precision: precision, kernels: table.kernels)
            let written = try embedding(output, nil)
            #expect(Self.cosine(written, try embedding(source, precision)) > 0.9999)
            #expect(Self.cosine(written, try embedding(source, .f32)) > 0.99)
        }
    }

    /// A module whose weights lie among the network's cannot be written.
    @Test func refusesToQuantizeModulesInTheNetworksFolder() throws {
        let scratch = try ScratchDirectory()
        let configuration = """
            {"model_type": "self_attention", "input_size": 1, "key_size": 1, "value_size": 1,
             "in_features": 1, "out_features": 1, "bias": false}
            """
        try scratch.write("config.json", Array(configuration.utf8))
        try scratch.write("modules.json", Array(#"[{"type": "a.Transformer"}, {"type": "a.Dense"}]"#.utf8))
        let tensors = ["query", "key", "value", "linear"].enumerated().map { i, name in
            #""\#(name).weight": {"dtype": "F32", "shape": [1, 1], "data_offsets": [\#(4 * i), \#(4 * i + 4)]}"#
        }
        let bytes = [UInt8](repeating: 0, count: 16)
        try scratch.write("model.safetensors", safetensors("{\(tensors.joined(separator: ", "))}", bytes))
        let error = #expect(throws: FileError.self) {
            try ModelQuantizer.quantize(
                directory: scratch.path, output: scratch.path + "/written", precision: .bf16,
                kernels: Self.variants[0].kernels)
        }
        #expect(error?.description.contains("give it a folder of its own") == true, "\(error?.description ?? "")")
        #expect(!FileManager.default.fileExists(atPath: scratch.path + "/written"))
    }

    @Test(arguments: [
        (#""encoderd_precision": "int4""#, "it should be 'bf16' or 'int8'"),
        (#""encoderd_precision": 8"#, "a string"),
    ])
    func refusesOtherPrecisions(_ key: String, _ message: String) throws {
        try withDirectory { path in
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            for file in ["config.json", "model.safetensors"] {
                try FileManager.default.copyItem(
                    atPath: TransformerTests.folder + "/bert/" + file, toPath: path + "/" + file)
            }
            let config = try String(contentsOfFile: path + "/config.json", encoding: .utf8)
            try config.replacing("{", with: "{\(key), ", maxReplacements: 1).write(
                toFile: path + "/config.json", atomically: true, encoding: .utf8)
            let error = #expect(throws: FileError.self) {
                try Model.load(directory: path, name: "m", kernels: Self.variants[0].kernels)
            }
            #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
        }
    }

    /// A weight file with one row of zeros, of any width.
    private struct WideFile: WeightFile {
        let width: Int
        let path = "wide"
        let format = "none"
        let names = ["w"]

        func tensor(_ name: String) -> Tensor? {
            let owner = OwnedBytes(count: 4 * width)
            owner.bytes.initializeMemory(as: UInt8.self, repeating: 0)
            return Tensor(
                name: name, shape: [1, width], dataType: .f32, bytes: UnsafeRawBufferPointer(owner.bytes), owner: owner)
        }
    }

    /// 255 · 128 · 65,794 is above 2³¹.
    @Test func refusesRowsWhoseSumsWouldOverflow() throws {
        for (width, fits) in [(65_793, true), (65_794, false)] {
            let reader = WeightReader(
                file: WideFile(width: width), names: [:], kernels: Self.variants[0].kernels, precision: .int8)
            if fits {
                _ = try reader.packed([("w", 1)], inputs: width)
            } else {
                let error = #expect(throws: FileError.self) { try reader.packed([("w", 1)], inputs: width) }
                #expect(error?.description.contains("use bf16 or f32") == true)
            }
            _ = try reader.packed([("w", 1)], inputs: width, precision: .bf16)
        }
    }
}
