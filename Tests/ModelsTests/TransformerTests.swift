import Foundation
import JSON
import Kernels
import Testing

@testable import Models

/// Against torch and transformers, by Tests/Reference/transformer.py, on every table of kernels.
@Suite struct TransformerTests {
    static let folder = repository + "/Tests/Reference/data/transformer"
    static let names = directories(in: folder)

    /// All inputs of a case as one ragged batch; every layer's states, every pooling, logits and all maps.
    @Test(arguments: Table.all, names) func equalsTorch(_ table: Table, _ name: String) throws {
        let directory = Self.folder + "/" + name
        let model = try Model.load(directory: directory, name: name, kernels: table.kernels)
        let expected = try Expected(directory)
        let d = model.description
        #expect(d.attentionMethods == [.raw] && d.precision == "f32")
        var requests: [SequenceRequest] = []
        var keys: [(n: Int, pooling: Pooling)] = []
        for n in 0... {
            guard expected.has("\(n).ids") || expected.has("\(n).input") else { break }
            for pooling in Pooling.allCases {
                var request = try Self.request(expected, n, d)
                request.outputs.embedding = pooling
                requests.append(request)
                keys.append((n, pooling))
            }
        }
        #expect(requests.count == 18)
        let results = model.network.forward(requests, scratch: Scratch())
        for ((n, pooling), result) in zip(keys, results) {
            for layer in 0...d.layers where expected.has("\(n).states.\(layer)") {
                let error = relativeDifference(result.states[layer].values, try expected.floats("\(n).states.\(layer)"))
                #expect(error < 1e-5, "\(n) layer \(layer)")
            }
            let embedding = try #require(result.embedding)
            #expect(relativeDifference(embedding, try expected.floats("\(n).\(pooling.rawValue)")) < 1e-5, "\(n)")
            if let size = d.logitsSize {
                let logits = try #require(result.logits)
                #expect(logits.columns == size && logits.rows == (d.logitsPerToken ? requests[n * 6].length : 1))
                #expect(relativeDifference(logits.values, try expected.floats("\(n).logits")) < 1e-5, "\(n)")
            }
            let maps = try #require(result.attention)
            #expect(try maps.shape == expected.shape("\(n).attention"))
            #expect(absoluteDifference(maps.weights, try expected.floats("\(n).attention")) < 2e-6, "\(n)")
            #expect(try #require(maps.rowSumMaxError) < 2e-6)
            #expect(try #require(maps.reconstructionMaxError) < 1e-5)
        }
    }

    /// A sequence's numbers are the same, to the bit, alone and in company.
    @Test(arguments: Table.all, ["bert", "pre-gelu-learned-features", "self-cosine-wide"])
    func companyChangesNothing(_ table: Table, _ name: String) throws {
        let directory = Self.folder + "/" + name
        let model = try Model.load(directory: directory, name: name, kernels: table.kernels)
        let expected = try Expected(directory)
        let requests = try (0..<3).map { try Self.request(expected, $0, model.description) }
        let scratch = Scratch()
        let together = model.network.forward(requests + requests.reversed(), scratch: scratch)
        for n in 0..<3 {
            let alone = try #require(model.network.forward([requests[n]], scratch: scratch).first)
            for other in [together[n], together[5 - n]] {
                #expect(zip(alone.states, other.states).allSatisfy { relativeDifference($0.values, $1.values) < 2e-6 })
                let maps = (try #require(alone.attention).weights, try #require(other.attention).weights)
                #expect(absoluteDifference(maps.0, maps.1) < 1e-6)
            }
        }
    }

    private static func request(_ expected: Expected, _ n: Int, _ d: ModelDescription) throws -> SequenceRequest {
        var outputs = OutputSelection()
        outputs.stateLayers = Array(0...d.layers)
        outputs.embeddingLayer = d.layers
        outputs.logits = d.logitsSize != nil
        outputs.attention = AttentionSelection(
            method: .raw, layers: Array(0..<d.layers), heads: Array(0..<d.heads), queries: nil)
        let input: SequenceInput
        if expected.has("\(n).ids") {
            let types = expected.has("\(n).types") ? try expected.ids("\(n).types") : []
            input = .tokens(ids: try expected.ids("\(n).ids"), typeIDs: types)
        } else {
            input = .features(try expected.floats("\(n).input"), steps: try expected.shape("\(n).input")[0])
        }
        return SequenceRequest(input: input, outputs: outputs)
    }

    /// all-MiniLM-L6-v2 from text, one ragged batch.
    @Test(arguments: Table.all) func miniLM(_ table: Table) throws {
        let model = try Model.load(directory: TokenizerTests.miniLM, name: "minilm", kernels: table.kernels)
        let d = model.description
        #expect(d.maxLength == 256 && d.positions == 512 && d.parameters == 22_565_376)
        let data = TokenizerTests.data
        let expected = try Expected(data, "minilm.safetensors")
        let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: data + "/minilm.json")))
        let texts = try #require(try JSONValue(parsing: bytes).array).compactMap(\.string)
        #expect(texts.count == 8)
        let tokenizer = try #require(model.tokenizer)
        var requests: [SequenceRequest] = []
        for (n, text) in texts.enumerated() {
            let ids = tokenizer.encode(text, pair: nil, maxLength: d.maxLength).tokens.map(\.id)
            #expect(try ids == expected.ids("\(n).ids"))
            var outputs = OutputSelection()
            outputs.stateLayers = [6, 3]
            outputs.embedding = .mean
            outputs.embeddingLayer = 6
            let rows = try expected.ids("\(n).rows").prefix(4).map { Int($0) }
            outputs.attention = AttentionSelection(method: .raw, layers: [0, 5], heads: Array(0..<12), queries: rows)
            requests.append(SequenceRequest(input: .tokens(ids: ids, typeIDs: []), outputs: outputs))
        }
        let results = model.network.forward(requests, scratch: Scratch())
        for (n, result) in results.enumerated() {
            let rows = try expected.ids("\(n).rows").map { Int($0) }
            let states = rows.flatMap { result.states[0].values[($0 * 384)..<(($0 + 1) * 384)] }
            #expect(relativeDifference(states, try expected.floats("\(n).states.6")) < 1e-5, "\(n)")
            let middle = rows.prefix(4).flatMap { result.states[1].values[($0 * 384)..<(($0 + 1) * 384)] }
            #expect(relativeDifference(middle, try expected.floats("\(n).states.3")) < 1e-5, "\(n)")
            let embedding = try #require(result.embedding)
            let norm = embedding.reduce(0) { $0 + $1 * $1 }.squareRoot()
            #expect(
                relativeDifference(embedding.map { $0 / norm }, try expected.floats("\(n).embedding")) < 2e-6, "\(n)")
            let maps = try #require(result.attention)
            // Scores of a long, repetitive text are large, and torch's own f32 maps are up to 3e-6 from f64's.
            let exact = try expected.floats("\(n).attention.f64")
            let torch = try expected.floats("\(n).attention")
            #expect(
                absoluteDifference(maps.weights, torch) < 1e-6
                    || absoluteDifference(maps.weights, exact) < absoluteDifference(torch, exact), "\(n)")
            #expect(absoluteDifference(maps.weights, torch) < 3e-6, "\(n)")
            #expect(try #require(maps.rowSumMaxError) < 2e-6)
        }
    }

    private static let encoder = #""model_type": "transformer_encoder", "d_model": 16, "num_layers": 2"#
    private static let bert = """
        "model_type": "bert", "vocab_size": 29, "num_hidden_layers": 2, "intermediate_size": 48, \
        "max_position_embeddings": 16
        """

    @Test(arguments: [
        ("post-relu-none-ids", "\(encoder), \"nhead\": 3, \"vocab_size\": 13", "'nhead', 3, does not divide"),
        ("post-relu-none-ids", "\(encoder), \"nhead\": 4", "either 'vocab_size'"),
        ("post-relu-none-ids", "\(encoder), \"nhead\": 4, \"vocab_size\": 13, \"input_size\": 2", "not both"),
        (
            "post-relu-none-ids", "\(encoder), \"nhead\": 4, \"vocab_size\": 13, \"activation\": \"mish\"",
            "'relu', 'gelu'"
        ),
        (
            "post-relu-none-ids", "\(encoder), \"nhead\": 4, \"vocab_size\": 13, \"positional_encoding\": \"learned\"",
            "'max_length' is missing"
        ),
        ("post-relu-none-ids", "\(encoder), \"nhead\": 4, \"vocab_size\": 14, \"dim_feedforward\": 24", "[13, 16]"),
        ("post-relu-none-ids", "\(encoder), \"nhead\": 4, \"vocab_size\": 13", "linear1.weight"),
        (
            "bert", "\(bert), \"hidden_size\": 32, \"num_attention_heads\": 5",
            "'num_attention_heads', 5, does not divide"
        ),
        ("bert", "\(bert), \"hidden_size\": 36, \"num_attention_heads\": 4", "[29, 36]"),
        (
            "bert", "\(bert), \"hidden_size\": 32, \"num_attention_heads\": 4, \"hidden_act\": \"mish\"",
            "'hidden_act' is 'mish'"
        ),
        ("bert", "\(bert), \"hidden_size\": 32, \"num_attention_heads\": 4, \"is_decoder\": true", "only encoders"),
        (
            "bert",
            "\(bert), \"hidden_size\": 32, \"num_attention_heads\": 4, \"position_embedding_type\": \"relative_key\"",
            "only 'absolute'"
        ),
        (
            "bert",
            "\(bert), \"hidden_size\": 32, \"num_attention_heads\": 4, \"architectures\": [\"BertForTokenClassification\"]",
            "classifier.weight"
        ),
        (
            "bert-classes",
            "\(bert), \"hidden_size\": 32, \"num_attention_heads\": 4, "
                + "\"architectures\": [\"BertForSequenceClassification\"], \"id2label\": {\"0\": \"a\"}",
            "'id2label' must name"
        ),
        ("self-cosine", #""model_type": "self_attention", "input_size": 6, "key_size": 5"#, "'value_size' is missing"),
        ("self-cosine", #""model_type": "self_attention", "input_size": 6, "key_size": 4, "value_size": 9"#, "[5, 6]"),
        (
            "self-cosine",
            #""model_type": "self_attention", "input_size": 6, "key_size": 5, "value_size": 9, "attention_score": "dot""#,
            "'scaled_dot_product', 'cosine'"
        ),
    ])
    func refusesConfigurations(weights: String, keys: String, message: String) throws {
        let error = #expect(throws: ModelError.self) {
            try LoaderTests.withDirectory(["config.json": "{\(keys)}"]) { directory in
                let source = "\(Self.folder)/\(weights)/model.safetensors"
                try FileManager.default.copyItem(atPath: source, toPath: directory + "/model.safetensors")
                _ = try Model.load(directory: directory, name: "m", kernels: Table.all[0].kernels)
            }
        }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "none")")
    }
}
