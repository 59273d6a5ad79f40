import JSON
import ModelFiles

/// The segmentation of the highest probability (Kudo 2018, https://arxiv.org/abs/1804.10959), as in
/// `tokenizers::models::unigram::Unigram`. Scores are summed in f64 from the left. Of equal paths to one position, the
/// first found wins, whose last token is the longest. Consecutive unknown characters are one piece.
struct Unigram: TokenModel {
    let name = "Unigram"
    let vocabulary: Vocabulary
    private let trie: TokenTrie
    /// The scores by id.
    private let scores: [Double]
    private let unknown: Int32
    private let unknownScore: Double
    /// The id of `<0x41>` and the like, by byte; negative if there is none. Empty without byte fallback.
    private let byteTokens: [Int32]

    /// - Parameters:
    ///   - vocabulary: every id from 0 on, with as many scores.
    ///   - unknown: below the vocabulary's size.
    init(
        vocabulary: Vocabulary, scores: [Double], unknown: Int32, byteFallback: Bool, file: String
    ) throws(FileError) {
        self.vocabulary = vocabulary
        self.scores = scores
        self.unknown = unknown
        // A penalty of 10, as the library's and SentencePiece's.
        unknownScore = (scores.min() ?? 0) - 10
        byteTokens = byteFallback ? vocabulary.byteTokens() : []
        trie = try TokenTrie(vocabulary, file: file)
    }

    /// The best path to one position of the word.
    private struct Step {
        var score: Double
        /// The start of the path's last token; negative if there is no path yet.
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

    /// Appends consecutive unknown characters: one token for all, else their bytes if all of these have tokens, else
    /// the unknown token.
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

extension TokenizerFile {
    /// Reads the model: `"vocab": [["<unk>", 0.0], ["▁the", -3.2], …], "unk_id": 0, "byte_fallback": false`.
    func unigram(_ fields: TokenizerFields, _ lists: ModelLists) throws(FileError) -> Unigram {
        _ = try fields.array("vocab")
        let path = "\(fields.path).vocab"
        guard let list = lists.vocab else { throw error("\(path) is malformed") }
        // The library has no fault with a spelling twice: the last counts.
        var vocabulary = try Vocabulary(capacity: list.most / 2 + 1, file: name, replacing: true)
        var scores: [Double] = []
        scores.reserveCapacity(list.most / 2 + 1)
        try lists.read(list, path: path, file: self) { (id, scanner) throws(FileError) in
            guard scanner.take(UInt8(ascii: "[")), scanner.withString({ vocabulary.append($0) }) != nil,
                scanner.take(UInt8(ascii: ",")), let score = scanner.libraryNumber(), scanner.take(UInt8(ascii: "]"))
            else {
                throw error("\(path)[\(id)] is not a token and its score, a number: [\"▁the\", -3.2]")
            }
            try vocabulary.add(id: id)
            scores.append(score)
        }
        guard let unknown = fields.object["unk_id"], unknown != .null else {
            throw error("\(fields.path).unk_id is missing: characters the vocabulary lacks would have no token")
        }
        guard let id = unknown.int, id >= 0, id < scores.count else {
            throw fields.wrong("unk_id", "a place in the vocabulary, 0 to \(scores.count - 1),")
        }
        return try Unigram(
            vocabulary: vocabulary, scores: scores, unknown: Int32(truncatingIfNeeded: id),
            byteFallback: fields.object["byte_fallback"] == nil ? false : fields.bool("byte_fallback"), file: name)
    }
}
