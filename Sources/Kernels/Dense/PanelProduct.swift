/// The arguments of one panel of a matrix product, `out[m, columns] (+)= a[m, k] · b[k, width] (+ bias) (+ residual)`.
///
/// Both factors are packed elements: a float, or 32 bits that hold two or four neighboring values along k (see
/// `Arithmetic`).
public struct PanelProduct<PackedElement> {
    /// The left factor [m, k] in packed elements, rows `lda` elements apart.
    public let a: UnsafePointer<PackedElement>
    public let lda: Int
    /// A packed panel [k, width], contiguous. Columns from `columns` on are zero.
    public let b: UnsafePointer<PackedElement>
    /// The distance from this panel to the next in packed elements. For m = 1, up to four panels are multiplied at
    /// once.
    public let panelStride: Int
    /// The scales that turn sums of integers into floats. `nil` if the sums are floats.
    public let scales: ProductScales?
    /// The bias [columns]. `nil` if there is none.
    public let bias: UnsafePointer<Float>?
    /// The residual [m, columns], rows `ldResidual` floats apart. `nil` if there is none.
    public let residual: UnsafePointer<Float>?
    public let ldResidual: Int
    /// Whether to add to `out` instead of replacing it.
    public let accumulate: Bool
    /// The output [m, columns], rows `ldOut` floats apart.
    public let out: UnsafeMutablePointer<Float>
    public let ldOut: Int
    public let m: Int
    /// The columns to write: at most `width`, or `4 * width` for m = 1.
    public let columns: Int
    /// The length of a row in packed elements.
    public let k: Int
    /// The function applied to each tile of rows once it is written, while it is in the first-level cache.
    public let activation: Activation
    /// The distance in packed elements from `b` to the panel that is multiplied next, to be prefetched meanwhile. 0 if
    /// there is none.
    public let prefetchOffset: Int

    @export(implementation) @inline(__always)
    public init(
        a: UnsafePointer<PackedElement>, lda: Int, b: UnsafePointer<PackedElement>, panelStride: Int = 0,
        scales: ProductScales? = nil,
        bias: UnsafePointer<Float>? = nil, residual: UnsafePointer<Float>? = nil, ldResidual: Int = 0,
        accumulate: Bool = false, out: UnsafeMutablePointer<Float>, ldOut: Int, m: Int, columns: Int, k: Int,
        activation: Activation = .identity, prefetchOffset: Int = 0
    ) {
        self.a = a
        self.lda = lda
        self.b = b
        self.panelStride = panelStride
        self.scales = scales
        self.bias = bias
        self.residual = residual
        self.ldResidual = ldResidual
        self.accumulate = accumulate
        self.out = out
        self.ldOut = ldOut
        self.m = m
        self.columns = columns
        self.k = k
        self.activation = activation
        self.prefetchOffset = prefetchOffset
    }

    /// Whether the output is the product and nothing else.
    @export(implementation) @inline(__always)
    var isPlain: Bool { bias == nil && residual == nil && !accumulate }

    /// Converts the sums of one row's vector at `column` to floats, adds what the product asks for and writes them.
    @export(implementation) @inline(__always)
    func finish<A: Arithmetic>(_: A.Type, _ sums: A.Sums, row: Int, column: Int) {
        typealias I = A.I
        let left = columns - column
        if left <= 0 { return }
        let target = out + row * ldOut + column
        var v = A.floats(sums)
        if A.isQuantized, let scales {
            // Both arrays are as wide as the panels.
            v = I.mul(v, I.splat(scales.rows[2 * row]))
            var rest = I.splat(0)
            if let bias {
                rest = left >= I.lanes ? I.load(bias + column) : I.load(bias + column, count: left, fill: 0)
            }
            let zero = I.splat(scales.rows[2 * row + 1])
            v = I.fma(v, I.load(scales.columns + column), I.fma(zero, I.load(scales.columnSums + column), rest))
        }
        if left >= I.lanes {
            if !A.isQuantized, let bias { v = I.add(v, I.load(bias + column)) }
            if let residual { v = I.add(v, I.load(residual + row * ldResidual + column)) }
            if accumulate { v = I.add(v, I.load(target)) }
            I.store(target, v)
        } else {
            if !A.isQuantized, let bias { v = I.add(v, I.load(bias + column, count: left, fill: 0)) }
            if let residual {
                v = I.add(v, I.load(residual + row * ldResidual + column, count: left, fill: 0))
            }
            if accumulate { v = I.add(v, I.load(target, count: left, fill: 0)) }
            I.store(target, count: left, v)
        }
    }
}

/// The scales of a quantized product, Σ x w ≈ s · c · Σ q u + z · Σ w with x ≈ s q + z and w = c u.
public struct ProductScales {
    /// The scale s and the zero z of each row [m, 2].
    public let rows: UnsafePointer<Float>
    /// The scale c of each column, of whole panels.
    public let columns: UnsafePointer<Float>
    /// The sum of weights c · Σ u of each column, of whole panels.
    public let columnSums: UnsafePointer<Float>

    @export(implementation) @inline(__always)
    public init(
        rows: UnsafePointer<Float>, columns: UnsafePointer<Float>, columnSums: UnsafePointer<Float>
    ) {
        self.rows = rows
        self.columns = columns
        self.columnSums = columnSums
    }

    /// Returns the scales from a row and a column on.
    @export(implementation) @inline(__always)
    func advanced(row: Int = 0, column: Int) -> ProductScales {
        ProductScales(rows: rows + 2 * row, columns: columns + column, columnSums: columnSums + column)
    }
}
