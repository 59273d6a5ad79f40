import CIntrinsics

/// Where the parts of the scratch of `attention` and `attentionWeights` lie, in floats. It grows with the keys, never
/// with queries × keys.
public struct AttentionScratch {
    /// Kᵀ in panels, [⌈keys / width⌉, headDim, width].
    @inlinable @inline(__always) public var keyPanels: Int { 0 }
    /// V in panels, [⌈valueDim / width⌉, keys, width].
    public let valuePanels: Int
    /// [block, pitch]: one block of query rows against all keys.
    public let scores: Int
    /// [block, headDim]: query rows gathered from anywhere.
    public let queries: Int
    /// [block]: one over the sum of each row.
    public let inverseSums: Int
    public let total: Int
    /// Floats from one row of scores to the next: whole panels.
    public let pitch: Int
    /// Query rows that go through scores, softmax and values together.
    public let block: Int

    @inlinable @inline(__always)
    public init<I: Instructions>(_: I.Type, queries count: Int, keys: Int, headDim: Int, valueDim: Int) {
        let width = I.panelWidth
        pitch = roundUp(keys, to: width)
        // Two tiles of rows: at 512 keys their scores take 96 KB at most.
        block = min(2 * I.tileRows, roundUp(max(count, 1), to: I.tileRows))
        valuePanels = pitch * headDim
        scores = valuePanels + roundUp(keys * roundUp(valueDim, to: width), to: 16)
        queries = scores + roundUp(block * pitch, to: 16)
        inverseSums = queries + roundUp(block * headDim, to: 16)
        total = inverseSums + roundUp(block, to: 16)
    }
}

/// Scores of `rows` query rows against all keys, `scores[r, j] = q_r · k_j`, unscaled.
///
/// Both `attention` and `attentionWeights` come here, and a row's sums do not depend on its neighbours, so weights are
/// rebuilt from bit-identical scores.
@inlinable @inline(__always)
func attentionScores<I: Instructions>(
    _: I.Type, q: UnsafePointer<Float>, ldq: Int, keyPanels: UnsafePointer<Float>, scores: UnsafeMutablePointer<Float>,
    pitch: Int, rows: Int, headDim: Int
) {
    var column = 0
    while column < pitch {
        I.multiply(
            PanelProduct(
                a: q, lda: ldq, b: keyPanels + column * headDim, out: scores + column, ldOut: pitch, m: rows,
                columns: I.panelWidth, k: headDim))
        column += I.panelWidth
    }
}

/// `KernelTable.attention`: softmax(scale · Q Kᵀ) V, a block of query rows at a time.
@inlinable @inline(__always)
public func attentionHead<I: Instructions>(_: I.Type, _ h: AttentionHead) {
    if h.queries <= 0 { return }
    let width = I.panelWidth
    let layout = AttentionScratch(
        I.self, queries: h.queries, keys: h.keys, headDim: h.headDim, valueDim: h.valueDim)
    let pitch = layout.pitch
    let keyPanels = h.scratch + layout.keyPanels
    let valuePanels = h.scratch + layout.valuePanels
    let scores = h.scratch + layout.scores
    let inverseSums = h.scratch + layout.inverseSums
    packPanels(I.self, h.k, h.ldk, h.keys, h.headDim, keyPanels)
    packValues(I.self, h.v, h.ldv, h.keys, h.valueDim, valuePanels)

    var first = 0
    while first < h.queries {
        let rows = min(layout.block, h.queries - first)
        attentionScores(
            I.self, q: h.q + first * h.ldq, ldq: h.ldq, keyPanels: keyPanels, scores: scores, pitch: pitch, rows: rows,
            headDim: h.headDim)
        for r in 0..<rows {
            let (maximum, sum) = exponentials(I.self, scores + r * pitch, h.keys, scale: h.scale)
            inverseSums[r] = 1 / sum
            if let statistics = h.statistics {
                statistics[2 * (first + r)] = maximum
                statistics[2 * (first + r) + 1] = sum
            }
        }
        let out = h.out + first * h.ldOut
        var column = 0
        while column < h.valueDim {
            I.multiply(
                PanelProduct(
                    a: scores, lda: pitch, b: valuePanels + column * h.keys, out: out + column, ldOut: h.ldOut, m: rows,
                    columns: min(width, h.valueDim - column), k: h.keys))
            column += width
        }
        for r in 0..<rows { scaleRow(I.self, out + r * h.ldOut, h.valueDim, by: inverseSums[r]) }
        first += rows
    }
}

/// `KernelTable.attentionWeights`.
///
/// Bit for bit the exponentials of `attention` times one over the same sum.
@inlinable @inline(__always)
public func rebuildWeights<I: Instructions>(_: I.Type, _ w: AttentionWeights) {
    if w.rowCount <= 0 { return }
    let layout = AttentionScratch(I.self, queries: w.rowCount, keys: w.keys, headDim: w.headDim, valueDim: 0)
    let pitch = layout.pitch
    let keyPanels = w.scratch + layout.keyPanels
    let scores = w.scratch + layout.scores
    let queries = w.scratch + layout.queries
    packPanels(I.self, w.k, w.ldk, w.keys, w.headDim, keyPanels)
    let scale = I.splat(w.scale)

    var first = 0
    while first < w.rowCount {
        let rows = min(layout.block, w.rowCount - first)
        for r in 0..<rows {
            let source = w.q + Int(w.rows[first + r]) * w.ldq
            for i in 0..<w.headDim { queries[r * w.headDim + i] = source[i] }
        }
        attentionScores(
            I.self, q: queries, ldq: w.headDim, keyPanels: keyPanels, scores: scores, pitch: pitch, rows: rows,
            headDim: w.headDim)
        for r in 0..<rows {
            let statistics = w.statistics + 2 * Int(w.rows[first + r])
            let maximum = I.splat(statistics[0])
            let inverse = I.splat(1 / statistics[1])
            let row = scores + r * pitch
            let out = w.out + (first + r) * w.keys
            var j = 0
            while j < w.keys {
                let e = exponential(I.self, I.load(row + j), scale, maximum)
                let weight = I.mul(e, inverse)
                if j + I.lanes <= w.keys {
                    I.store(out + j, weight)
                } else {
                    I.store(out + j, count: w.keys - j, weight)
                }
                j += I.lanes
            }
        }
        first += rows
    }
}

/// V [keys, valueDim] into panels of `width` columns, the last filled with zeros. Rows in place would be a page apart in
/// a packed QKV matrix, and every tile of queries reads them all again.
@inlinable @inline(__always)
func packValues<I: Instructions>(
    _: I.Type, _ v: UnsafePointer<Float>, _ ldv: Int, _ keys: Int, _ valueDim: Int,
    _ panels: UnsafeMutablePointer<Float>
) {
    var target = panels
    var column = 0
    while column < valueDim {
        let left0 = valueDim - column
        let left1 = left0 - I.lanes
        var source = v + column
        for _ in 0..<keys {
            let v0 = left0 >= I.lanes ? I.load(source) : I.load(source, count: left0, fill: 0)
            var v1 = I.splat(0)
            if left1 >= I.lanes {
                v1 = I.load(source + I.lanes)
            } else if left1 > 0 {
                v1 = I.load(source + I.lanes, count: left1, fill: 0)
            }
            I.store(target, v0)
            I.store(target + I.lanes, v1)
            source += ldv
            target += I.panelWidth
        }
        column += I.panelWidth
    }
}

@inlinable @inline(__always)
func scaleRow<I: Instructions>(_: I.Type, _ x: UnsafeMutablePointer<Float>, _ count: Int, by factor: Float) {
    let f = I.splat(factor)
    var i = 0
    while i + I.lanes <= count {
        I.store(x + i, I.mul(I.load(x + i), f))
        i += I.lanes
    }
    if i < count { I.store(x + i, count: count - i, I.mul(I.load(x + i, count: count - i, fill: 0), f)) }
}
