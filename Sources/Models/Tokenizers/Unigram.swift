import JSON

/// The segmentation of highest probability (Kudo 2018, https://arxiv.org/abs/1804.10959), as
/// `tokenizers::models::unigram::Unigram` finds it: sums in f64 from the left, of equal paths to one place the one that
/// was there first, that is whose last token is the longest; unknown characters in a row are one piece.
struct Unigram: TokenModel {
    let name = "Unigram"
    let vocabulary: Vocabulary
    private let trie: TokenTrie
    /// By id.
    private let scores: [Double]
    private let unknown: Int32
    private let unknownScore: Double
    /// By byte, the id of `<0x41>`; negative where there is none. Empty: bytes are not fallen back to.
    private let byteTokens: [Int32]

    /// - Parameters:
    ///   - vocabulary: every id from 0 on, with as many scores.
    ///   - unknown: below the vocabulary's size.
    init(
        vocabulary: Vocabulary, scores: [Double], unknown: Int32, byteFallback: Bool, file: String
    ) throws(ModelError) {
        self.vocabulary = vocabulary
        self.scores = scores
        self.unknown = unknown
        // A penalty of 10, as the library's and SentencePiece's.
        unknownScore = (scores.min() ?? 0) - 10
        byteTokens = byteFallback ? vocabulary.byteTokens() : []
        trie = try TokenTrie(vocabulary, file: file)
    }

    /// The best path to one place of the word.
    private struct Step {
        var score: Double
        /// Where its last token begins; negative: no path yet.
        var start: Int32
        var id: Int32
    }

    func tokenize(_ word: UnsafeBufferPointer<UInt8>, into tokens: inout [TextToken]) {
        withUnsafeTemporaryAllocation(of: Step.self, capacity: word.count + 1) { steps in
            steps.initialize(repeating: Step(score: 0, start: -1, id: -1))
            findBestPath(word, steps)
            let first = tokens.count
            // From the end, so the other way round.
            var end = word.count
            while end > 0 {
                var start = Int(steps[end].start)
                if steps[end].id == unknown {
                    while start > 0, steps[start].id == unknown { start = Int(steps[start].start) }
                    appendUnknown(word, start..<end, to: &tokens)
                } else {
                    tokens.append(TextToken(id: steps[end].id, start: start, end: end))
                }
                end = start
            }
            tokens[first...].reverse()
        }
    }

    private func findBestPath(_ word: UnsafeBufferPointer<UInt8>, _ steps: UnsafeMutableBufferPointer<Step>) {
        var start = 0
        while start < word.count {
            let score = steps[start].score
            let character = min(UTF8Words.length(ofLeading: word[start]), word.count - start)
            var single = false
            var node = TokenTrie.root
            var end = start
            while end < word.count {
                node = trie.child(of: node, word[end])
                if node < 0 { break }
                end += 1
                let id = trie.id(at: node)
                if id < 0 { continue }
                single = single || end - start == character
                consider(&steps[end], score: score + scores[Int(id)], start: start, id: id)
            }
            if !single {
                consider(&steps[start + character], score: score + unknownScore, start: start, id: unknown)
            }
            start += character
        }
    }

    @inline(__always)
    private func consider(_ step: inout Step, score: Double, start: Int, id: Int32) {
        if step.start < 0 || score > step.score {
            step = Step(score: score, start: Int32(truncatingIfNeeded: start), id: id)
        }
    }

    /// Unknown characters in a row are looked up as a whole, then spelled in bytes if all of these have tokens.
    private func appendUnknown(
        _ word: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, to tokens: inout [TextToken]
    ) {
        let piece = UnsafeBufferPointer(rebasing: word[range])
        if let id = vocabulary.id(of: piece) {
            tokens.append(TextToken(id: id, start: range.lowerBound, end: range.upperBound))
        } else if !byteTokens.isEmpty, piece.allSatisfy({ byteTokens[Int($0)] >= 0 }) {
            for byte in piece.reversed() {
                tokens.append(
                    TextToken(id: byteTokens[Int(byte)], start: range.lowerBound, end: range.upperBound))
            }
        } else {
            tokens.append(TextToken(id: unknown, start: range.lowerBound, end: range.upperBound))
        }
    }
}

extension UTF8Words {
    /// Bytes of a character, by its first byte.
    @inline(__always)
    static func length(ofLeading byte: UInt8) -> Int {
        byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
    }
}

extension Vocabulary {
    /// By byte, the id of `<0x41>`; -1 where there is none.
    func byteTokens() -> [Int32] {
        (0..<256).map { byte in
            let digits = String(byte, radix: 16, uppercase: true)
            return id(of: "<0x" + (byte < 16 ? "0" : "") + digits + ">") ?? -1
        }
    }
}

extension TokenizerFile {
    /// `"vocab": [["<unk>", 0.0], ["▁the", -3.2], …], "unk_id": 0, "byte_fallback": false`
    func unigram(_ fields: TokenizerFields) throws(ModelError) -> Unigram {
        let list = try fields.array("vocab")
        // The library has no fault with a spelling twice: the last counts.
        var vocabulary = try Vocabulary(capacity: list.count, file: name, replacing: true)
        var scores: [Double] = []
        scores.reserveCapacity(list.count)
        for (id, value) in list.enumerated() {
            guard let pair = value.array, pair.count == 2, let spelling = pair[0].string,
                let score = pair[1].double
            else { throw error("\(fields.path).vocab[\(id)] is not a token and its score, [\"▁the\", -3.2]") }
            try vocabulary.add(spelling, id: id)
            scores.append(LibraryNumber.read(score))
        }
        guard let unknown = fields.object["unk_id"], unknown != .null else {
            throw error("\(fields.path).unk_id is missing: characters the vocabulary lacks would have no token")
        }
        guard let id = unknown.int, id >= 0, id < list.count else {
            throw fields.wrong("unk_id", "a place in the vocabulary, 0 to \(list.count - 1),")
        }
        return try Unigram(
            vocabulary: vocabulary, scores: scores, unknown: Int32(truncatingIfNeeded: id),
            byteFallback: fields.object["byte_fallback"] == nil ? false : fields.bool("byte_fallback"), file: name)
    }
}

/// Numbers as the library reads them.
///
/// serde_json (https://github.com/serde-rs/json, src/de.rs, `f64_from_parts`) by default does not round correctly: all
/// digits as one integer, rounded to f64, times or divided by a power of ten. Scores that differ in the last bit decide
/// between segmentations that differ only in the order of their tokens ("aaa"), so they are read with the same fault.
enum LibraryNumber {
    /// - Parameter value: a number as read correctly; of all decimals that mean it the file is taken to hold the
    ///   shortest, as every writer of JSON in use gives it.
    static func read(_ value: Double) -> Double {
        var significand: UInt64 = 0
        var exponent = 0
        var text = value.magnitude.description
        let found: Bool = text.withUTF8 { bytes in
            var fraction = false
            for (i, byte) in bytes.enumerated() {
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"):
                    significand = significand &* 10 &+ UInt64(byte - UInt8(ascii: "0"))
                    if fraction { exponent -= 1 }
                case UInt8(ascii: "."): fraction = true
                case UInt8(ascii: "e"):
                    guard let power = Int(String(decoding: bytes[(i + 1)...], as: UTF8.self)) else { return false }
                    exponent += power
                    return true
                default: return false
                }
            }
            return true
        }
        guard found, significand < 1 << 60 else { return value }
        var result = Double(significand)
        if exponent < -308 {
            result /= 1e308
            exponent += 308
        }
        guard abs(exponent) <= 308, let power = Double("1e\(abs(exponent))") else { return value }
        result = exponent < 0 ? result / power : result * power
        return value < 0 ? -result : result
    }
}
