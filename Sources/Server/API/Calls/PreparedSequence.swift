import Models
import Tokenizers

/// A sequence of a call, ready for the network.
struct PreparedSequence: Sendable {
    var input: SequenceInput
    var truncated: Bool
    /// The tokens that the tokenizer made; empty unless the input is text.
    var tokens: [Token] = []
    /// The number of tokens at the beginning that pooling leaves out: those of a prompt.
    var promptTokens = 0

    /// The number of tokens or steps.
    var length: Int { input.length }
}
