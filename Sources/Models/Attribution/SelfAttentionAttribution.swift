/// The attention of one head over one sequence, as the pass computed it.
struct HeadTrace {
    /// 0 … L − 1.
    let layer: Int
    let head: Int
    /// Writes the weights of some queries, [queries, length], and returns the largest |A·V − the result that the layer
    /// used|.
    let writeWeights: (_ queries: UnsafeBufferPointer<Int32>, _ out: UnsafeMutablePointer<Float>) -> Float
}

/// A method of attribution over networks with self-attention.
protocol SelfAttentionAttribution: Attribution<HeadTrace> {
    /// `nil` if the request wants no such maps.
    init?(_ request: SequenceRequest)

    /// Whether the method reads some head of a layer.
    func wants(layer: Int) -> Bool

    /// Whether the method reads a head of a layer.
    func wants(layer: Int, head: Int) -> Bool
}

/// The methods of attribution that networks with self-attention can honor.
enum SelfAttention {
    /// The methods, the default first.
    static let attributions: [any SelfAttentionAttribution.Type] = [RawAttention.self]

    static var description: ModelDescription.AttributionMethods {
        ModelDescription.AttributionMethods(methods: attributions.map { $0.method })
    }

    /// Makes the recorder of the maps that a request wants. `nil` if it wants none.
    static func attribution(_ request: SequenceRequest) -> (any SelfAttentionAttribution)? {
        if request.outputs.attention == nil { return nil }
        return attributions.firstResult { $0.init(request) }
    }
}
