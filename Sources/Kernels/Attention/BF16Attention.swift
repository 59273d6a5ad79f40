/// Returns the same memory as packed elements.
@export(implementation) @inline(__always)
func packedElements(_ p: UnsafeMutablePointer<Float>) -> UnsafeMutablePointer<UInt32> {
    UnsafeMutableRawPointer(p).assumingMemoryBound(to: UInt32.self)
}

/// Packs the keys [keys, headDim]: converts rows, then transposes them a packed element at a time.
@export(implementation) @inline(__always)
func packBF16Keys<A: BF16Arithmetic>(
    _: A.Type, _ k: UnsafePointer<Float>, _ ldk: Int, _ keys: Int, _ headDim: Int,
    _ scratch: UnsafeMutablePointer<Float>, _ layout: BF16AttentionScratch
) {
    let rows = scratch + layout.keys
    for j in 0..<keys { A.convertRow(k + j * ldk, headDim, packedElements(rows + j * layout.packedStride), rows) }
    packPanels(A.I.self, rows, layout.packedStride, keys, layout.packedLength, scratch + layout.keyPanels)
}

/// Packs the values [keys, valueDim] into panels of packed elements, each of two neighboring keys. The key behind an
/// odd last one is zero.
@export(implementation) @inline(__always)
func packBF16Values<A: BF16Arithmetic>(
    _: A.Type, _ v: UnsafePointer<Float>, _ ldv: Int, _ keys: Int, _ valueDim: Int,
    _ panels: UnsafeMutablePointer<Float>
) {
    typealias I = A.I
    var target = packedElements(panels)
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
                I.storeBF16Pairs(target + part * I.lanes, l, u)
            }
            target += I.panelWidth
            key += 2
        }
        column += I.panelWidth
    }
}

/// Computes the scores of `rows` query rows with the keys of `columns`, and others of the same panels, unscaled.
@export(implementation) @inline(__always)
func bf16Scores<A: BF16Arithmetic>(
    _: A.Type, q: UnsafePointer<UInt32>, scratch: UnsafeMutablePointer<Float>, layout: BF16AttentionScratch, rows: Int,
    columns: Range<Int>
) {
    var column = columns.lowerBound / A.I.panelWidth * A.I.panelWidth
    while column < columns.upperBound {
        A.multiply(
            PanelProduct(
                a: q, lda: layout.packedStride,
                b: packedElements(scratch + layout.keyPanels + column * layout.packedLength),
                out: scratch + layout.scores + column, ldOut: layout.stride, m: rows, columns: A.I.panelWidth,
                k: layout.packedLength))
        column += A.I.panelWidth
    }
}

/// Returns 2^t for t ≤ 0 within 1e-4 of the result, a twentieth of what rounding to bf16 may change. 0 below −126.
///
/// t = i + f with |f| ≤ ½, and a polynomial of degree 3 for 2^f, fitted by Tests/Reference/fit_exp2.py.
@export(implementation) @inline(__always)
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

/// Stores the exponentials of a row of scores as bf16, and returns the maximum of x and the sum, which they are
/// relative to. Zeros follow up to a whole vector.
@export(implementation) @inline(__always)
func bf16Exponentials<A: BF16Arithmetic>(
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
        A.storeBF16(out + i, e0)
        A.storeBF16(out + i + lanes, e1)
        sum0 = I.add(sum0, e0)
        sum1 = I.add(sum1, e1)
        i += 2 * lanes
    }
    while i < count {
        // The exponentials behind the end are 0, which an odd last key's pair needs.
        let rest = count - i
        let y = i < whole ? I.load(x + i) : I.load(x + i, count: rest, fill: -.infinity)
        let e = coarseExp2(I.self, I.fma(y, slope, offset))
        A.storeBF16(out + i, e)
        sum0 = I.add(sum0, e)
        i += lanes
    }
    return (maximum, I.sum(I.add(sum0, sum1)))
}

/// Runs `AttentionKernels.run` in bf16: queries, keys, values and weights are rounded to bf16; sums and softmax are
/// f32.
@export(implementation) @inline(__always)
public func bf16AttentionHead<A: BF16Arithmetic>(_: A.Type, _ h: AttentionArguments) {
    typealias I = A.I
    if h.queries <= 0 { return }
    let layout = BF16AttentionScratch(
        A.self, queries: h.queries, keys: h.keys, headDim: h.headDim, valueDim: h.valueDim)
    let pairs = (h.keys + 1) / 2
    let valuePanels = h.scratch + layout.valuePanels
    let queries = packedElements(h.scratch + layout.queries)
    let weights = packedElements(h.scratch + layout.weights)
    let scores = h.scratch + layout.scores
    let inverseSums = h.scratch + layout.inverseSums
    packBF16Keys(A.self, h.k, h.ldk, h.keys, h.headDim, h.scratch, layout)
    packBF16Values(A.self, h.v, h.ldv, h.keys, h.valueDim, valuePanels)

    var first = 0
    while first < h.queries {
        let rows = min(layout.block, h.queries - first)
        for r in 0..<rows {
            A.convertRow(h.q + (first + r) * h.ldq, h.headDim, queries + r * layout.packedStride, inverseSums)
        }
        // The pairs of keys that any of the rows sees.
        let seen = visibleColumns(h.span, h.position + first, rows, 0..<h.keys, keys: h.keys)
        let firstPair = seen.lowerBound / 2
        let pairsSeen = (seen.upperBound + 1) / 2 - firstPair
        bf16Scores(A.self, q: queries, scratch: h.scratch, layout: layout, rows: rows, columns: seen)
        for r in 0..<rows {
            let row = UnsafeMutableRawPointer(weights + r * (layout.stride / 2)).assumingMemoryBound(to: UInt16.self)
            let own = h.span.visible(h.position + first + r, keys: h.keys)
            let (maximum, sum) = bf16Exponentials(
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
                    b: packedElements(valuePanels + column * pairs + firstPair * I.panelWidth), out: out + column,
                    ldOut: h.ldOut, m: rows, columns: min(I.panelWidth, h.valueDim - column), k: pairsSeen))
            column += I.panelWidth
        }
        for r in 0..<rows { scaleRow(I.self, out + r * h.ldOut, h.valueDim, by: inverseSums[r]) }
        first += rows
    }
}

/// Runs `AttentionKernels.weights` in bf16, from the same scores and exponentials as `bf16AttentionHead`, before they
/// are rounded.
@export(implementation) @inline(__always)
public func bf16AttentionWeights<A: BF16Arithmetic>(_: A.Type, _ w: AttentionWeightsArguments) {
    typealias I = A.I
    if w.rowCount <= 0 { return }
    let layout = BF16AttentionScratch(A.self, queries: w.rowCount, keys: w.keys, headDim: w.headDim, valueDim: 0)
    let queries = packedElements(w.scratch + layout.queries)
    packBF16Keys(A.self, w.k, w.ldk, w.keys, w.headDim, w.scratch, layout)
    let slope = I.splat(binaryScale(w.scale))

    var first = 0
    while first < w.rowCount {
        let rows = min(layout.block, w.rowCount - first)
        for r in 0..<rows {
            A.convertRow(
                w.q + Int(w.rows[first + r]) * w.ldq, w.headDim, queries + r * layout.packedStride,
                w.scratch + layout.inverseSums)
        }
        bf16Scores(A.self, q: queries, scratch: w.scratch, layout: layout, rows: rows, columns: 0..<w.keys)
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
