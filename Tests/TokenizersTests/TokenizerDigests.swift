import Foundation
import JSON
import TestSupport
import Testing

@testable import Tokenizers

/// The results of a library for the texts of tokenizers_corpus.py, as one number for each text: FNV-1a over ids,
/// offsets, special-token masks and type ids. Every fourth text is also encoded as a pair and decoded.
enum TokenizerDigests {
    static let texts: [String] = {
        guard let data = try? Data(contentsOf: TokenizerCorpusTests.folder.appendingPathComponent("texts.json")),
            let root = try? JSONValue(parsing: [UInt8](data))
        else { return [] }
        return (root.array ?? []).compactMap(\.string)
    }()

    static func read(_ file: URL) throws -> [UInt32] {
        let data = try Data(contentsOf: file)
        return stride(from: 0, to: data.count - 3, by: 4).map { i in
            (0..<4).reduce(UInt32(0)) { $0 | UInt32(data[i + $1]) << UInt32(8 * $1) }
        }
    }

    /// Lists the texts, each `stride`-th of all, whose result differs, the first with its tokens. Empty if none does.
    static func differences(of tokenizer: any Tokenizer, from expected: [UInt32], stride step: Int) -> String {
        var place = 0
        var different: [(index: Int, what: String)] = []
        func check(_ digest: UInt32, _ index: Int, _ what: String) {
            if place >= expected.count || expected[place] != digest { different.append((index, what)) }
            place += 1
        }
        for (n, i) in stride(from: 0, to: texts.count, by: step).enumerated() {
            let encoding = tokenizer.encode(texts[i], pair: nil, maxLength: nil)
            check(digest(encoding), i, "tokens")
            guard n % 4 == 0 else { continue }
            let ids = encoding.tokens.map(\.id)
            check(digest(tokenizer.decode(ids, skipSpecialTokens: true)), i, "decoded")
            check(digest(tokenizer.decode(ids, skipSpecialTokens: false)), i, "decoded with special tokens")
            check(digest(tokenizer.encode(texts[i], pair: texts[(i + 1) % texts.count], maxLength: nil)), i, "pair")
        }
        if place != expected.count { return "\(place) digests, \(expected.count) expected" }
        guard let first = different.first else { return "" }
        let tokens = tokenizer.encode(texts[first.index], pair: nil, maxLength: nil).tokens
        let shown = tokens.map { ($0.id, $0.text, $0.start, $0.end, $0.special) }
        let list = different.prefix(12).map { "\($0.index) \($0.what)" }
        return "\(different.count) differ, \(list); \(texts[first.index].debugDescription): \(shown), decoded "
            + tokenizer.decode(tokens.map(\.id), skipSpecialTokens: false).debugDescription
    }

    private struct Digest {
        private var state = FNV1a()

        mutating func combine(_ value: Int) {
            var rest = UInt32(truncatingIfNeeded: value)
            for _ in 0..<4 {
                state.combine(UInt64(rest & 0xFF))
                rest >>= 8
            }
        }

        /// The half of the state that is kept.
        var value: UInt32 { UInt32(truncatingIfNeeded: state.value) }
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
}
