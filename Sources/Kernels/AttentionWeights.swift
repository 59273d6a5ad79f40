/// `KernelTable.attentionWeights`.
///
/// The scores are bit for bit those of `attention`, and so are the exponentials where all keys were one block; where they
/// were more, the pass formed them from the maximum so far and scaled them down later.
@inlinable @inline(__always)
public func rebuildWeights<I: Instructions>(_: I.Type, _ w: AttentionWeightsArguments) {
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
                let seen = part(w.span.visible(w.position + query, keys: w.keys), of: block)
                columns = cover(columns, seen)
                (queries + r * w.headDim).update(from: w.q + query * w.ldq, count: w.headDim)
            }
            I.scores(
                ScoreProduct(
                    q: queries, ldq: w.headDim, keyPanels: keyPanels, scores: scores, stride: layout.stride,
                    rows: rows, columns: columns, headDim: w.headDim))
            for r in 0..<rows {
                let query = Int(w.rows[first + r])
                let seen = part(w.span.visible(w.position + query, keys: w.keys), of: block)
                let out = w.out + (first + r) * w.keys + key
                out.update(repeating: 0, count: seen.lowerBound)
                if let modifier = w.modifier {
                    applyTerms(
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

@inlinable @inline(__always)
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
