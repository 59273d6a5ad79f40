import JSON
import TestSupport
import Testing

@testable import Tokenizers

/// The characters that classes of regular expressions match, of all Unicode scalars. Expected values by
/// Tests/Reference/tokenizers_classes.py.
@Suite struct PatternClassTests {
    private static let file = TokenizerFile(name: "tokenizer.json")

    @Test func classesAreThoseOfTheLibrary() throws {
        let everything = (UInt32(0)..<0x11_0000).filter { !(0xD800...0xDFFF).contains($0) }
        for json in try #require(TokenizerTests.json("tokenizers_classes.json")["classes"]?.array) {
            let pattern = try #require(json["pattern"]?.string)
            var pairs: [UInt32] = []
            for match in try TextPattern(regex: pattern, file: Self.file, at: "pattern").matches(everything) {
                for scalar in everything[match] {
                    if let last = pairs.last, last + 1 == scalar {
                        pairs[pairs.count - 1] = scalar
                    } else {
                        pairs += [scalar, scalar]
                    }
                }
            }
            let digest = FNV1a(pairs.map { UInt64($0) }).hex
            #expect(pairs.count / 2 == json["count"]?.int && digest == json["digest"]?.string, "\(pattern)")
        }
    }

    /// Classes become brackets in every position; text that only looks like a class stays.
    @Test(arguments: [
        (#"[^\s\p{Zl}]+"#, #"[^\s[\x{2028}-\x{2028}]]+"#), (#"\P{Zl}"#, #"[^\x{2028}-\x{2028}]"#),
        (#"\p{^Line_Separator}|\\p{Zl}"#, #"[^\x{2028}-\x{2028}]|\\p{Zl}"#),
        (
            #"(?i:a\p{Zl}|[b\p{Zl}])\p{zl}"#,
            #"(?i:a(?-i:[\x{2028}-\x{2028}])|[b[\x{2028}-\x{2028}]])[\x{2028}-\x{2028}]"#
        ),
        (#"(?:(?i)\p{Zl})\p{Zl}"#, #"(?:(?i)(?-i:[\x{2028}-\x{2028}]))[\x{2028}-\x{2028}]"#),
        (#"[]\p{Zl}](\p{Zl})"#, #"[][\x{2028}-\x{2028}]]([\x{2028}-\x{2028}])"#), (#"(?W)\w\d"#, #"(?W)\w\d"#),
        (#"\p{Thaana}\p{Zl"#, #"\p{Thaana}\p{Zl"#), ("(?", "(?"), ("[", "["), (#"\"#, #"\"#),
    ])
    func spellsClassesOut(_ pattern: String, _ expected: String) {
        let found = PatternClasses.spelledOut(pattern.unicodeScalars.map(\.value))
        #expect(String(String.UnicodeScalarView(found.compactMap(Unicode.Scalar.init))) == expected)
    }

    /// Added tokens whose normalized spelling Swift takes for the same as their content.
    @Test func decodesAddedTokensAsTheyAreNormalized() throws {
        let root = try #require(TokenizerTests.json("tokenizers_classes.json")["decoded"])
        var writer = JSONWriter()
        writer.value(try #require(root["tokenizer"]))
        let tokenizer = try PipelineTokenizer(json: writer.bytes)
        for json in try #require(root["cases"]?.array) {
            let ids = tokenizer.encode(try #require(json["text"]?.string), pair: nil, maxLength: nil).tokens.map(\.id)
            #expect(ids.map { Int($0) } == json["ids"]?.array?.compactMap(\.int))
            for (key, skips) in [("decoded", false), ("skipped", true)] {
                let text = tokenizer.decode(ids, skipSpecialTokens: skips)
                #expect(try #require(json[key]?.string).utf8.elementsEqual(text.utf8), "\(text.debugDescription)")
            }
        }
    }
}
