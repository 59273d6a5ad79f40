import JSON
import TestSupport
import Testing

@testable import ModelFiles
@testable import Tokenizers

/// Every token model with each of its options, against the Hugging Face tokenizers library; expected values by
/// Tests/Reference/tokenizers_models.py.
@Suite struct TokenModelTests {
    /// The texts that the script makes, by the same random numbers.
    static func texts(_ root: JSONValue) throws -> [String] {
        let pieces = try #require(root["pieces"]?.array).compactMap(\.string)
        var state: UInt64 = 7
        func draw(_ n: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % n
        }
        var texts: [String] = []
        for _ in 0..<(try #require(root["short"]?.int)) {
            let some = (0..<1 + draw(8)).map { _ in pieces[draw(pieces.count)] }
            texts.append((0..<draw(24)).map { _ in some[draw(some.count)] }.joined())
        }
        for _ in 0..<(try #require(root["long"]?.int)) {
            texts.append((0..<1000 + draw(1000)).map { _ in pieces[draw(pieces.count)] }.joined())
        }
        return texts
    }

    static func json(_ value: JSONValue) -> [UInt8] {
        var writer = JSONWriter()
        writer.value(value)
        return writer.bytes
    }

    @Test func everyModelAnswersAsTheLibrary() throws {
        let root = try TokenizerTests.json("tokenizers_models.json")
        let texts = try Self.texts(root)
        let cases = try #require(root["cases"]?.array)
        #expect(cases.count >= 39 && texts.count >= 2000)
        for json in cases {
            let name = try #require(json["name"]?.string)
            let tokenizer = try PipelineTokenizer(json: Self.json(try #require(json["tokenizer"])))
            let rows = texts.map { text in
                let tokens = tokenizer.encode(text, pair: nil, maxLength: nil).tokens
                return [tokens.count] + tokens.flatMap { [Int($0.id), $0.start, $0.end] }
            }
            for (i, expected) in try #require(json["first"]?.array).enumerated() {
                let expected = (expected.array ?? []).compactMap(\.int)
                #expect(rows[i] == expected, "\(name): \(texts[i].debugDescription)")
            }
            let digests = stride(from: 0, to: rows.count, by: 100).map { start in
                FNV1a(rows[start..<min(start + 100, rows.count)].joined().map { UInt64($0) }).hex
            }
            let expected = try #require(json["digests"]?.array).compactMap(\.string)
            let different = zip(digests, expected).enumerated().filter { $1.0 != $1.1 }.map(\.offset)
            #expect(digests.count == expected.count && different.isEmpty, "\(name): hundreds that differ: \(different)")
        }
    }

    // MARK: Damaged models

    private static let bpe = """
        {"type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
        "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
        "vocab": {"<unk>": 0, "a": 1, "b": 2, "ab": 3}, "merges": [["a", "b"]]}
        """
    private static let unigram = """
        {"type": "Unigram", "unk_id": 0, "byte_fallback": false, "vocab": [["<unk>", 0.0], ["a", -1.5], ["b", -2]]}
        """
    private static let wordLevel = """
        {"type": "WordLevel", "unk_token": "<unk>", "vocab": {"<unk>": 0, "a": 1}}
        """

    static let damaged: [(model: String, replaced: String, by: String, expected: String)] = [
        (bpe, "\"<unk>\": 0, ", "", "the unknown token \"<unk>\" is not in the vocabulary"),
        (bpe, "\"dropout\": null", "\"dropout\": 0.1", "model.dropout is 0.1: ids by chance are not supported"),
        (bpe, "\"dropout\": null", "\"dropout\": \"0\"", "model.dropout is \"0\"; a number or null is expected"),
        (bpe, "\"ab\": 3", "\"abc\": 3", "the merge of \"a\" and \"b\" makes a token that is not in the vocabulary"),
        (bpe, "[\"a\", \"b\"]", "[\"a\", \"c\"]", "\"c\", of the merge of \"a\" and \"c\", is not in the vocabulary"),
        (bpe, "[\"a\", \"b\"]", "[\"a\"]", "model.merges[0] is not a pair of tokens"),
        (bpe, "[\"a\", \"b\"]", "[\"a\", \"b\"], \"a b\"", "model.merges[1] is not a pair of tokens"),
        (bpe, "[\"a\", \"b\"]", "\"a b\", [\"a\", \"b\"]", "model.merges[1] is not two tokens with a space between"),
        (bpe, "[\"a\", \"b\"]", "\"a  b\"", "model.merges[0], \"a  b\", is not two tokens with a space between"),
        (bpe, "[\"a\", \"b\"]", "\"ab\"", "model.merges[0], \"ab\", is not two tokens with a space between"),
        (bpe, "[\"a\", \"b\"]", "7", "model.merges[0] is not two tokens with a space between"),
        (bpe, "[[\"a\", \"b\"]]", "{}", "model.merges is an object; an array is expected"),
        (bpe, ", \"merges\": [[\"a\", \"b\"]]", "", "model.merges is missing"),
        (
            bpe, "\"continuing_subword_prefix\": null", "\"continuing_subword_prefix\": \"####\"",
            "the merge of \"a\" and \"b\" makes a token that is not in the vocabulary"
        ),
        (bpe, "\"end_of_word_suffix\": null", "\"end_of_word_suffix\": 1", "model.end_of_word_suffix is 1"),
        (bpe, "\"fuse_unk\": false", "\"fuse_unk\": 1", "model.fuse_unk is 1; true or false is expected"),
        (bpe, "\"ab\": 3", "\"ab\": 2", "tokens \"b\" and \"ab\" share the id 2"),
        (bpe, "\"ab\": 3", "\"ab\": -3", "model.vocab.ab is -3; an id, a whole number from 0 on"),
        (bpe, "\"ab\": 3", "\"ab\": 4294967296", "the id 4294967296 of token \"ab\" is out of proportion"),
        (bpe, "\"ab\": 3", "\"ab\": 3.5", "model.vocab.ab is 3.5; an id, a whole number from 0 on, is expected"),
        (bpe, "\"ab\": 3", "\"ab\": \"3\"", "model.vocab.ab is \"3\"; an id, a whole number from 0 on, is expected"),
        (unigram, "\"unk_id\": 0", "\"unk_id\": null", "model.unk_id is missing"),
        (
            unigram, "\"unk_id\": 0", "\"unk_id\": 3",
            "model.unk_id is 3; a place in the vocabulary, 0 to 2, is expected"
        ),
        (unigram, "\"unk_id\": 0", "\"unk_id\": -1", "model.unk_id is -1; a place in the vocabulary"),
        (unigram, "-1.5", "\"-1.5\"", "model.vocab[1] is not a token and its score"),
        (unigram, "-1.5", "NaN", "model.vocab[1] is not a token and its score, a number"),
        (unigram, "-1.5", "-1e999", "model.vocab[1] is not a token and its score, a number"),
        (unigram, "-1.5", "null", "model.vocab[1] is not a token and its score"),
        (unigram, ", -1.5", "", "model.vocab[1] is not a token and its score"),
        (
            unigram, "[[\"<unk>\", 0.0], [\"a\", -1.5], [\"b\", -2]]", "[]",
            "model.unk_id is 0; a place in the vocabulary"
        ),
        (unigram, "\"byte_fallback\": false", "\"byte_fallback\": 0", "model.byte_fallback is 0; true or false"),
        (wordLevel, "\"<unk>\": 0, ", "", "the unknown token \"<unk>\" is not in the vocabulary"),
        (wordLevel, "\"unk_token\": \"<unk>\", ", "", "model.unk_token is missing"),
        (wordLevel, "\"type\": \"WordLevel\", \"unk_token\": \"<unk>\", ", "", "model has no type"),
        (wordLevel, "\"WordLevel\"", "\"WordSalad\"", "model is of type \"WordSalad\", which is not supported"),
    ]

    @Test(arguments: damaged.indices)
    func damagedModelsAreRefused(row: Int) throws {
        let (model, replaced, by, expected) = Self.damaged[row]
        try #require(model.contains(replaced))
        let text = "{\"version\": \"1.0\", \"model\": \(model.replacing(replaced, with: by))}"
        let error = #expect(throws: FileError.self) { try PipelineTokenizer(json: Array(text.utf8)) }
        let message = error.map { "\($0)" } ?? ""
        #expect(message.contains(expected), "\(message)")
    }

    @Test func unknownTokensThatCannotComeMayLack() throws {
        let bytes = (0..<256).map { "\"<0x\(($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true))>\": \($0)" }
        let vocab = "{\(bytes.joined(separator: ", "))}"
        let text = """
            {"model": {"type": "BPE", "unk_token": "<unk>", "byte_fallback": true, "vocab": \(vocab), "merges": []}}
            """
        let tokens = try PipelineTokenizer(json: Array(text.utf8)).encode("é", pair: nil, maxLength: nil).tokens
        #expect(tokens.map(\.id) == [0xC3, 0xA9])
        #expect(tokens.map(\.start) == [0, 0] && tokens.map(\.end) == [1, 1])
    }

    /// Twenty times the text without a space takes nowhere near four hundred times as long.
    @Test func longWordsAreNotQuadratic() throws {
        let root = try TokenizerTests.json("tokenizers_models.json")
        let cases = try #require(root["cases"]?.array)
        let clock = ContinuousClock()
        for name in ["BPE, trained", "Unigram, trained"] {
            let found = try #require(cases.first { $0["name"]?.string == name })
            let tokenizer = try PipelineTokenizer(json: Self.json(try #require(found["tokenizer"])))
            func seconds(_ count: Int) -> Double {
                let text = String(repeating: "abthe", count: count / 5)
                let time = clock.measure { _ = tokenizer.encode(text, pair: nil, maxLength: nil) }
                return Double(time.components.attoseconds) / 1e18 + Double(time.components.seconds)
            }
            let small = (0..<3).map { _ in seconds(50_000) }.min() ?? 0
            let large = seconds(1_000_000)
            #expect(large < 150 * small, "\(name): \(small) s for 50 kB, \(large) s for 1 MB")
        }
    }
}
