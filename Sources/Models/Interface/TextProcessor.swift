import Tokenizers

/// The step before a network that makes its input of a text: lowercasing, tokenization, and the choice of token types.
///
/// Processors of images and of audio will stand in the same place, in front of a network that reads features.
public struct TextProcessor: Sendable {
    public let tokenizer: any Tokenizer
    /// Whether texts are lowercased before tokenization (`do_lower_case`).
    public let lowercases: Bool
    /// Whether the network is given the tokenizer's type ids; otherwise it is given 0 for every token.
    public let passesTokenTypes: Bool

    public init(_ tokenizer: any Tokenizer, lowercases: Bool = false, passesTokenTypes: Bool = true) {
        self.tokenizer = tokenizer
        self.lowercases = lowercases
        self.passesTokenTypes = passesTokenTypes
    }

    /// Tokenizes a text with its prompt, or a pair of texts.
    /// - Parameter maxLength: Tokens that the network takes. `nil` if it sets no limit.
    public func encode(_ text: String, pair: String? = nil, maxLength: Int?) -> Encoding {
        tokenizer.encode(prepared(text), pair: pair.map(prepared), maxLength: maxLength)
    }

    private func prepared(_ text: String) -> String { lowercases ? text.lowercased() : text }

    /// Returns the network's input for the tokens of a text.
    public func input(_ tokens: [Token]) -> SequenceInput {
        let types = passesTokenTypes && tokens.contains { $0.typeID != 0 } ? tokens.map(\.typeID) : []
        return .tokens(ids: tokens.map(\.id), typeIDs: types)
    }
}
