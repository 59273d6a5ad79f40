public import CIntrinsics

/// `KernelTable.pack`.
@inlinable @inline(__always)
public func packPanels<I: Instructions>(
    _: I.Type, _ w: UnsafePointer<Float>, _ ldw: Int, _ n: Int, _ k: Int, _ packed: UnsafeMutablePointer<Float>
) {
    let width = I.panelWidth
    var column = 0
    var panel = packed
    while column < n {
        let columns = min(width, n - column)
        if columns < width { panel.update(repeating: 0, count: k * width) }
        var j = 0
        while j + 4 <= columns {
            let rows = w + (column + j) * ldw
            var i = 0
            while i + 4 <= k {
                encoderd_transpose4(rows + i, ldw, panel + i * width + j, width)
                i += 4
            }
            while i < k {
                for r in 0..<4 { panel[i * width + j + r] = rows[r * ldw + i] }
                i += 1
            }
            j += 4
        }
        while j < columns {
            let row = w + (column + j) * ldw
            for i in 0..<k { panel[i * width + j] = row[i] }
            j += 1
        }
        panel += k * width
        column += width
    }
}

/// `KernelTable.dense`: blocks of m, so that their part of `a` stays in the second-level cache; then panels; then blocks
/// of k, so that a panel's part stays in the first; then tiles of rows (Goto & van de Geijn 2008, without packing `a`:
/// its rows are read a float at a time, from few streams).
///
/// The blocks of k are short for exactness: each is summed in registers on its own and then added to the output. Against
/// chains of 384 additions, 192 nearly halve the error of MiniLM's weight maps on short texts (1.3e-6 to 0.8e-6) and cost
/// 2 % of its speed; 128 bring no more and cost 5 % (Zen 4).
@inlinable @inline(__always)
public func denseLayer<I: Instructions>(_: I.Type, _ d: Dense) {
    let width = I.panelWidth
    if d.residual != nil, d.activation != .identity {
        denseActivatedResidual(I.self, d)
        return
    }
    let kBlock = blockLength(d.k, limit: 192)
    let mLimit = max(4 * I.tileRows, (160 << 10) / max(1, d.k) / I.tileRows * I.tileRows)
    let mBlock = blockLength(d.m, limit: mLimit)
    // One row goes through four panels at once, see `multiplyRow`.
    let columnBlock = d.m == 1 && d.n >= 4 * width ? 4 * width : width
    var row = 0
    while row < d.m {
        let rows = min(mBlock, d.m - row)
        var column = 0
        while column < d.n {
            // What is left of a group of four goes panel by panel.
            let block = d.n - column >= columnBlock ? columnBlock : width
            let columns = min(block, d.n - column)
            var p = 0
            repeat {
                let depth = min(kBlock, d.k - p)
                let last = p + depth == d.k
                // Panels and their blocks lie one behind the other, but the next block of rows begins again.
                let ahead = last && column + block >= d.n ? -(column * d.k + p * width) : depth * width
                I.multiply(
                    PanelProduct(
                        a: d.a + row * d.lda + p, lda: d.lda, b: d.packed + column * d.k + p * width,
                        panelStride: d.k * width, bias: p == 0 ? d.bias.map { $0 + column } : nil,
                        residual: p == 0 ? d.residual.map { $0 + row * d.ldResidual + column } : nil,
                        ldResidual: d.ldResidual, accumulate: p > 0,
                        out: d.out + row * d.ldOut + column, ldOut: d.ldOut, m: rows, columns: columns, k: depth,
                        activation: last ? d.activation : .identity, ahead: ahead))
                p += depth
            } while p < d.k
            column += block
        }
        row += rows
    }
}

/// The length of blocks of nearly equal length, each at most `limit`, that cover `count`.
@inlinable @inline(__always)
func blockLength(_ count: Int, limit: Int) -> Int {
    let blocks = max(1, (count + limit - 1) / limit)
    return max(1, (count + blocks - 1) / blocks)
}

/// A residual is added after the activation and may lie in `out`: tiles are finished in a buffer of their own.
@inlinable @inline(__always)
func denseActivatedResidual<I: Instructions>(_: I.Type, _ d: Dense) {
    let width = I.panelWidth
    // 1 KB at most: a larger temporary buffer would come from the heap.
    let rowsAtOnce = min(8, I.tileRows)
    withUnsafeTemporaryAllocation(of: Float.self, capacity: rowsAtOnce * width) { buffer in
        guard let tile = buffer.baseAddress, let residual = d.residual else { return }
        var column = 0
        while column < d.n {
            let columns = min(width, d.n - column)
            var row = 0
            while row < d.m {
                let rows = min(rowsAtOnce, d.m - row)
                I.multiply(
                    PanelProduct(
                        a: d.a + row * d.lda, lda: d.lda, b: d.packed + column * d.k,
                        bias: d.bias.map { $0 + column }, out: tile, ldOut: width, m: rows, columns: columns, k: d.k))
                I.activate(d.activation, tile, rows: rows, width: columns, pitch: width)
                for r in 0..<rows {
                    let target = d.out + (row + r) * d.ldOut + column
                    let source = residual + (row + r) * d.ldResidual + column
                    for j in 0..<columns { target[j] = source[j] + tile[r * width + j] }
                }
                row += rows
            }
            column += width
        }
    }
}
