import Foundation
import JSON
import KernelSelection
import Models
import Testing

@testable import Server
@testable import Tokenizers

/// Directories of sentence-transformers with prompts and modules behind the pooling, and with SPLADE's, against what that
/// library makes of the same requests (Tests/Reference/sentence_modules.py).
@Suite struct SentenceTests {
    private let references = ReferenceModels("sentence")

    private func model(_ name: String) throws -> Model {
        try Model.load(directory: references.directory(name), name: name, kernels: try KernelSelection.select(nil))
    }

    @Test(arguments: ["dense", "dense-without-prompt"])
    func embeds(_ name: String) throws {
        let model = try model(name)
        #expect(model.description.outputs.embeddingSize == 20 && model.description.outputs.normalize)
        let cases = try references.cases(name)
        #expect(cases.count == 20)
        for item in cases {
            let found = try firstItem(item["request"], model)
            #expect(try largestDifference(found["embedding"], item["embedding"]) < 1e-5, "\(item["request"] ?? .null)")
        }
    }

    /// A head that config.json names is not missed where pooling makes the vector; what sentence_bert_config.json puts in
    /// the place of config.json's keys counts.
    @Test func embedsByTheEncoderAlone() throws {
        let model = try model("encoder-alone")
        #expect(
            model.description.outputs.sparse == nil && model.description.outputs.pooling == [.mean]
                && model.description.architecture.maxLength == 5)
        #expect(model.description.notes.contains { $0.contains("'BertForMaskedLM'") })
        let cases = try references.cases("encoder-alone")
        #expect(cases.count == 5)
        for item in cases {
            let found = try firstItem(item["request"], model)
            #expect(try largestDifference(found["embedding"], item["embedding"]) < 1e-5, "\(item["request"] ?? .null)")
        }
    }

    /// Several ways of pooling make one vector.
    @Test(arguments: ["poolings", "poolings-dense"])
    func joinsPoolings(_ name: String) throws {
        let model = try model(name)
        #expect(model.description.outputs.embeddingSize == (name == "poolings" ? 6 * 16 : 12))
        #expect(model.description.outputs.pooling.count == (name == "poolings" ? 6 : 2))
        let cases = try references.cases(name)
        #expect(cases.count == 5)
        for item in cases {
            let found = try firstItem(item["request"], model)
            #expect(try largestDifference(found["embedding"], item["embedding"]) < 1e-5, "\(item["request"] ?? .null)")
        }
    }

    /// Pairs of texts; scores by the function that the CrossEncoder wrote.
    @Test(arguments: ["cross", "cross-identity", "cross-types", "cross-sigmoid", "cross-classes"])
    func ranks(_ name: String) throws {
        let model = try model(name)
        let cases = try references.cases(name)
        #expect(cases.count == 12)
        for item in cases {
            let found = try firstItem(item["request"], model)
            #expect(try largestDifference(found["logits"], item["logits"]) < 1e-5, "\(item["request"] ?? .null)")
            let labels = try #require(found["labels"]?.array)
            let scores = try #require(item["scores"]?.array)
            #expect(labels.count == scores.count)
            for label in labels {
                let index = try #require(label["label"]?.string?.split(separator: "_").last.flatMap { Int($0) })
                #expect(try largestDifference(.array([label["score"] ?? .null]), .array([scores[index]])) < 1e-5)
            }
        }
    }

    @Test(arguments: ["splade", "splade-sum"])
    func makesSparseVectors(_ name: String) throws {
        let model = try model(name)
        let cases = try references.cases(name)
        #expect(cases.count == 5)
        for item in cases {
            let sparse = try #require(try firstItem(item["request"], model)["sparse"])
            #expect(sparse["index"] == item["index"])
            #expect(try largestDifference(sparse["value"], item["value"]) < 1e-5)
        }
    }

    @Test func refusesMoreLogitsThanAnAnswerHolds() throws {
        let model = try model("splade")
        var call = EncodeCall(.text("a b c"))
        call.outputs = [.logits]
        var limits = RequestLimits()
        let sequences = try InputReader(call.input, model: model, limits: limits).read()
        let plan = try EncodePlan(call, model.description, sequences: sequences.count)
        // [CLS] a b c [SEP]
        let count = 5 * (try #require(model.description.outputs.logitsSize))
        limits.maxLogits = count
        #expect(throws: Never.self) { try plan.check(sequences, model.description, limits) }
        limits.maxLogits = count - 1
        let error = #expect(throws: APIError.self) { try plan.check(sequences, model.description, limits) }
        #expect(error?.status == 413 && error?.code == "too_many_logits")
    }

    /// Ids that are too many lose the end that the tokenizer cuts off texts.
    @Test(arguments: [Truncation.Side.left, .right], ["[LIST]", "[[LIST, 1e0]]"])
    func cutsIDs(_ side: Truncation.Side, _ shape: String) throws {
        let network = try model("dense").network
        let model = Model(
            name: "m", directory: "", network: network, tokenizer: ToyTokenizer(truncationSide: side))
        let limit = try #require(network.description.architecture.maxLength)
        let ids = (0..<limit + 1).map { $0 % 7 }
        let text = shape.replacingOccurrences(of: "LIST", with: ids.map { "\($0)" }.joined(separator: ", "))
        let input = try JSONValue(parsing: Array(text.utf8))
        let reader = InputReader(CallInput(input), model: model, limits: RequestLimits())
        let sequence = try #require(try reader.read().first)
        let all = (shape == "[LIST]" ? ids : ids + [1]).map { Int32($0) }
        guard case .tokens(let found, _) = sequence.input else {
            Issue.record("not tokens")
            return
        }
        #expect(found == Array(side == .left ? all.suffix(limit) : all.prefix(limit)) && sequence.truncated)
    }

    @Test func refusesPromptsThatThereAreNot() throws {
        let model = try model("dense")
        func message(_ request: String) throws -> String? {
            let body = try JSONValue(parsing: Array(request.utf8))
            return #expect(throws: APIError.self) { try encode(body, on: model) }?.message
        }
        #expect(try message(#"{"input": "a", "prompt_name": "no"}"#)?.contains("passage") == true)
        #expect(try message(#"{"input": "a", "prompt_name": "query", "prompt": "b"}"#)?.contains("one of them") == true)
        #expect(try message(#"{"input": "a", "output": "sparse"}"#)?.contains("no sparse vectors") == true)
    }
}
