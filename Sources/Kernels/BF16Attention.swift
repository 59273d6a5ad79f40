/// Where the parts of the scratch of attention in bf16 lie, in floats or words of 32 bits. It grows with the keys, never
/// with queries × keys.
public struct BF16AttentionScratch {
    /// Kᵀ in panels of words, [⌈keys / width⌉, headDim / 2, width].
    @inlinable @inline(__always) public var keyPanels: Int { 0 }
    /// V in panels of words, pairs of keys, [⌈valueDim / width⌉, keys / 2, width].
    public let valuePanels: Int
    /// [keys, headDim / 2] words, before they are packed.
    public let keys: Int
    /// [block, headDim / 2] words.
    public let queries: Int
    /// [block, pitch] floats: a block of query rows against all keys.
    public let scores: Int
    /// [block, pitch / 2] words: the exponentials.
    public let weights: Int
    /// [block]: one over the sum of each row.
    public let inverseSums: Int
    public let total: Int
    /// Floats from one row of scores to the next: whole panels.
    public let stride: Int
    /// Words from one row of queries or keys to the next, and words of a row.
    public let wordPitch: Int
    public let words: Int
    /// Query rows that go through scores, softmax and values together.
    public let block: Int

    @inlinable @inline(__always)
    public init<A: BF16Arithmetic>(_: A.Type, queries count: Int, keys: Int, headDim: Int, valueDim: Int) {
        let width = A.I.panelWidth
        stride = roundUp(keys, to: width)
        wordPitch = A.wordPitch(headDim)
        words = A.wordCount(headDim)
        // One tile of rows up to some 512 keys, so that scores and weights stay in the first level of cache.
        block = min(2 * A.I.tileRows, roundUp(max(count, 1), to: A.I.tileRows))
        valuePanels = stride * words
        self.keys = valuePanels + roundUp((keys + 1) / 2 * roundUp(valueDim, to: width), to: 16)
        queries = self.keys + roundUp(keys * wordPitch, to: 16)
        scores = queries + roundUp(block * wordPitch, to: 16)
        weights = scores + roundUp(block * stride, to: 16)
        // A row's last vector may reach beyond its end.
        inverseSums = weights + roundUp(block * stride / 2 + A.I.lanes, to: 16)
        total = inverseSums + roundUp(block, to: 16)
    }
}

@inlinable @inline(__always)
func words(_ p: UnsafeMutablePointer<Float>) -> UnsafeMutablePointer<UInt32> {
    UnsafeMutableRawPointer(p).assumingMemoryBound(to: UInt32.self)
}

/// K as panels of words: rows converted, then transposed a word at a time.
@inlinable @inline(__always)
func packBrainKeys<A: BF16Arithmetic>(
    _: A.Type, _ k: UnsafePointer<Float>, _ ldk: Int, _ keys: Int, _ headDim: Int,
    _ scratch: UnsafeMutablePointer<Float>, _ layout: BF16AttentionScratch
) {
    let rows = scratch + layout.keys
    for j in 0..<keys { A.convertRow(k + j * ldk, headDim, words(rows + j * layout.wordPitch), rows) }
    packPanels(A.I.self, rows, layout.wordPitch, keys, layout.words, scratch + layout.keyPanels)
}

/// V [keys, valueDim] as panels of words, each of two neighboring keys; the key behind an odd last one is zero.
@inlinable @inline(__always)
func packBrainValues<A: BF16Arithmetic>(
    _: A.Type, _ v: UnsafePointer<Float>, _ ldv: Int, _ keys: Int, _ valueDim: Int,
    _ panels: UnsafeMutablePointer<Float>
) {
    typealias I = A.I
    var target = words(panels)
    let zero = I.splat(0)
    var column = 0
    while column < valueDim {
        var key = 0
        while key < keys {
            let lower = v + key * ldv + column
            for part in 0..<2 {
                let left = valueDim - column - part * I.lanes
                var l = zero
                var u = zero
                if left >= I.lanes {
                    l = I.load(lower + part * I.lanes)
                    if key + 1 < keys { u = I.load(lower + ldv + part * I.lanes) }
                } else if left > 0 {
                    l = I.load(lower + part * I.lanes, count: left, fill: 0)
                    if key + 1 < keys { u = I.load(lower + ldv + part * I.lanes, count: left, fill: 0) }
                }
                I.storeBrainPairs(target + part * I.lanes, l, u)
            }
            target += I.panelWidth
            key += 2
        }
        column += I.panelWidth
    }
}

/// Scores of `rows` query rows against the keys of `columns`, and others of the same panels, unscaled.
@inlinable @inline(__always)
func brainScores<A: BF16Arithmetic>(
    _: A.Type, q: UnsafePointer<UInt32>, scratch: UnsafeMutablePointer<Float>, layout: BF16AttentionScratch, rows: Int,
    columns: Range<Int>
) {
    var column = columns.lowerBound / A.I.panelWidth * A.I.panelWidth
    while column < columns.upperBound {
        A.multiply(
            PanelProduct(
                a: q, lda: layout.wordPitch, b: words(scratch + layout.keyPanels + column * layout.words),
                out: scratch + layout.scores + column, ldOut: layout.stride, m: rows, columns: A.I.panelWidth,
                k: layout.words))
        column += A.I.panelWidth
    }
}

/// 2^t for t ≤ 0 within 1e-4 of the result, a twentieth of what rounding to bf16 may change; 0 below −126.
///
/// t = i + f with |f| ≤ ½, and a polynomial of degree 3 for 2^f, fitted by Tests/Reference/fit_exp2.py.
@inlinable @inline(__always)
func coarseExp2<I: Instructions>(_: I.Type, _ argument: I.Vector) -> I.Vector {
    let low = I.splat(-140)
    let t = I.selectLess(argument, low, low, argument)
    let magic = I.splat(12_582_912)
    let rounder = I.add(t, magic)
    let i = I.sub(rounder, magic)
    let f = I.sub(t, i)
    var p = I.fma(I.splat(0.055_171_67), f, I.splat(0.242_611_12))
    p = I.fma(p, f, I.splat(0.693_260_99))
    p = I.fma(p, f, I.splat(0.999_928_07))
    return I.scale(p, i, rounder)
}

/// The exponentials of a row of scores as bf16, and what they are relative to: the maximum of x and the sum.
/// Zeros follow up to a whole vector.
@inlinable @inline(__always)
func brainExponentials<A: BF16Arithmetic>(
    _: A.Type, _ x: UnsafePointer<Float>, _ count: Int, scale: Float, _ out: UnsafeMutablePointer<UInt16>
) -> (maximum: Float, sum: Float) {
    typealias I = A.I
    let lanes = I.lanes
    let whole = count / lanes * lanes
    let maximum = maximumOf(I.self, x, count)
    let slope = I.splat(binaryScale(scale))
    let offset = I.splat(-maximum * binaryScale(scale))
    var sum0 = I.splat(0)
    var sum1 = sum0
    var i = 0
    while i + 2 * lanes <= whole {
        let e0 = coarseExp2(I.self, I.fma(I.load(x + i), slope, offset))
        let e1 = coarseExp2(I.self, I.fma(I.load(x + i + lanes), slope, offset))
        A.storeBrain(out + i, e0)
        A.storeBrain(out + i + lanes, e1)
        sum0 = I.add(sum0, e0)
        sum1 = I.add(sum1, e1)
        i += 2 * lanes
    }
    while i < count {
        // The exponentials behind the end are 0, which an odd last key's pair needs.
        let rest = count - i
        let y = i < whole ? I.load(x + i) : I.load(x + i, count: rest, fill: -.infinity)
        let e = coarseExp2(I.self, I.fma(y, slope, offset))
        A.storeBrain(out + i, e)
        sum0 = I.add(sum0, e)
        i += lanes
    }
    return (maximum, I.sum(I.add(sum0, sum1)))
}

/// `AttentionKernels.run` in bf16: queries, keys, values and weights rounded to bf16, sums and softmax f32.
@inlinable @inline(__always)
public func brainAttention<A: BF16Arithmetic>(_: A.Type, _ h: AttentionArguments) {
    typealias I = A.I
    if h.queries <= 0 { return }
    let layout = BF16AttentionScratch(
        A.self, queries: h.queries, keys: h.keys, headDim: h.headDim, valueDim: h.valueDim)
    let pairs = (h.keys + 1) / 2
    let valuePanels = h.scratch + layout.valuePanels
    let queries = words(h.scratch + layout.queries)
    let weights = words(h.scratch + layout.weights)
    let scores = h.scratch + layout.scores
    let inverseSums = h.scratch + layout.inverseSums
    packBrainKeys(A.self, h.k, h.ldk, h.keys, h.headDim, h.scratch, layout)
    packBrainValues(A.self, h.v, h.ldv, h.keys, h.valueDim, valuePanels)

    var first = 0
    while first < h.queries {
        let rows = min(layout.block, h.queries - first)
        for r in 0..<rows {
            A.convertRow(h.q + (first + r) * h.ldq, h.headDim, queries + r * layout.wordPitch, inverseSums)
        }
        // Pairs of keys that any of the rows sees, and each row's own part of them.
        let seen = union(h.span, h.position + first, rows, 0..<h.keys, keys: h.keys)
        let firstPair = seen.lowerBound / 2
        let pairsSeen = (seen.upperBound + 1) / 2 - firstPair
        brainScores(A.self, q: queries, scratch: h.scratch, layout: layout, rows: rows, columns: seen)
        for r in 0..<rows {
            let row = UnsafeMutableRawPointer(weights + r * (layout.stride / 2)).assumingMemoryBound(to: UInt16.self)
            let own = h.span.visible(h.position + first + r, keys: h.keys)
            let (maximum, sum) = brainExponentials(
                A.self, scores + r * layout.stride + own.lowerBound, own.count, scale: h.scale, row + own.lowerBound)
            (row + 2 * firstPair).update(repeating: 0, count: own.lowerBound - 2 * firstPair)
            (row + own.upperBound).update(
                repeating: 0, count: 2 * (firstPair + pairsSeen) - own.upperBound)
            inverseSums[r] = 1 / sum
            if let statistics = h.statistics {
                statistics[2 * (first + r)] = maximum
                statistics[2 * (first + r) + 1] = sum
            }
        }
        let out = h.out + first * h.ldOut
        var column = 0
        while column < h.valueDim {
            A.multiply(
                PanelProduct(
                    a: weights + firstPair, lda: layout.stride / 2,
                    b: words(valuePanels + column * pairs + firstPair * I.panelWidth), out: out + column,
                    ldOut: h.ldOut, m: rows, columns: min(I.panelWidth, h.valueDim - column), k: pairsSeen))
            column += I.panelWidth
        }
        for r in 0..<rows { scaleRow(I.self, out + r * h.ldOut, h.valueDim, by: inverseSums[r]) }
        first += rows
    }
}

/// `AttentionKernels.weights` in bf16: from the same scores and exponentials as `brainAttention`, before they are rounded.
@inlinable @inline(__always)
public func rebuildBrainWeights<A: BF16Arithmetic>(_: A.Type, _ w: AttentionWeightsArguments) {
    typealias I = A.I
    if w.rowCount <= 0 { return }
    let layout = BF16AttentionScratch(A.self, queries: w.rowCount, keys: w.keys, headDim: w.headDim, valueDim: 0)
    let queries = words(w.scratch + layout.queries)
    packBrainKeys(A.self, w.k, w.ldk, w.keys, w.headDim, w.scratch, layout)
    let slope = I.splat(binaryScale(w.scale))

    var first = 0
    while first < w.rowCount {
        let rows = min(layout.block, w.rowCount - first)
        for r in 0..<rows {
            A.convertRow(
                w.q + Int(w.rows[first + r]) * w.ldq, w.headDim, queries + r * layout.wordPitch,
                w.scratch + layout.inverseSums)
        }
        brainScores(A.self, q: queries, scratch: w.scratch, layout: layout, rows: rows, columns: 0..<w.keys)
        for r in 0..<rows {
            let statistics = w.statistics + 2 * Int(w.rows[first + r])
            let offset = I.splat(-statistics[0] * binaryScale(w.scale))
            let inverse = I.splat(1 / statistics[1])
            let row = w.scratch + layout.scores + r * layout.stride
            let out = w.out + (first + r) * w.keys
            var j = 0
            let own = w.span.visible(w.position + Int(w.rows[first + r]), keys: w.keys)
            while j < w.keys {
                let weight = I.mul(coarseExp2(I.self, I.fma(I.load(row + j), slope, offset)), inverse)
                if j + I.lanes <= w.keys {
                    I.store(out + j, weight)
                } else {
                    I.store(out + j, count: w.keys - j, weight)
                }
                j += I.lanes
            }
            out.update(repeating: 0, count: own.lowerBound)
            (out + own.upperBound).update(repeating: 0, count: w.keys - own.upperBound)
        }
        first += rows
    }
}
