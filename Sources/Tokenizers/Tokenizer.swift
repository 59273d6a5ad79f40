/// A token of an encoded text.
public struct Token: Sendable, Equatable {
    public var id: Int32
    /// The token's spelling in the vocabulary (`##ing`, `[CLS]`).
    public var text: String
    /// The token's offset in the original text, in Unicode code points, [start, end). Both are 0 for tokens that the
    /// template adds.
    public var start: Int
    public var end: Int
    public var typeID: Int32
    /// Whether the template added the token.
    public var special: Bool

    public init(id: Int32, text: String, start: Int, end: Int, typeID: Int32 = 0, special: Bool = false) {
        self.id = id
        self.text = text
        self.start = start
        self.end = end
        self.typeID = typeID
        self.special = special
    }
}

public struct Encoding: Sendable, Equatable {
    public var tokens: [Token]
    /// Whether the sequence was longer than `maxLength` and was cut.
    public var truncated: Bool
    /// The number of tokens before truncation, including the template's.
    public var untruncatedCount: Int

    public init(tokens: [Token], truncated: Bool, untruncatedCount: Int) {
        self.tokens = tokens
        self.truncated = truncated
        self.untruncatedCount = untruncatedCount
    }
}

/// A conversion of text to tokens and back. Implementations are immutable and shared by all threads.
public protocol Tokenizer: Sendable {
    /// The description that `encoderd inspect` prints: `WordPiece, 30522 tokens`.
    var summary: String { get }
    var vocabularySize: Int { get }
    /// The end of a text, or of a sequence of ids, that truncation removes.
    var truncationSide: Truncation.Side { get }
    /// - Parameter maxLength: the largest number of tokens, including the template's; `nil` for no limit. A longer text
    ///   is cut on `truncationSide`, a pair from its longer text first, and `truncated` is set.
    func encode(_ text: String, pair: String?, maxLength: Int?) -> Encoding
    /// Returns the text of a sequence of ids.
    func decode(_ ids: [Int32], skipSpecialTokens: Bool) -> String
    /// Returns the vocabulary's spelling of an id. `nil` if the vocabulary lacks the id.
    func token(_ id: Int32) -> String?
    /// Whether an id is one of the tokenizer's special tokens ([CLS], [PAD] …).
    func isSpecial(_ id: Int32) -> Bool
}
