import Tokenizers

/// A loaded model directory: the network, the tokenizer and their names.
public struct Model: Sendable {
    public let name: String
    public let directory: String
    public let network: any Network
    /// The tokenizer. `nil` if the model takes ids or features only.
    public let tokenizer: (any Tokenizer)?
    /// Whether texts are lowercased before tokenization (`do_lower_case`).
    public var lowercases = false
    /// Whether the network is given the tokenizer's type ids; otherwise it is given 0 for every token.
    public var takesTokenTypes = true
    /// The names of the tensors that the network does not use, in the order of the weight file.
    public var unusedTensors: [String] = []
    public var description: ModelDescription { network.description }

    public init(name: String, directory: String, network: any Network, tokenizer: (any Tokenizer)?) {
        self.name = name
        self.directory = directory
        self.network = network
        self.tokenizer = tokenizer
    }
}
