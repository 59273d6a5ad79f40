/// Longest match first (Schuster and Nakajima 2012), as `tokenizers::models::wordpiece::WordPiece`: a word of which any
/// part cannot be spelled is one unknown token.
struct WordPiece: TokenModel {
    let name = "WordPiece"
    let vocabulary: Vocabulary
    private let unknown: Int32
    private let prefix: [UInt32]
    private let prefixHash: Vocabulary.Hash
    private let maxCharacters: Int

    /// - Parameters:
    ///   - unknown: the spelling of the unknown token, which the vocabulary must have.
    ///   - continuingPrefix: begins tokens that do not begin a word.
    ///   - maxCharacters: a word of more scalars is unknown.
    init(
        vocabulary: Vocabulary, unknown: String, continuingPrefix: String, maxCharacters: Int, file: String
    ) throws(ModelError) {
        guard let id = vocabulary.id(of: unknown) else {
            throw ModelError(file: file, "the unknown token \"\(unknown.prefix(80))\" is not in the vocabulary")
        }
        self.vocabulary = vocabulary
        self.unknown = id
        self.maxCharacters = maxCharacters
        prefix = continuingPrefix.unicodeScalars.map(\.value)
        var hash = Vocabulary.Hash()
        for scalar in prefix { hash.combine(scalar) }
        prefixHash = hash
    }

    func tokenize(_ word: UnsafeBufferPointer<UInt32>, offset: Int, into tokens: inout [TextToken]) {
        let first = tokens.count
        var start = 0
        if word.count <= maxCharacters {
            while start < word.count, let (id, end) = longestMatch(word, from: start) {
                tokens.append(TextToken(id: id, start: offset + start, end: offset + end))
                start = end
            }
        }
        if start < word.count {
            tokens.removeSubrange(first...)
            tokens.append(TextToken(id: unknown, start: offset, end: offset + word.count))
        }
    }

    private func longestMatch(_ word: UnsafeBufferPointer<UInt32>, from start: Int) -> (id: Int32, end: Int)? {
        let count = min(word.count - start, vocabulary.longest)
        return withUnsafeTemporaryAllocation(of: Vocabulary.Hash.self, capacity: count) { hashes in
            var hash = start == 0 ? Vocabulary.Hash() : prefixHash
            for i in 0..<count {
                hash.combine(word[start + i])
                hashes.initializeElement(at: i, to: hash)
            }
            for i in (0..<count).reversed() {
                let end = start + i + 1
                if let id = vocabulary.id(hash: hashes[i], prefix: start == 0 ? [] : prefix, word[start..<end]) {
                    return (id, end)
                }
            }
            return nil
        }
    }
}
