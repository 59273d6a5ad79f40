import ModelFiles

/// The longest match first (Schuster and Nakajima 2012), as in `tokenizers::models::wordpiece::WordPiece`. A word
/// becomes one unknown token if any part of it cannot be spelled.
struct WordPiece: TokenModel {
    let name = "WordPiece"
    let vocabulary: Vocabulary
    private let trie: TokenTrie
    private let unknown: Int32
    /// The node of the trie where tokens begin that do not begin a word; negative if there are none.
    private let continuing: Int32
    private let maxCharacters: Int

    /// - Parameters:
    ///   - unknown: the spelling of the unknown token, which the vocabulary must have.
    ///   - continuingPrefix: begins tokens that do not begin a word.
    ///   - maxCharacters: a word of more scalars is unknown.
    init(
        vocabulary: Vocabulary, unknown: String, continuingPrefix: String, maxCharacters: Int, file: String
    ) throws(FileError) {
        guard let id = vocabulary.id(of: unknown) else {
            throw FileError(file: file, "the unknown token \"\(unknown.prefix(80))\" is not in the vocabulary")
        }
        self.vocabulary = vocabulary
        self.unknown = id
        self.maxCharacters = maxCharacters
        trie = try TokenTrie(vocabulary, file: file)
        continuing = trie.node(of: Array(continuingPrefix.utf8))
    }

    func tokenize(_ word: UnsafeBufferPointer<UInt8>, into tokens: inout [TextToken]) {
        let first = tokens.count
        if word.count <= maxCharacters || word.count(where: { $0 & 0xC0 != 0x80 }) <= maxCharacters {
            var start = 0
            while start < word.count {
                guard let (id, end) = longestMatch(word, from: start) else { break }
                tokens.append(TextToken(id: id, start: start, end: end))
                start = end
            }
            if start == word.count { return }
            tokens.removeSubrange(first...)
        }
        tokens.append(TextToken(id: unknown, start: 0, end: word.count))
    }

    @inline(__always)
    private func longestMatch(_ word: UnsafeBufferPointer<UInt8>, from start: Int) -> (id: Int32, end: Int)? {
        var node = start == 0 ? TokenTrie.root : continuing
        var found: (id: Int32, end: Int)?
        var i = start
        while node >= 0, i < word.count {
            node = trie.child(of: node, word[i])
            i += 1
            if node >= 0, case let id = trie.id(at: node), id >= 0 { found = (id, i) }
        }
        return found
    }
}
