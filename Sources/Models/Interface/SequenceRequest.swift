/// A sequence with the outputs that are wanted of it.
public struct SequenceRequest: Sendable {
    public var input: SequenceInput
    public var outputs: OutputSelection

    public init(input: SequenceInput, outputs: OutputSelection) {
        self.input = input
        self.outputs = outputs
    }

    /// Tokens or steps of the sequence.
    public var length: Int { input.length }
}

/// The outputs that one sequence wants of a forward pass.
public struct OutputSelection: Sendable {
    /// Layers whose states are wanted: 0 (embeddings) … L.
    public var stateLayers: [Int] = []
    /// The ways of pooling whose vectors, joined, make the embedding; empty if none is wanted.
    public var pooling: [Pooling] = []
    /// The layer whose states are pooled, 0 … L. Modules behind the pooling apply to layer L only.
    public var embeddingLayer: Int = 0
    /// Whether the head's logits are wanted.
    public var logits = false
    /// The way to make a sparse vector over the vocabulary. `nil` if none is wanted.
    public var sparse: SparsePooling?
    /// Tokens at the beginning of the sequence that pooling leaves out.
    public var poolingStart = 0
    /// The weight maps that are wanted. `nil` if none are.
    public var attention: AttentionSelection?
    /// The state that a recurrent model starts from. `nil` starts from zeros.
    public var initialState: RecurrentState?
    /// Whether a recurrent model's state after the last step is wanted.
    public var finalState = false

    public init() {}
}
