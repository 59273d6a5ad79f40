/// The outputs of a forward pass for one sequence.
public struct SequenceResult: Sendable {
    /// The states of the layers in `OutputSelection.stateLayers`, in that order, [length, width] each.
    public var states: [Matrix] = []
    /// The pooled vector, [width], before normalization. `nil` if none was wanted.
    public var embedding: [Float]?
    /// The head's logits: [1, labels] for a sequence classifier, else [length, labels]. `nil` if none were wanted.
    public var logits: Matrix?
    /// The sparse vector over the vocabulary. `nil` if none was wanted.
    public var sparse: SparseVector?
    /// The weight maps. `nil` if none were wanted.
    public var attention: AttentionMaps?
    /// A recurrent model's state after the last step. `nil` if none was wanted.
    public var finalState: RecurrentState?

    public init() {}
}
