import ModelFiles

/// A model whose tokens are words, as in `tokenizers::models::wordlevel::WordLevel`. Other words are unknown.
struct WordLevel: TokenModel {
    let name = "WordLevel"
    let vocabulary: Vocabulary
    private let unknown: Int32

    /// - Parameter unknown: the spelling of the unknown token, which the vocabulary must have.
    init(vocabulary: Vocabulary, unknown: String, file: String) throws(FileError) {
        guard let id = vocabulary.id(of: unknown) else {
            throw FileError(file: file, "the unknown token \"\(unknown.prefix(80))\" is not in the vocabulary")
        }
        self.vocabulary = vocabulary
        self.unknown = id
    }

    func tokenize(_ word: UnsafeBufferPointer<UInt8>, into tokens: inout [TextToken]) {
        tokens.append(TextToken(id: vocabulary.id(of: word) ?? unknown, start: 0, end: word.count))
    }
}
