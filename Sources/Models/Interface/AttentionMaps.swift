/// The weight maps that a request asks for. Callers have checked that all indices are in range.
public struct AttentionSelection: Sendable {
    public var method: AttentionMethod
    /// Layers 0 … L − 1, in the order of the answer; empty for methods without that axis.
    public var layers: [Int]
    /// Heads or directions (`AttentionMethod.axis`), in the order of the answer; empty for methods without that axis.
    public var heads: [Int]
    /// Positions of the rows. `nil` selects all.
    public var queries: [Int]?

    public init(method: AttentionMethod, layers: [Int], heads: [Int], queries: [Int]?) {
        self.method = method
        self.layers = layers
        self.heads = heads
        self.queries = queries
    }

    /// The places of a layer's map for one head or direction, in [layers, heads]; several if it is asked for more than once.
    func places(layer: Int, head: Int) -> [Int] {
        layers.indices.filter { layers[$0] == layer }.flatMap { i in
            heads.indices.filter { heads[$0] == head }.map { i * heads.count + $0 }
        }
    }
}

/// The weight maps of one sequence.
public struct AttentionMaps: Sendable {
    /// The names of the axes of `weights` (`AttentionMethod.axes`).
    public var axes: [String]
    /// The sizes of the axes, in the order of `axes`.
    public var shape: [Int]
    /// The weights, [shape], row-major.
    public var weights: [Float]
    /// The largest |A·V − the result that the layer used|. `nil` if the method has no such check.
    public var reconstructionMaxError: Float?
    /// The largest |row sum − 1|. `nil` if rows are not distributions.
    public var rowSumMaxError: Float?

    public init(
        axes: [String], shape: [Int], weights: [Float], reconstructionMaxError: Float?, rowSumMaxError: Float?
    ) {
        self.axes = axes
        self.shape = shape
        self.weights = weights
        self.reconstructionMaxError = reconstructionMaxError
        self.rowSumMaxError = rowSumMaxError
    }
}
