import Foundation
import JSON
import Testing

@testable import Models

/// Tokenizers of every kind over 20,500 texts in more than twenty scripts, some of them random Unicode, against what the
/// Hugging Face tokenizers library made of each (Tests/Reference/tokenizers_corpus.py, which also shows it for one text):
/// ids, places, special-token masks and type ids, alone and as a pair, and decoded again.
@Suite struct TokenizerCorpusTests {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Reference/data/tokenizers")

    static let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).filter {
        FileManager.default.fileExists(atPath: folder.appendingPathComponent("\($0)/digests.bin").path)
    }.sorted()

    private static let texts: [String] = {
        guard let data = try? Data(contentsOf: folder.appendingPathComponent("texts.json")),
            let root = try? JSONValue(parsing: [UInt8](data))
        else { return [] }
        return (root.array ?? []).compactMap(\.string)
    }()

    private struct Digest {
        private var state: UInt64 = 0xCBF2_9CE4_8422_2325

        mutating func combine(_ value: Int) {
            var rest = UInt32(truncatingIfNeeded: value)
            for _ in 0..<4 {
                state = (state ^ UInt64(rest & 0xFF)) &* 0x100_0000_01B3
                rest >>= 8
            }
        }

        /// The half that is kept.
        var value: UInt32 { UInt32(truncatingIfNeeded: state) }
    }

    private static func digest(_ encoding: Encoding) -> UInt32 {
        var digest = Digest()
        for token in encoding.tokens {
            digest.combine(Int(token.id))
            digest.combine(token.start)
            digest.combine(token.end)
            digest.combine(token.special ? 1 : 0)
            digest.combine(Int(token.typeID))
        }
        return digest.value
    }

    private static func digest(_ text: String) -> UInt32 {
        var digest = Digest()
        for scalar in text.unicodeScalars { digest.combine(Int(scalar.value)) }
        return digest.value
    }

    @Test func hasAllKinds() {
        #expect(Self.texts.count >= 20_000)
        #expect(Self.names.count >= 19)
    }

    @Test(arguments: names)
    func equalsTheLibrary(_ name: String) throws {
        let files = Self.folder.appendingPathComponent(name)
        let tokenizer = try PipelineTokenizer(
            json: [UInt8](Data(contentsOf: files.appendingPathComponent("tokenizer.json"))))
        let data = try Data(contentsOf: files.appendingPathComponent("digests.bin"))
        var expected: [UInt32] = []
        for i in stride(from: 0, to: data.count, by: 4) {
            var value: UInt32 = 0
            for j in 0..<4 { value |= UInt32(data[i + j]) << UInt32(8 * j) }
            expected.append(value)
        }
        let texts = Self.texts
        var place = 0
        var different: [String] = []
        func check(_ digest: UInt32, _ index: Int, _ what: String) {
            if place < expected.count, expected[place] != digest { different.append("\(index) \(what)") }
            place += 1
        }
        for (i, text) in texts.enumerated() {
            let encoding = tokenizer.encode(text, pair: nil, maxLength: nil)
            check(Self.digest(encoding), i, "tokens")
            guard i % 4 == 0 else { continue }
            let ids = encoding.tokens.map(\.id)
            check(Self.digest(tokenizer.decode(ids, skipSpecialTokens: true)), i, "decoded")
            check(Self.digest(tokenizer.decode(ids, skipSpecialTokens: false)), i, "decoded with special tokens")
            let pair = tokenizer.encode(text, pair: texts[(i + 1) % texts.count], maxLength: nil)
            check(Self.digest(pair), i, "pair")
        }
        #expect(place == expected.count)
        let first = different.first.flatMap { Int($0.prefix(while: \.isNumber)) }.map { i in
            let tokens = tokenizer.encode(texts[i], pair: nil, maxLength: nil).tokens
            return "\(texts[i].debugDescription): \(tokens.map { ($0.id, $0.text, $0.start, $0.end, $0.special) })"
        }
        #expect(different.isEmpty, "\(different.count) differ, \(different.prefix(12)); \(first ?? "")")
    }
}
