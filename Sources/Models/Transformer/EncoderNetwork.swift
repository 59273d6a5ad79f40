import Diagnostics
import Kernels
import ModelFiles

/// What a family makes of a model directory: see ARCHITECTURE.md, "A new family".
struct EncoderDefinition {
    let embeddings: EncoderEmbeddings
    var stack: EncoderStack
    /// Heads by the task that `architectures` names.
    var heads: [EncoderTask: EncoderHeadPlan] = [:]
    /// The head of a masked language model, if files of this family may have one.
    var vocabularyHead: MaskedLMHeadPlan?
    /// Where the heads' tensors are that do not lie beside the encoder.
    let base: WeightScope
    let vocabularySize: Int
    /// Types (segments) a token can have; nil: the model has none.
    var tokenTypes: Int?
    /// Tokens a sequence may have; nil: no limit of the network's own.
    var positions: Int?
    /// Where no file says how to pool.
    var pooling = Pooling.mean
}

/// A Transformer encoder: embeddings, layers, and the head that `architectures` names, if any.
struct EncoderNetwork: Network {
    let description: ModelDescription
    private let embeddings: EncoderEmbeddings
    private let stack: EncoderStack
    private let head: EncoderHead?
    private let vocabularyHead: MaskedLMHead?
    /// What follows the pooling of the last layer.
    private let modules: [SentenceTransformersModule]

    /// - Parameter parts: of a model with a vocabulary.
    init(
        _ source: Checkpoint, _ sentence: SentenceTransformersConfiguration, _ parts: EncoderDefinition
    ) throws(ModelError) {
        // sentence-transformers keeps the encoder alone, under the name that config.json had before.
        let needsHead = sentence.pooling == nil
        let head = try EncoderHead(source, parts, isNeeded: needsHead)
        let vocabularyHead = head == nil ? try MaskedLMHead(source, parts, isNeeded: needsHead) : nil
        var width = parts.stack.hidden * (1 + sentence.morePooling.count)
        let pooledSize = width
        var modules: [SentenceTransformersModule] = []
        for module in sentence.modules { modules.append(try SentenceTransformersModule(module, source, width: &width)) }
        if sentence.sparse != nil, vocabularyHead == nil {
            throw ModelError(
                file: "modules.json", "names SpladePooling, but the model has no head of a masked language model")
        }
        var maxLength = parts.positions
        if let wanted = sentence.maxLength { maxLength = min(wanted, maxLength ?? wanted) }
        var description = EncoderNetwork.describe(
            source, parts.stack, input: .tokens(vocabularySize: parts.vocabularySize), maxLength: maxLength,
            positions: parts.positions, pooling: sentence.pooling ?? parts.pooling,
            normalize: sentence.normalize ?? false)
        description.tokenTypes = parts.tokenTypes
        description.embeddingSize = width
        description.morePooling = sentence.morePooling
        description.pooledSize = modules.isEmpty ? nil : pooledSize
        description.logitsSize = head?.outputs ?? vocabularyHead?.vocabulary
        description.logitsPerToken = head.map { $0.plan.rows == .all } ?? (vocabularyHead != nil)
        description.sparse = vocabularyHead == nil ? nil : sentence.sparse ?? SparsePooling()
        description.answersSparse = sentence.sparse != nil
        description.prompts = sentence.prompts
        description.defaultPrompt = sentence.defaultPrompt
        description.poolsPrompt = sentence.poolsPrompt
        description.labels = head?.labels
        if let head {
            description.scores = try ScoreFunction(
                source.configuration, count: head.outputs, sentence: sentence.scoreFunction)
        }
        description.answersLogits = head != nil
        if let name = source.configuration.architecture, head == nil, vocabularyHead == nil,
            name.contains("For")
        {
            description.notes.append(
                "config.json names \(quoted(name)), whose head is not computed: the model answers embeddings, states and "
                    + "attention")
        }
        self.init(
            description, parts.embeddings, parts.stack, head: head, vocabularyHead: vocabularyHead, modules: modules)
    }

    init(
        _ description: ModelDescription, _ embeddings: EncoderEmbeddings, _ stack: EncoderStack,
        head: EncoderHead? = nil, vocabularyHead: MaskedLMHead? = nil, modules: [SentenceTransformersModule] = []
    ) {
        self.description = description
        self.embeddings = embeddings
        self.stack = stack
        self.head = head
        self.vocabularyHead = vocabularyHead
        self.modules = modules
    }

    /// A description without head. To be called once all weights are read, whose values are the model's parameters.
    static func describe(
        _ source: Checkpoint, _ stack: EncoderStack, input: InputKind, maxLength: Int?, positions: Int?,
        pooling: Pooling, normalize: Bool
    ) -> ModelDescription {
        ModelDescription(
            family: source.configuration.object["model_type"]?.string ?? "", input: input, hiddenSize: stack.hidden,
            embeddingSize: stack.hidden,
            stateSizes: Array(repeating: stack.hidden, count: stack.layers.count + 1), layers: stack.layers.count,
            heads: stack.heads, directions: 1, maxLength: maxLength, logitsSize: nil, logitsPerToken: false,
            labels: nil, answersLogits: false, pooling: pooling, normalize: normalize, attentionMethods: [.raw],
            stateShape: nil, parameters: source.weights.parameters, precision: source.weights.precision.rawValue,
            instructionSet: source.weights.kernels.instructionSet, positions: positions)
    }

    func forward(_ requests: [SequenceRequest], scratch: Scratch) -> [SequenceResult] {
        let batch = RaggedBatch(requests)
        scratch.reserve(
            floats: Scratch.rounded(batch.rows * stack.hidden) + embeddings.scratchCount(batch)
                + stack.scratchCount(batch, scratch.team) + (head?.scratchCount(batch) ?? 0)
                + (vocabularyHead?.scratchCount(batch) ?? 0))
        let x = scratch.take(batch.rows * stack.hidden)
        var results = batch.emptyResults()
        embeddings.embed(batch, x, scratch: scratch, stack.kernels)
        stack.run(batch, x, scratch: scratch, results: &results)
        head?.run(batch, x, scratch: scratch, stack.kernels, results: &results)
        vocabularyHead?.run(batch, x, scratch: scratch, stack.kernels, results: &results)
        for i in results.indices where requests[i].outputs.embeddingLayer == stack.layers.count {
            guard var embedding = results[i].embedding else { continue }
            for module in modules { embedding = module.apply(embedding, stack.kernels) }
            results[i].embedding = embedding
        }
        return results
    }
}
