import Glibc

/// A way to make a sparse vector of a masked language model's logits, as sentence-transformers' SpladePooling does
/// (https://sbert.net/docs/package_reference/sparse_encoder/models.html#splade-pooling).
public struct SparsePooling: Sendable, Equatable {
    /// The reduction over the tokens of a sequence.
    public enum Strategy: String, Sendable, CaseIterable { case max, sum }

    /// The function of each logit.
    public enum LogitFunction: String, Sendable, CaseIterable {
        /// log(1 + max(x, 0)).
        case relu
        /// log(1 + log(1 + max(x, 0))).
        case logOfLog = "log1p_relu"
    }

    public var strategy = Strategy.max
    public var activation = LogitFunction.relu

    public init(strategy: Strategy = .max, activation: LogitFunction = .relu) {
        self.strategy = strategy
        self.activation = activation
    }

    /// Applies the activation to one logit.
    func value(_ logit: Float) -> Float {
        let once = Glibc.log1pf(Swift.max(logit, 0))
        return activation == .relu ? once : Glibc.log1pf(once)
    }
}

/// A vector over the vocabulary that holds its nonzero values only.
public struct SparseVector: Sendable, Equatable {
    /// The token ids with a value, ascending.
    public var indices: [Int32] = []
    /// The values, in the order of `indices`.
    public var values: [Float] = []

    public init() {}
}
