import Models
import Tokenizers

/// The token or step at a position of a sequence, as a response names it.
package struct AttentionToken: Sendable, Equatable {
    package var text: String
    /// The token's id; `nil` if the sequence has steps of features.
    package var id: Int?
    /// The Unicode code points of the text sent, [start, end).
    package var start: Int
    package var end: Int
    package var special: Bool

    /// Returns one token for each position of a sequence.
    static func tokens(of sequence: PreparedSequence, _ model: Model) -> [AttentionToken] {
        switch sequence.input {
        case .features(_, let steps):
            (0..<steps).map { AttentionToken(text: String($0), id: nil, start: 0, end: 0, special: false) }
        case .tokens(let ids, _) where sequence.tokens.isEmpty:
            ids.map {
                AttentionToken(
                    text: model.tokenizer?.token($0) ?? String($0), id: Int($0), start: 0, end: 0,
                    special: model.tokenizer?.isSpecial($0) ?? false)
            }
        case .tokens:
            sequence.tokens.map {
                AttentionToken(text: $0.text, id: Int($0.id), start: $0.start, end: $0.end, special: $0.special)
            }
        }
    }
}
