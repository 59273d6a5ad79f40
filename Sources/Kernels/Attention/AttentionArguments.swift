/// The arguments of scaled dot-product attention of one head of one sequence, `out[i] = Σ_j softmax_j(scale · q_i·k_j)
/// v_j`. The index j runs over the keys that query i sees by `span`. A `modifier` changes the scores before the
/// softmax.
///
/// A query that sees no key, or whose scores are all −inf, gives NaN, as torch's softmax does.
public struct AttentionArguments {
    /// The queries [queries, headDim], rows `ldq` floats apart.
    public var q: UnsafePointer<Float>
    public var ldq: Int
    /// The keys [keys, headDim], rows `ldk` floats apart.
    public var k: UnsafePointer<Float>
    public var ldk: Int
    /// The values [keys, valueDim], rows `ldv` floats apart.
    public var v: UnsafePointer<Float>
    public var ldv: Int
    /// The output [queries, valueDim], rows `ldOut` floats apart.
    public var out: UnsafeMutablePointer<Float>
    public var ldOut: Int
    /// The memory [queries, 2] that receives each row's maximum of q·k, before `scale`, and its sum of
    /// exp(scale · (q·k − maximum)). `nil` if they are not wanted.
    ///
    /// With a `modifier` they are the maximum of the modified scores and the sum of exp(score − maximum). A single
    /// log-sum-exp would lose the digits that rebuilding the weights needs.
    public var statistics: UnsafeMutablePointer<Float>?
    public var queries: Int
    public var keys: Int
    public var headDim: Int
    public var valueDim: Int
    /// The factor of the scores, not negative.
    public var scale: Float
    public var span: AttentionSpan
    /// The position of the first query among the keys, from which `span` counts. It is not 0 where only some queries of
    /// a sequence are computed.
    public var position: Int
    /// The change of the scores before the softmax. `nil` if there is none.
    public var modifier: ScoreModifier?
    /// Scratch of at least `AttentionKernels.scratchCount(queries, keys, headDim, valueDim)` floats, 64-byte aligned.
    public var scratch: UnsafeMutablePointer<Float>

    public init(
        q: UnsafePointer<Float>, ldq: Int, k: UnsafePointer<Float>, ldk: Int, v: UnsafePointer<Float>, ldv: Int,
        out: UnsafeMutablePointer<Float>, ldOut: Int, statistics: UnsafeMutablePointer<Float>? = nil,
        queries: Int, keys: Int, headDim: Int, valueDim: Int, scale: Float, span: AttentionSpan = .all,
        position: Int = 0, modifier: ScoreModifier? = nil, scratch: UnsafeMutablePointer<Float>
    ) {
        self.q = q
        self.ldq = ldq
        self.k = k
        self.ldk = ldk
        self.v = v
        self.ldv = ldv
        self.out = out
        self.ldOut = ldOut
        self.statistics = statistics
        self.queries = queries
        self.keys = keys
        self.headDim = headDim
        self.valueDim = valueDim
        self.scale = scale
        self.span = span
        self.position = position
        self.modifier = modifier
        self.scratch = scratch
    }
}
