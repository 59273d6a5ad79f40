/// A block of rows of a dense layer, to be multiplied with all its panels.
public struct DenseRowBlock<A: Arithmetic> {
    public typealias I = A.I
    @usableFromInline let layer: DenseArguments
    @usableFromInline let a: UnsafePointer<A.PackedElement>
    @usableFromInline let lda: Int
    @usableFromInline let b: UnsafePointer<A.PackedElement>
    @usableFromInline let scales: ProductScales?
    /// The length of a row in packed elements.
    @usableFromInline let k: Int
    /// The number of packed elements that are summed in registers before they are added to the output.
    @usableFromInline let kBlock: Int
    /// The first row of the layer's output.
    @usableFromInline let row: Int
    @usableFromInline let rows: Int

    @export(implementation) @inline(__always)
    init(
        layer: DenseArguments, a: UnsafePointer<A.PackedElement>, lda: Int, b: UnsafePointer<A.PackedElement>,
        scales: ProductScales?, k: Int, kBlock: Int, row: Int, rows: Int
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

    /// Multiplies and finishes the block as the layer asks for.
    @export(implementation) @inline(__always)
    func run() {
        if let gated = layer.gated {
            multiplyGated(gated)
        } else if layer.residual != nil, layer.activation != .identity {
            multiplyAndActivate()
        } else {
            multiply()
        }
    }

    /// Returns the scales from a row of the block and a column of the layer on. `nil` if the sums are floats.
    @export(implementation) @inline(__always)
    func scales(row: Int = 0, column: Int) -> ProductScales? {
        A.isQuantized ? scales.map { $0.advanced(row: row, column: column) } : nil
    }

    /// Multiplies and finishes all columns.
    @export(implementation) @inline(__always)
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
                let prefetchOffset = last && column + block >= end ? -((column - first) * k + p * width) : depth * width
                A.multiply(
                    PanelProduct(
                        a: a + p, lda: lda, b: b + column * k + p * width, panelStride: k * width,
                        scales: scales(column: column),
                        bias: p == 0 ? d.bias.map { $0 + column } : nil,
                        residual: p == 0 ? d.residual.map { $0 + row * d.ldResidual + column } : nil,
                        ldResidual: d.ldResidual, accumulate: p > 0, out: d.out + row * d.ldOut + column,
                        ldOut: d.ldOut, m: rows, columns: columns, k: depth,
                        activation: last ? d.activation : .identity, prefetchOffset: prefetchOffset))
                p += depth
            } while p < k
            column += block
        }
    }

    /// Multiplies and finishes tiles in a buffer of their own: a residual is added after the activation and may lie in
    /// `out`.
    @export(implementation) @inline(__always)
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
                            scales: scales(row: first, column: column), bias: d.bias.map { $0 + column }, out: tile,
                            ldOut: width, m: count, columns: columns, k: k, activation: d.activation))
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

    /// Multiplies a gated layer. One vector of each tile is the gate's, the other the up projection's. They meet in a
    /// buffer, and their product goes to the output.
    @export(implementation) @inline(__always)
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
                    A.multiply(
                        PanelProduct(
                            a: a + first * lda, lda: lda, b: b + column * k,
                            scales: scales(row: first, column: column), bias: d.bias.map { $0 + column }, out: tile,
                            ldOut: width, m: count, columns: width, k: k))
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
