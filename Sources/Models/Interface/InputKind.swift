/// The kind of sequence that a model reads, with its size.
public enum InputKind: Sendable, Equatable {
    /// Token ids 0 ..< `vocabularySize`.
    case tokens(vocabularySize: Int)
    /// Feature vectors of `size` values, one a step.
    case features(size: Int)
}

extension InputKind {
    /// Token ids in the vocabulary. `nil` if the model reads feature vectors.
    public var vocabularySize: Int? { if case .tokens(let size) = self { size } else { nil } }

    /// The word for the positions of a sequence in messages: `tokens` or `steps`.
    public var unit: String { vocabularySize == nil ? "steps" : "tokens" }

    /// Makes a sequence of this kind, for measurements and tests.
    /// - Parameters:
    ///   - length: Tokens or steps.
    ///   - id: Returns the token id at a position, below `vocabularySize`.
    ///   - feature: Returns value `index` of all feature vectors, row-major.
    public func sequence(
        length: Int, id: (_ position: Int, _ vocabularySize: Int) -> Int, feature: (_ index: Int) -> Float
    ) -> SequenceInput {
        switch self {
        case .tokens(let size): .tokens(ids: (0..<length).map { Int32(id($0, size)) }, typeIDs: [])
        case .features(let size): .features((0..<length * size).map(feature), steps: length)
        }
    }
}
