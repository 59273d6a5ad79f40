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
public func denseLayer<I: Instructions>(_: I.Type, _ d: DenseArguments) {
    let panels = d.packed.assumingMemoryBound(to: Float.self)
    let activatesResidual = d.residual != nil && d.activation != .identity
    let mLimit = max(4 * I.tileRows, d.cacheBytes * 5 / 32 / max(1, d.k) / I.tileRows * I.tileRows)
    let mBlock = blockLength(d.m, limit: mLimit)
    var row = 0
    while row < d.m {
        let rows = min(mBlock, d.m - row)
        let part = DensePart<F32Arithmetic<I>>(
            layer: d, a: d.a + row * d.lda, lda: d.lda, b: panels, scales: nil, k: d.k,
            kBlock: blockLength(d.k, limit: d.k <= 256 ? 256 : 192), row: row, rows: rows)
        if let gated = d.gated {
            part.multiplyGated(gated)
        } else if activatesResidual {
            part.multiplyAndActivate()
        } else {
            part.multiply()
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

/// Some rows of a dense layer against all its panels.
public struct DensePart<A: Arithmetic> {
    public typealias I = A.I
    @usableFromInline let layer: DenseArguments
    /// [rows, k] words, rows `lda` words apart, and the packed panels.
    @usableFromInline let a: UnsafePointer<A.Word>
    @usableFromInline let lda: Int
    @usableFromInline let b: UnsafePointer<A.Word>
    @usableFromInline let scales: ProductScales?
    @usableFromInline let k: Int
    /// Words of k that are summed in registers before they are added to the output.
    @usableFromInline let kBlock: Int
    /// The first row of the layer's output.
    @usableFromInline let row: Int
    @usableFromInline let rows: Int

    @inlinable @inline(__always)
    init(
        layer: DenseArguments, a: UnsafePointer<A.Word>, lda: Int, b: UnsafePointer<A.Word>, scales: ProductScales?,
        k: Int,
        kBlock: Int, row: Int, rows: Int
    ) {
        self.layer = layer
        self.a = a
        self.lda = lda
        self.b = b
        self.scales = scales
        self.k = k
        self.kBlock = kBlock
        self.row = row
        self.rows = rows
    }

    @inlinable @inline(__always)
    func scales(_ column: Int) -> ProductScales? {
        scales.map { ProductScales(rows: $0.rows, columns: $0.columns + column, columnSums: $0.columnSums + column) }
    }

    @inlinable @inline(__always)
    func multiply() {
        let d = layer
        let width = I.panelWidth
        // One row goes through four panels at once, see `multiplyOneRow`.
        let (first, end) = (d.columns.lowerBound, d.columns.upperBound)
        let columnBlock = rows == 1 && end - first >= 4 * width ? 4 * width : width
        var column = first
        while column < end {
            // What is left of a group of four goes panel by panel.
            let block = end - column >= columnBlock ? columnBlock : width
            let columns = min(block, end - column)
            var p = 0
            repeat {
                let depth = min(kBlock, k - p)
                let last = p + depth == k
                // Panels and their blocks lie one behind the other, but the next block of rows begins again.
                let ahead = last && column + block >= end ? -((column - first) * k + p * width) : depth * width
                A.multiply(
                    PanelProduct(
                        a: a + p, lda: lda, b: b + column * k + p * width, panelStride: k * width,
                        scales: A.isQuantized ? scales(column) : nil,
                        bias: p == 0 ? d.bias.map { $0 + column } : nil,
                        residual: p == 0 ? d.residual.map { $0 + row * d.ldResidual + column } : nil,
                        ldResidual: d.ldResidual, accumulate: p > 0, out: d.out + row * d.ldOut + column,
                        ldOut: d.ldOut, m: rows, columns: columns, k: depth,
                        activation: last ? d.activation : .identity, ahead: ahead))
                p += depth
            } while p < k
            column += block
        }
    }

    /// A residual is added after the activation and may lie in `out`: tiles are finished in a buffer of their own.
    @inlinable @inline(__always)
    func multiplyAndActivate() {
        let d = layer
        let width = I.panelWidth
        // 1 KB at most: a larger temporary buffer would come from the heap.
        let rowsAtOnce = min(8, I.tileRows)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: rowsAtOnce * width) { buffer in
            guard let tile = buffer.baseAddress, let residual = d.residual else { return }
            var column = d.columns.lowerBound
            while column < d.columns.upperBound {
                let columns = min(width, d.columns.upperBound - column)
                var first = 0
                while first < rows {
                    let count = min(rowsAtOnce, rows - first)
                    A.multiply(
                        PanelProduct(
                            a: a + first * lda, lda: lda, b: b + column * k,
                            scales: A.isQuantized
                                ? scales(column).map {
                                    ProductScales(
                                        rows: $0.rows + 2 * first, columns: $0.columns, columnSums: $0.columnSums)
                                } : nil,
                            bias: d.bias.map { $0 + column }, out: tile, ldOut: width, m: count, columns: columns,
                            k: k, activation: d.activation))
                    for r in 0..<count {
                        let target = d.out + (row + first + r) * d.ldOut + column
                        let source = residual + (row + first + r) * d.ldResidual + column
                        for j in 0..<columns { target[j] = source[j] + tile[r * width + j] }
                    }
                    first += count
                }
                column += width
            }
        }
    }

    /// One vector of each tile is the gate's, the other the up projection's: both meet in a buffer, and their product goes
    /// to the output.
    @inlinable @inline(__always)
    func multiplyGated(_ outputs: Int) {
        let d = layer
        let width = I.panelWidth
        let rowsAtOnce = min(8, I.tileRows)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: rowsAtOnce * width) { buffer in
            guard let tile = buffer.baseAddress else { return }
            var column = d.columns.lowerBound
            while column < d.columns.upperBound {
                let target = d.out + row * d.ldOut + column / 2
                let columns = min(I.lanes, outputs - column / 2)
                var first = 0
                while first < rows {
                    let count = min(rowsAtOnce, rows - first)
                    var scales = A.isQuantized ? scales(column) : nil
                    if let all = scales {
                        scales = ProductScales(
                            rows: all.rows + 2 * first, columns: all.columns, columnSums: all.columnSums)
                    }
                    A.multiply(
                        PanelProduct(
                            a: a + first * lda, lda: lda, b: b + column * k, scales: scales,
                            bias: d.bias.map { $0 + column }, out: tile, ldOut: width, m: count, columns: width, k: k))
                    I.activate(
                        d.activation, tile, rows: count, width: I.lanes, stride: width, isCoarse: A.depth > 1)
                    for r in 0..<count {
                        let v = I.mul(I.load(tile + r * width), I.load(tile + r * width + I.lanes))
                        let out = target + (first + r) * d.ldOut
                        if columns == I.lanes { I.store(out, v) } else { I.store(out, count: columns, v) }
                    }
                    first += count
                }
                column += width
            }
        }
    }
}
