import Diagnostics
import Kernels
import ModelFiles

/// The network that a family reads from a model directory; see ARCHITECTURE.md, "A new family".
struct EncoderDefinition {
    let embeddings: EncoderEmbeddings
    var stack: EncoderStack
    /// The heads by the task that `architectures` names.
    var heads: [EncoderTask: EncoderHeadPlan] = [:]
    /// The head of a masked language model. `nil` if files of this family have none.
    var maskedLMHead: MaskedLMHeadPlan?
    /// The part of the checkpoint that holds the encoder, and the tensors of some heads.
    let base: WeightScope
    /// Token ids 0 ..< vocabularySize.
    let vocabularySize: Int
    /// Types (segments) that a token can have. `nil` if the model has none.
    var tokenTypes: Int?
    /// Tokens that a sequence may have. `nil` if the network sets no limit.
    var positions: Int?
    /// The way of pooling if no file names one.
    var pooling = Pooling.mean
}

/// A Transformer encoder: embeddings, layers, and the head that `architectures` names, if any.
struct EncoderNetwork: Network {
    let description: ModelDescription
    private let embeddings: EncoderEmbeddings
    let stack: EncoderStack
    let head: EncoderHead?
    let maskedLMHead: MaskedLMHead?

    /// - Parameter definition: The definition of a model with a vocabulary.
    init(
        _ source: Checkpoint, _ sentence: SentenceTransformersConfiguration, _ definition: EncoderDefinition
    ) throws(FileError) {
        // sentence-transformers keeps the encoder alone, under the name that config.json had before.
        let needsHead = sentence.pooling.isEmpty
        let (c, hidden) = (source.configuration, definition.stack.hidden)
        let head = try EncoderHead(
            source, definition.heads, base: definition.base, hidden: hidden, isNeeded: needsHead)
        let maskedLMHead =
            head == nil
            ? try definition.maskedLMHead.flatMap { plan throws(FileError) in
                try MaskedLMHead(
                    source, plan, base: definition.base, hidden: hidden, vocabulary: definition.vocabularySize,
                    isNeeded: needsHead)
            } : nil
        var notes: [String] = []
        if let name = c.architecture, head == nil, maskedLMHead == nil, name.contains("For") {
            notes.append(
                "config.json names \(quoted(name)), whose head is not computed: the model answers embeddings, states and "
                    + "attention")
        }
        self.init(
            ModelDescription(
                architecture: EncoderNetwork.architecture(
                    source, definition.stack, input: .tokens(vocabularySize: definition.vocabularySize),
                    tokenTypes: definition.tokenTypes, positions: definition.positions),
                outputs: .init(
                    defaultOutput: head == nil ? .embedding : .logits, pooledWidth: hidden,
                    pooling: [definition.pooling], normalize: false,
                    logitsSize: head?.outputs ?? maskedLMHead?.vocabulary,
                    logitsPerToken: head.map { $0.plan.rows == .all } ?? (maskedLMHead != nil), labels: head?.labels,
                    scores: try head.map { head throws(FileError) in
                        try ScoreFunction(c, count: head.outputs, sentence: sentence.scoreFunction)
                    }, sparse: maskedLMHead == nil ? nil : SparsePooling()),
                attribution: SelfAttention.description, runtime: EncoderNetwork.runtime(source), notes: notes),
            definition.embeddings, definition.stack, head: head, maskedLMHead: maskedLMHead)
    }

    init(
        _ description: ModelDescription, _ embeddings: EncoderEmbeddings, _ stack: EncoderStack,
        head: EncoderHead? = nil, maskedLMHead: MaskedLMHead? = nil
    ) {
        self.description = description
        self.embeddings = embeddings
        self.stack = stack
        self.head = head
        self.maskedLMHead = maskedLMHead
    }

    /// Describes the layers. Called once all weights are read: their values are the model's parameters.
    /// - Parameter positions: Tokens that a sequence may have. `nil` if the network sets no limit.
    static func architecture(
        _ source: Checkpoint, _ stack: EncoderStack, input: InputKind, tokenTypes: Int? = nil, positions: Int?
    ) -> ModelDescription.Architecture {
        ModelDescription.Architecture(
            family: source.configuration.object["model_type"]?.string ?? "", input: input, tokenTypes: tokenTypes,
            stateSizes: Array(repeating: stack.hidden, count: stack.layers.count + 1), heads: stack.heads,
            maxLength: positions, parameters: source.weights.parameters)
    }

    static func runtime(_ source: Checkpoint) -> ModelDescription.Runtime {
        ModelDescription.Runtime(
            precision: source.weights.precision.rawValue, instructionSet: source.weights.kernels.instructionSet)
    }

    func forward(_ requests: [SequenceRequest], scratch: Scratch) -> [SequenceResult] {
        let batch = RaggedBatch(requests)
        scratch.reserve(
            floats: Scratch.rounded(batch.rows * stack.hidden) + embeddings.scratchCount(batch)
                + stack.scratchCount(batch, scratch.team) + (head?.scratchCount(batch) ?? 0)
                + (maskedLMHead?.scratchCount(batch) ?? 0))
        let x = scratch.take(batch.rows * stack.hidden)
        var results = batch.emptyResults()
        embeddings.embed(batch, x, scratch: scratch, stack.kernels)
        stack.run(batch, x, scratch: scratch, results: &results)
        head?.run(batch, x, scratch: scratch, stack.kernels, results: &results)
        maskedLMHead?.run(batch, x, scratch: scratch, stack.kernels, results: &results)
        return results
    }
}
