import JSON
import TestSupport
import Testing

@testable import ModelFiles
@testable import Tokenizers

/// MiniLM's tokenizer against the Hugging Face tokenizers library; expected values by Tests/Reference/tokenizers_texts.py.
@Suite struct TokenizerTests {
    static func json(_ name: String) throws -> JSONValue {
        let bytes = try WholeFile.read(name, in: Folders.reference)
        return try JSONValue(parsing: try #require(bytes, "no \(name)"))
    }

    private struct Row: Equatable {
        var ids: [Int]
        var starts: [Int]
        var ends: [Int]
        var types: String
        var special: String

        init(_ encoding: Encoding) {
            ids = encoding.tokens.map { Int($0.id) }
            starts = encoding.tokens.map(\.start)
            ends = encoding.tokens.map(\.end)
            types = encoding.tokens.map { "\($0.typeID)" }.joined()
            special = encoding.tokens.map { $0.special ? "1" : "0" }.joined()
        }

        init(_ json: JSONValue) throws {
            func ints(_ key: String) throws -> [Int] { try #require(json[key]?.array).compactMap(\.int) }
            ids = try ints("ids")
            var start = 0
            starts = []
            for step in try ints("starts") {
                start += step
                starts.append(start)
            }
            ends = zip(starts, try ints("lengths")).map(+)
            types = try #require(json["types"]?.string)
            special = try #require(json["special"]?.string)
        }
    }

    @Test(arguments: ["tokenizer.json", "vocab.txt"])
    func tokensEqualTheLibrarys(source: String) throws {
        let tokenizer = try Self.tokenizer(source)
        let cases = try #require(Self.json("tokenizers_minilm.json").array)
        #expect(cases.count >= 600)
        var differences = 0
        for (i, json) in cases.enumerated() {
            let text = try #require(json["text"]?.string)
            let pair = json["pair"]?.string
            let expected = try #require(json["full"])
            let full = try Row(expected)
            let got = tokenizer.encode(text, pair: pair, maxLength: nil)
            let cut = tokenizer.encode(text, pair: pair, maxLength: 256)
            let expectedCut = try json["cut"].map { try Row($0) } ?? full
            if Row(got) != full || got.truncated || got.untruncatedCount != full.ids.count {
                differences += 1
                Issue.record("case \(i) \(text.debugDescription.prefix(200)): \(Row(got)), expected \(full)")
            }
            if Row(cut) != expectedCut || cut.truncated != (json["cut"] != nil)
                || cut.untruncatedCount != full.ids.count
            {
                differences += 1
                Issue.record("case \(i) cut to 256: \(Row(cut)), expected \(expectedCut)")
            }
            #expect(got.tokens.allSatisfy { tokenizer.token($0.id) == $0.text })
        }
        #expect(differences == 0)
    }

    /// Texts and pairs cut on either side, which tokenizer.json or tokenizer_config.json tells
    /// (Tests/Reference/tokenizers_truncation.py).
    @Test(arguments: [false, true]) func cutsAsTheLibrary(_ isConfigured: Bool) throws {
        let files = try #require(Self.json("tokenizers_truncation.json").array)
        #expect(files.count == 8)
        for file in files {
            let side = try #require(file["side"]?.string)
            var object = JSONObject()
            for (name, value) in try #require(file["file"]?.object).members
            where name != "truncation" || !isConfigured { object.append(name, value) }
            let tokenizer = try PipelineTokenizer(
                json: TokenModelTests.json(.object(object)),
                configuration: isConfigured ? Array("{\"truncation_side\": \"\(side)\"}".utf8) : nil)
            #expect(tokenizer.truncationSide.rawValue == side)
            let cases = try #require(file["cases"]?.array)
            #expect(cases.count == 200)
            for item in cases {
                let texts = try #require(item["texts"]?.array).compactMap(\.string)
                let found = tokenizer.encode(
                    texts[0], pair: texts.count > 1 ? texts[1] : nil, maxLength: item["limit"]?.int)
                #expect(
                    try Row(found) == Row(item),
                    "\(file["template"] ?? .null) \(side) \(texts) \(item["limit"] ?? .null)")
            }
        }
    }

    static func tokenizer(_ source: String) throws -> any Tokenizer {
        let found =
            try source == "vocab.txt"
            ? TokenizerClasses.load(directory: Folders.miniLM)
            : WholeFile.read(source, in: Folders.miniLM).map { try PipelineTokenizer(json: $0) }
        return try #require(found, "models/minilm has not been fetched")
    }

    /// Every code point there is, one digest for each 256.
    @Test func everyCodePointIsNormalizedAndSplitAsByTheLibrary() throws {
        let tokenizer = try Self.tokenizer("tokenizer.json")
        let normalizer = BertNormalizer(cleanText: true, handleChineseChars: true, stripAccents: nil, lowercase: true)
        let expected = try #require(Self.json("tokenizers_codepoints.json").array).compactMap(\.string)
        #expect(expected.count == 0x1100)
        var different: [String] = []
        for block in 0..<0x1100 {
            var digest = FNV1a()
            func add(_ value: Int) { digest.combine(UInt64(value)) }
            let scalars = (UInt32(block * 256)..<UInt32(block * 256 + 256)).compactMap { Unicode.Scalar($0) }
            var text = scalars.map { "a\($0)B\u{323}\($0)" }.joined(separator: " ")
            if 0x400..<0xE00 ~= block || block >= 0xF00 {
                text = String(String.UnicodeScalarView(scalars))
            } else {
                for token in tokenizer.encode(text, pair: nil, maxLength: nil).tokens {
                    add(Int(token.id))
                    add(token.start)
                    add(token.end)
                }
            }
            var normalized = NormalizedText(text)
            normalizer.normalize(&normalized)
            for scalar in normalized.scalars { add(Int(scalar)) }
            if digest.hex != expected[block] {
                different.append(String(block * 256, radix: 16))
            }
        }
        #expect(different.isEmpty, "blocks that differ, of 256 code points from: \(different)")
    }
}
