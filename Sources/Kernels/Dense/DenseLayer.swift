/// Runs `DenseKernels.run` in f32.
///
/// The loops run, from the outside, over blocks of m, panels, blocks of k and tiles of rows. A block's part of `a` stays
/// in the second-level cache, and its part of a panel in the first-level cache. This is the order of Goto & van de Geijn
/// 2008, but `a` is not packed: its rows are read a float at a time, from few streams.
///
/// The blocks of k are short for accuracy: each is summed in registers on its own and then added to the output.
/// Compared with chains of 384 additions, chains of 192 nearly halve the error of MiniLM's weight maps on short texts
/// (1.3e-6 to 0.8e-6) and cost 2 % of its speed. Chains of 128 bring no more and cost 5 % (Zen 4).
@export(implementation) @inline(__always)
public func denseLayer<I: OutOfLineDense>(_: I.Type, _ d: DenseArguments) {
    let panels = d.packed.assumingMemoryBound(to: Float.self)
    let mLimit = max(4 * I.tileRows, d.cacheBytes * 5 / 32 / max(1, d.k) / I.tileRows * I.tileRows)
    let mBlock = blockLength(d.m, limit: mLimit)
    var row = 0
    while row < d.m {
        let rows = min(mBlock, d.m - row)
        DenseRowBlock<F32Arithmetic<I>>(
            layer: d, a: d.a + row * d.lda, lda: d.lda, b: panels, scales: nil, k: d.k,
            kBlock: blockLength(d.k, limit: d.k <= 256 ? 256 : 192), row: row, rows: rows
        ).run()
        row += rows
    }
}

/// Runs `DenseKernels.run` in bf16 or int8. Blocks of rows are converted to packed elements, and each is multiplied
/// with all panels over all of k, so that sums in registers meet memory once.
@export(implementation) @inline(__always)
public func densePacked<A: PackedArithmetic>(_: A.Type, _ d: DenseArguments) {
    typealias I = A.I
    guard let scratch = d.scratch else { return }
    let block = A.blockRows(d.m, d.k)
    let stride = A.packedStride(d.k)
    let length = A.packedLength(d.k)
    let rowScales = scratch
    let a = UnsafeMutableRawPointer(scratch + roundUp(2 * block, to: 16)).assumingMemoryBound(to: UInt32.self)
    let panels = d.packed.assumingMemoryBound(to: UInt32.self)
    let columns = (d.packed + 4 * roundUp(d.n, to: I.panelWidth) * length).assumingMemoryBound(to: Float.self)
    let scales = ProductScales(
        rows: rowScales, columns: columns, columnSums: columns + roundUp(d.n, to: I.panelWidth))
    var row = 0
    while row < d.m {
        let rows = min(block, d.m - row)
        for r in 0..<rows {
            A.convertRow(d.a + (row + r) * d.lda, d.k, a + r * stride, rowScales + 2 * r)
        }
        DenseRowBlock<A>(
            layer: d, a: a, lda: stride, b: panels, scales: A.isQuantized ? scales : nil, k: length, kBlock: length,
            row: row, rows: rows
        ).run()
        row += rows
    }
}

/// Returns the length of blocks of nearly equal length, each at most `limit`, that cover `count`.
@export(implementation) @inline(__always)
func blockLength(_ count: Int, limit: Int) -> Int {
    let blocks = max(1, (count + limit - 1) / limit)
    return max(1, (count + blocks - 1) / blocks)
}
