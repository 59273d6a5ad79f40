import Diagnostics
import Kernels
import ModelFiles

/// A network with the settings of sentence-transformers' files applied: its way of pooling, the modules behind it, prompts
/// and the longest text.
struct SentenceTransformersNetwork: Network {
    let description: ModelDescription
    private let network: any Network
    /// The modules that follow the pooling of the last layer.
    private let modules: [SentenceTransformersModule]
    private let kernels: KernelTable

    /// - Throws: `FileError` if the settings do not fit the network.
    init(
        _ network: any Network, _ source: Checkpoint, _ sentence: SentenceTransformersConfiguration
    ) throws(FileError) {
        var description = network.description
        if description.architecture.directions == 2, sentence.pooling.contains(.last) {
            throw FileError(
                file: "modules.json",
                "asks for pooling by 'lasttoken', but the model reads in both directions, and in reverse has read a single "
                    + "token there; take another way of pooling, or 'pooling': \"last\" of config.json, which takes each "
                    + "direction's own last step")
        }
        if description.architecture.input.vocabularySize == nil,
            let prompt = sentence.prompts.texts.first(where: { !$0.text.isEmpty })
        {
            throw FileError(
                file: "config_sentence_transformers.json",
                "has the prompt \(quoted(prompt.name)), but the model reads feature vectors, not texts")
        }
        if !sentence.pooling.isEmpty { description.outputs.pooling = sentence.pooling }
        let pooledSize = description.outputs.pooledWidth * description.outputs.pooling.count
        var width = pooledSize
        var modules: [SentenceTransformersModule] = []
        for module in sentence.modules { modules.append(try SentenceTransformersModule(module, source, width: &width)) }
        description.outputs.modulesWidth = modules.isEmpty ? nil : pooledSize
        description.outputs.embeddingSize = width
        description.outputs.normalize = sentence.normalize ?? description.outputs.normalize
        if let sparse = sentence.sparse {
            guard description.outputs.sparse != nil else {
                throw FileError(
                    file: "modules.json", "names SpladePooling, but the model has no head of a masked language model")
            }
            description.outputs.sparse = sparse
            description.outputs.defaultOutput = .sparse
        }
        if let wanted = sentence.maxLength {
            description.architecture.maxLength = min(wanted, description.architecture.maxLength ?? wanted)
        }
        description.prompts = sentence.prompts
        self.description = description
        self.network = network
        self.modules = modules
        kernels = source.weights.kernels
    }

    func multiplications(length: Int, outputs: OutputSelection) -> Double {
        network.multiplications(length: length, outputs: outputs)
    }

    func forward(_ requests: [SequenceRequest], scratch: Scratch) -> [SequenceResult] {
        var results = network.forward(requests, scratch: scratch)
        if modules.isEmpty { return results }
        for i in results.indices where requests[i].outputs.embeddingLayer == description.architecture.layers {
            guard var embedding = results[i].embedding else { continue }
            for module in modules { embedding = module.apply(embedding, kernels) }
            results[i].embedding = embedding
        }
        return results
    }
}
