/// One token of an encoded text.
public struct Token: Sendable, Equatable {
    public var id: Int32
    /// As the vocabulary spells it (`##ing`, `[CLS]`).
    public var text: String
    /// The token's place in the text sent, in Unicode code points, [start, end); 0, 0 for tokens the template adds.
    public var start: Int
    public var end: Int
    public var typeID: Int32
    /// Added by the template.
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
    /// The sequence was longer than the model takes and was cut.
    public var truncated: Bool
    /// Tokens before cutting, template included.
    public var untruncatedCount: Int

    public init(tokens: [Token], truncated: Bool, untruncatedCount: Int) {
        self.tokens = tokens
        self.truncated = truncated
        self.untruncatedCount = untruncatedCount
    }
}

/// Text to tokens. Implementations are immutable and shared by all threads.
public protocol Tokenizer: Sendable {
    /// What `encoderd inspect` prints: `WordPiece, 30522 tokens`.
    var summary: String { get }
    var vocabularySize: Int { get }
    /// The end of a text or of ids that is cut off where they are too long.
    var truncationSide: Truncation.Side { get }
    /// - Parameter maxLength: tokens the model takes, template included; nil: no limit. A longer text is cut on the
    ///   side that the files say, else on the right (a pair: longest first), and `truncated` says so.
    func encode(_ text: String, pair: String?, maxLength: Int?) -> Encoding
    /// The text of some tokens.
    func decode(_ ids: [Int32], skipSpecialTokens: Bool) -> String
    /// The vocabulary's spelling of an id, for input that came as ids.
    func token(_ id: Int32) -> String?
    /// Whether an id is one of the tokenizer's special tokens ([CLS], [PAD] …).
    func isSpecial(_ id: Int32) -> Bool
}
