/// The arguments of a kernel that rebuilds attention weights of one head from the statistics of an attention pass,
/// `out[r, j] = exp(scale · (q_{rows[r]}·k_j − maximum)) / sum`. The weight is 0 where `span` hides key j from the
/// query.
public struct AttentionWeightsArguments {
    /// The queries [queries, headDim], rows `ldq` floats apart, as in `AttentionArguments`.
    public var q: UnsafePointer<Float>
    public var ldq: Int
    /// The keys [keys, headDim], rows `ldk` floats apart, as in `AttentionArguments`.
    public var k: UnsafePointer<Float>
    public var ldk: Int
    /// The maxima and sums [queries, 2] that the attention pass wrote.
    public var statistics: UnsafePointer<Float>
    /// The wanted queries [rowCount], as row indices of `q`. Query i has the position `position` + i.
    public var rows: UnsafePointer<Int32>
    public var rowCount: Int
    public var keys: Int
    public var headDim: Int
    public var scale: Float
    public var span: AttentionSpan
    public var position: Int
    /// The change of the scores before the softmax, indexed by rows of `q`. `nil` if there is none.
    public var modifier: ScoreModifier?
    /// The weights [rowCount, keys], row-major, contiguous.
    public var out: UnsafeMutablePointer<Float>
    /// Scratch of at least `AttentionKernels.scratchCount(rowCount, keys, headDim, 0)` floats, 64-byte aligned.
    public var scratch: UnsafeMutablePointer<Float>

    public init(
        q: UnsafePointer<Float>, ldq: Int, k: UnsafePointer<Float>, ldk: Int, statistics: UnsafePointer<Float>,
        rows: UnsafePointer<Int32>, rowCount: Int, keys: Int, headDim: Int, scale: Float, span: AttentionSpan = .all,
        position: Int = 0, modifier: ScoreModifier? = nil, out: UnsafeMutablePointer<Float>,
        scratch: UnsafeMutablePointer<Float>
    ) {
        self.q = q
        self.ldq = ldq
        self.k = k
        self.ldk = ldk
        self.statistics = statistics
        self.rows = rows
        self.rowCount = rowCount
        self.keys = keys
        self.headDim = headDim
        self.scale = scale
        self.span = span
        self.position = position
        self.modifier = modifier
        self.out = out
        self.scratch = scratch
    }
}

/// Runs `AttentionKernels.weights` in f32.
///
/// The scores are bit for bit those of `f32AttentionHead`. So are the exponentials where all keys fit one block. Where
/// they do not, the pass computed them from the maximum so far and scaled them down later.
@export(implementation) @inline(__always)
public func f32AttentionWeights<I: OutOfLineAttention>(_: I.Type, _ w: AttentionWeightsArguments) {
    if w.rowCount <= 0 { return }
    let layout = AttentionScratch(I.self, queries: w.rowCount, keys: w.keys, headDim: w.headDim, valueDim: 0)
    let keyPanels = w.scratch + layout.keyPanels
    let scores = w.scratch + layout.scores
    let queries = w.scratch + layout.queries
    let factor = I.splat(binaryScale(w.modifier == nil ? w.scale : 1))

    var key = 0
    while key < w.keys {
        let block = key..<min(w.keys, key + layout.keyBlock)
        packPanels(I.self, w.k + key * w.ldk, w.ldk, block.count, w.headDim, keyPanels)
        var first = 0
        while first < w.rowCount {
            let rows = min(layout.rowBlock, w.rowCount - first)
            var columns = 0..<0
            for r in 0..<rows {
                let query = Int(w.rows[first + r])
                let seen = offsets(of: w.span.visible(w.position + query, keys: w.keys), in: block)
                columns = hull(columns, seen)
                (queries + r * w.headDim).update(from: w.q + query * w.ldq, count: w.headDim)
            }
            I.scores(
                ScoreProduct(
                    q: queries, ldq: w.headDim, keyPanels: keyPanels, scores: scores, stride: layout.stride,
                    rows: rows, columns: columns, headDim: w.headDim))
            for r in 0..<rows {
                let query = Int(w.rows[first + r])
                let seen = offsets(of: w.span.visible(w.position + query, keys: w.keys), in: block)
                let out = w.out + (first + r) * w.keys + key
                out.update(repeating: 0, count: seen.lowerBound)
                if let modifier = w.modifier {
                    applyModifier(
                        I.self, modifier, query: query, key: key + seen.lowerBound,
                        scores + r * layout.stride + seen.lowerBound, seen.count, scale: w.scale)
                }
                weightsOfRow(
                    I.self, scores + r * layout.stride + seen.lowerBound, out + seen.lowerBound, seen.count,
                    shift: w.statistics[2 * query], factor: factor, inverse: 1 / w.statistics[2 * query + 1])
                (out + seen.upperBound).update(repeating: 0, count: block.count - seen.upperBound)
            }
            first += rows
        }
        key += layout.keyBlock
    }
}

/// Computes the weights of one row from `count` scores: `out[j] = exp(scores[j] − shift) · inverse`, scaled by `factor`
/// as in `exponential`.
@export(implementation) @inline(__always)
func weightsOfRow<I: Instructions>(
    _: I.Type, _ scores: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>, _ count: Int, shift: Float,
    factor: I.Vector, inverse: Float
) {
    let shift = I.splat(shift)
    let inverse = I.splat(inverse)
    var j = 0
    while j + I.lanes <= count {
        I.store(out + j, I.mul(exponential(I.self, I.load(scores + j), shift, factor), inverse))
        j += I.lanes
    }
    if j < count {
        let e = exponential(I.self, I.load(scores + j, count: count - j, fill: 0), shift, factor)
        I.store(out + j, count: count - j, I.mul(e, inverse))
    }
}
