/// A sequence in the form that a network reads.
public enum SequenceInput: Sendable {
    /// Token ids [tokens], and a type (segment) for each. `typeIDs` is empty (all 0) or as long as `ids`.
    case tokens(ids: [Int32], typeIDs: [Int32])
    /// Feature vectors [steps, size], row-major.
    case features([Float], steps: Int)
}

extension SequenceInput {
    /// Tokens or steps of the sequence.
    public var length: Int {
        switch self {
        case .tokens(let ids, _): ids.count
        case .features(_, let steps): steps
        }
    }

    /// The token ids [tokens]. `nil` if the sequence consists of feature vectors.
    public var ids: [Int32]? { if case .tokens(let ids, _) = self { ids } else { nil } }

    /// The types of the tokens, [tokens] or empty (all 0). `nil` if the sequence consists of feature vectors.
    public var typeIDs: [Int32]? { if case .tokens(_, let typeIDs) = self { typeIDs } else { nil } }

    /// The feature vectors [steps, size], row-major. `nil` if the sequence consists of token ids.
    public var features: [Float]? { if case .features(let values, _) = self { values } else { nil } }
}
