/// Runs `AttentionKernels.run` in f32: softmax(scale · Q Kᵀ) V.
///
/// A block of keys is packed and meets all queries that see some of it, a tile of rows at a time, whose scores stay in
/// the first-level cache. `out` holds the values so far.
@export(implementation) @inline(__always)
public func f32AttentionHead<I: OutOfLineAttention>(_: I.Type, _ h: AttentionArguments) {
    if h.queries <= 0 { return }
    let layout = AttentionScratch(
        I.self, queries: h.queries, keys: h.keys, headDim: h.headDim, valueDim: h.valueDim)
    let statistics = h.statistics ?? h.scratch + layout.statistics
    for r in 0..<h.queries {
        statistics[2 * r] = -.infinity
        statistics[2 * r + 1] = 0
    }
    let isWhole = h.keys <= layout.keyBlock && h.span == .all
    if !isWhole {
        for r in 0..<h.queries { (h.out + r * h.ldOut).update(repeating: 0, count: h.valueDim) }
    }

    var key = 0
    while key < h.keys {
        let block = key..<min(h.keys, key + layout.keyBlock)
        I.packKeys(h.k + key * h.ldk, h.ldk, block.count, h.headDim, h.scratch + layout.keyPanels)
        packValues(I.self, h.v + key * h.ldv, h.ldv, block.count, h.valueDim, h.scratch + layout.valuePanels)
        let seeing = h.span.queries(seeing: block, count: h.queries, position: h.position)
        var first = seeing.lowerBound
        while first < seeing.upperBound {
            let rows = min(layout.rowBlock, seeing.upperBound - first)
            I.attend(
                AttentionBlock(
                    head: h, layout: layout, statistics: statistics, block: block, queries: first..<first + rows,
                    isWhole: isWhole))
            first += rows
        }
        key += layout.keyBlock
    }
    if !isWhole {
        for r in 0..<h.queries { scaleRow(I.self, h.out + r * h.ldOut, h.valueDim, by: 1 / statistics[2 * r + 1]) }
    }
}

/// A tile of queries and a packed block of keys that it meets.
public struct AttentionBlock {
    @usableFromInline let head: AttentionArguments
    @usableFromInline let layout: AttentionScratch
    @usableFromInline let statistics: UnsafeMutablePointer<Float>
    /// The keys of the block.
    @usableFromInline let block: Range<Int>
    /// The queries of the tile.
    @usableFromInline let queries: Range<Int>
    /// Whether the block holds all keys that the queries see, so that there are no earlier values to add to.
    @usableFromInline let isWhole: Bool

    @export(implementation) @inline(__always)
    init(
        head: AttentionArguments, layout: AttentionScratch, statistics: UnsafeMutablePointer<Float>, block: Range<Int>,
        queries: Range<Int>, isWhole: Bool
    ) {
        self.head = head
        self.layout = layout
        self.statistics = statistics
        self.block = block
        self.queries = queries
        self.isWhole = isWhole
    }
}

/// Adds what one block of keys contributes to the output of one tile of queries.
@export(implementation) @inline(__always)
public func attendBlock<I: OutOfLineAttention>(_: I.Type, _ task: AttentionBlock) {
    let h = task.head
    let layout = task.layout
    let statistics = task.statistics
    let block = task.block
    let queries = task.queries
    let isWhole = task.isWhole
    let scores = h.scratch + layout.scores
    let binary = binaryScale(h.modifier == nil ? h.scale : 1)
    let position = h.position + queries.lowerBound
    // The keys of the block that any of the rows sees.
    let columns = visibleColumns(h.span, position, queries.count, block, keys: h.keys)
    for r in queries.upperBound..<min(h.queries, queries.upperBound + queries.count) {
        fetchRow(I.self, h.q + r * h.ldq, h.headDim)
    }
    I.scores(
        ScoreProduct(
            q: h.q + queries.lowerBound * h.ldq, ldq: h.ldq, keyPanels: h.scratch + layout.keyPanels,
            scores: scores, stride: layout.stride, rows: queries.count, columns: columns, headDim: h.headDim))
    if let modifier = h.modifier {
        for r in 0..<queries.count {
            let seen = offsets(of: h.span.visible(position + r, keys: h.keys), in: block)
            applyModifier(
                I.self, modifier, query: queries.lowerBound + r, key: block.lowerBound + seen.lowerBound,
                scores + r * layout.stride + seen.lowerBound, seen.count, scale: h.scale)
        }
    }
    let keep = h.scratch + layout.keep
    let factor = h.scratch + layout.factor
    // All maxima before all exponentials, which wait for the maximum of their row.
    for r in 0..<queries.count {
        let seen = offsets(of: h.span.visible(position + r, keys: h.keys), in: block)
        keep[r] = maximumOf(I.self, scores + r * layout.stride + seen.lowerBound, seen.count)
    }
    for r in 0..<queries.count {
        let row = scores + r * layout.stride
        let seen = offsets(of: h.span.visible(position + r, keys: h.keys), in: block)
        let state = statistics + 2 * (queries.lowerBound + r)
        let before = state[0]
        let maximum = before < keep[r] ? keep[r] : before
        // Where all scores so far are −inf, their exponentials are 0, not NaN.
        let shift = maximum == -.infinity ? 0 : maximum
        let sum = exponentials(I.self, row + seen.lowerBound, seen.count, shift: shift, factor: binary)
        state[0] = maximum
        if isWhole {
            state[1] = sum
            factor[r] = 1 / sum
        } else {
            (row + columns.lowerBound).update(repeating: 0, count: seen.lowerBound - columns.lowerBound)
            (row + seen.upperBound).update(repeating: 0, count: columns.upperBound - seen.upperBound)
            let power = exponential(I.self, I.splat(before), I.splat(shift), I.splat(binary))
            keep[r] = before == -.infinity ? 0 : I.maximum(power)
            state[1] = state[1] * keep[r] + sum
            factor[r] = 1
        }
    }
    I.values(
        ValueProduct(
            weights: scores + columns.lowerBound, stride: layout.stride,
            panels: h.scratch + layout.valuePanels + columns.lowerBound * I.panelWidth,
            panelStride: block.count * I.panelWidth, keep: isWhole ? nil : UnsafePointer(keep), factor: factor,
            out: h.out + queries.lowerBound * h.ldOut, ldOut: h.ldOut, rows: queries.count, keys: columns.count,
            valueDim: h.valueDim))
}

/// Applies `modifier` in place to the scores of a query with `count` keys, the first of which is `key`.
@export(implementation) @inline(__always)
func applyModifier<I: Instructions>(
    _: I.Type, _ modifier: ScoreModifier, query: Int, key: Int, _ scores: UnsafeMutablePointer<Float>, _ count: Int,
    scale: Float
) {
    let factor = I.splat(modifier.cap > 0 ? scale / modifier.cap : scale)
    let cap = I.splat(modifier.cap)
    let bias = modifier.bias.map { $0 + query * modifier.biasStride + key }
    var j = 0
    while j < count {
        let left = count - j
        let s = left >= I.lanes ? I.load(scores + j) : I.load(scores + j, count: left, fill: 0)
        var x = I.mul(s, factor)
        if modifier.cap > 0 { x = I.mul(cap, VectorMath<I>.tanh(x)) }
        if let bias {
            x = I.add(x, left >= I.lanes ? I.load(bias + j) : I.load(bias + j, count: left, fill: 0))
        }
        if left >= I.lanes { I.store(scores + j, x) } else { I.store(scores + j, count: left, x) }
        j += I.lanes
    }
}

/// Returns the keys that lie in `block`, counted from its beginning. The range is empty, but within the block, if none
/// does.
@export(implementation) @inline(__always)
func offsets(of keys: Range<Int>, in block: Range<Int>) -> Range<Int> {
    let first = min(max(keys.lowerBound, block.lowerBound), block.upperBound)
    let end = max(first, min(keys.upperBound, block.upperBound))
    return first - block.lowerBound..<end - block.lowerBound
}

/// Returns the smallest range that holds both. An empty range is ignored.
@export(implementation) @inline(__always)
func hull(_ a: Range<Int>, _ b: Range<Int>) -> Range<Int> {
    if a.isEmpty { return b }
    if b.isEmpty { return a }
    return min(a.lowerBound, b.lowerBound)..<max(a.upperBound, b.upperBound)
}

/// Returns the keys of `block` that any of `count` queries from `position` on sees, counted from the block's beginning.
@export(implementation) @inline(__always)
func visibleColumns(_ span: AttentionSpan, _ position: Int, _ count: Int, _ block: Range<Int>, keys: Int) -> Range<Int>
{
    let first = span.visible(position, keys: keys)
    let last = span.visible(position + count - 1, keys: keys)
    return offsets(of: first.lowerBound..<last.upperBound, in: block)
}

/// Packs the keys [keys, headDim], rows `ldk` floats apart, into panels as `packPanels` does. The rows of each panel
/// are prefetched while the one before is packed: in a joined QKV matrix they are a page apart, which no hardware
/// foresees.
@export(implementation) @inline(__always)
public func packKeyRows<I: Instructions>(
    _: I.Type, _ k: UnsafePointer<Float>, _ ldk: Int, _ keys: Int, _ headDim: Int, _ panels: UnsafeMutablePointer<Float>
) {
    var key = 0
    while key < keys {
        let next = key + I.panelWidth
        for row in next..<max(next, min(keys, next + I.panelWidth)) { fetchRow(I.self, k + row * ldk, headDim) }
        packPanels(I.self, k + key * ldk, ldk, min(I.panelWidth, keys - key), headDim, panels + key * headDim)
        key = next
    }
}

/// Prefetches a row of `count` floats.
@export(implementation) @inline(__always)
func fetchRow<I: Instructions>(_: I.Type, _ x: UnsafePointer<Float>, _ count: Int) {
    var i = 0
    while i < count {
        I.prefetch(x + i)
        i += 16
    }
}

/// Packs the values [keys, valueDim], rows `ldv` floats apart, into panels of `width` columns, the last filled with
/// zeros. Rows in place would be a page apart in a joined QKV matrix, and every tile of queries reads them all again.
@export(implementation) @inline(__always)
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
        for key in 0..<keys {
            if key + 16 < keys {
                I.prefetch(source + 16 * ldv)
                if left1 > 0 { I.prefetch(source + 16 * ldv + I.lanes) }
            }
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
