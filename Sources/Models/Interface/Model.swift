import Tokenizers

/// A loaded model directory: the network, the tokenizer and their names.
public struct Model: Sendable {
    public let name: String
    public let directory: String
    public let network: any Network
    /// The step that makes the network's input of texts. `nil` if the model takes ids or features only.
    public let processor: TextProcessor?
    /// The names of the tensors that the network does not use, in the order of the weight file.
    public var unusedTensors: [String] = []
    public var description: ModelDescription { network.description }

    public var tokenizer: (any Tokenizer)? { processor?.tokenizer }

    public init(name: String, directory: String, network: any Network, processor: TextProcessor?) {
        self.name = name
        self.directory = directory
        self.network = network
        self.processor = processor
    }

    public init(name: String, directory: String, network: any Network, tokenizer: (any Tokenizer)?) {
        self.init(
            name: name, directory: directory, network: network, processor: tokenizer.map { TextProcessor($0) })
    }
}
