/// A change of attention scores before the softmax: `s ↦ cap · tanh(scale · s / cap) + bias[query, key]`. Only f32
/// attention applies it.
public struct ScoreModifier {
    /// The address of the bias of the first query and the first key: the bias of query i and key j is
    /// `bias[i · biasStride + j]`. `nil` if there is no bias.
    ///
    /// A bias that depends on the distance of key and query alone is one row of distances for all queries, with a
    /// stride of −1.
    public var bias: UnsafePointer<Float>?
    /// The distance from one query's biases to the next query's, in floats.
    public var biasStride: Int
    /// The soft cap of the scores (Gemma 2). 0 if there is none.
    public var cap: Float

    public init(bias: UnsafePointer<Float>? = nil, biasStride: Int = 0, cap: Float = 0) {
        self.bias = bias
        self.biasStride = biasStride
        self.cap = cap
    }
}
