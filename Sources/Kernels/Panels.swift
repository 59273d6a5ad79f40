/// One panel of a matrix product: `out[m, columns] (+)= a[m, k] · b[k, width] (+ bias) (+ residual)`.
///
/// Both factors are words: a float, or 32 bits that hold two or four neighboring values of k (see `Arithmetic`).
public struct PanelProduct<Word> {
    /// [m, k] words, rows `lda` words apart.
    public let a: UnsafePointer<Word>
    public let lda: Int
    /// [k, width] words, contiguous: one packed panel, the columns from `columns` on zero.
    public let b: UnsafePointer<Word>
    /// Words from this panel to the next. Where m = 1, up to four panels are multiplied at once.
    public let panelStride: Int
    /// What turns sums of integers into floats; nil where the sums are floats.
    public let scales: ProductScales?
    public let bias: UnsafePointer<Float>?
    public let residual: UnsafePointer<Float>?
    public let ldResidual: Int
    /// Whether to add to `out` instead of replacing it.
    public let accumulate: Bool
    public let out: UnsafeMutablePointer<Float>
    public let ldOut: Int
    public let m: Int
    /// Columns to write: at most `width`, or `4 * width` where m = 1.
    public let columns: Int
    /// Words of a row.
    public let k: Int
    /// Applied to each tile of rows once it is written, while it is in the first level of cache.
    public let activation: Activation
    /// Words from `b` to the panel that will be multiplied next, to be fetched meanwhile; 0 where there is none.
    public let ahead: Int

    @inlinable @inline(__always)
    public init(
        a: UnsafePointer<Word>, lda: Int, b: UnsafePointer<Word>, panelStride: Int = 0, scales: ProductScales? = nil,
        bias: UnsafePointer<Float>? = nil, residual: UnsafePointer<Float>? = nil, ldResidual: Int = 0,
        accumulate: Bool = false, out: UnsafeMutablePointer<Float>, ldOut: Int, m: Int, columns: Int, k: Int,
        activation: Activation = .identity, ahead: Int = 0
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
        self.ahead = ahead
    }

    /// Whether the output is the product and nothing else.
    @inlinable @inline(__always)
    var isPlain: Bool { bias == nil && residual == nil && !accumulate }

    /// Makes floats of the sums of one row's vector at `column`, adds what the product asks for and writes them.
    @inlinable @inline(__always)
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

/// Scales of a quantized product, Σ x w ≈ s · c · Σ q u + z · Σ w with x ≈ s q + z and w = c u.
public struct ProductScales {
    /// [m, 2]: a row's scale s and what its zero stands for, z.
    public let rows: UnsafePointer<Float>
    /// A column's scale c, and the sum of its weights c · Σ u; both of whole panels.
    public let columns: UnsafePointer<Float>
    public let columnSums: UnsafePointer<Float>

    @inlinable @inline(__always)
    public init(
        rows: UnsafePointer<Float>, columns: UnsafePointer<Float>, columnSums: UnsafePointer<Float>
    ) {
        self.rows = rows
        self.columns = columns
        self.columnSums = columnSums
    }
}

/// A number of rows × two vectors of sums, all in registers.
public protocol RowTile {
    associatedtype A: Arithmetic
    static var rows: Int { get }
    init()
    /// `sums += a[:, p] ⊗ (b0, b1)`, where `a` points at the first row's word of this p.
    mutating func step(_ a: UnsafePointer<A.Word>, _ lda: Int, _ b0: A.Words, _ b1: A.Words)
    func finish(_ product: PanelProduct<A.Word>, row: Int)
    /// Writes whole sums, and no more than them.
    func store(_ out: UnsafeMutablePointer<Float>, _ ldOut: Int)
}

public struct OneRow<A: Arithmetic>: RowTile {
    @usableFromInline var sum0: A.Sums
    @usableFromInline var sum1: A.Sums

    @inlinable @inline(__always) public static var rows: Int { 1 }

    @inlinable @inline(__always)
    public init() {
        sum0 = A.zero
        sum1 = A.zero
    }

    @inlinable @inline(__always)
    public mutating func step(_ a: UnsafePointer<A.Word>, _ lda: Int, _ b0: A.Words, _ b1: A.Words) {
        let x = A.splat(a)
        sum0 = A.step(x, b0, sum0)
        sum1 = A.step(x, b1, sum1)
    }

    @inlinable @inline(__always)
    public func finish(_ product: PanelProduct<A.Word>, row: Int) {
        product.finish(A.self, sum0, row: row, column: 0)
        product.finish(A.self, sum1, row: row, column: A.I.lanes)
    }

    @inlinable @inline(__always)
    public func store(_ out: UnsafeMutablePointer<Float>, _ ldOut: Int) {
        A.I.store(out, A.floats(sum0))
        A.I.store(out + A.I.lanes, A.floats(sum1))
    }
}

public struct Rows<First: RowTile, Second: RowTile>: RowTile where First.A == Second.A {
    public typealias A = First.A
    @usableFromInline var first: First
    @usableFromInline var second: Second

    @inlinable @inline(__always) public static var rows: Int { First.rows + Second.rows }

    @inlinable @inline(__always)
    public init() {
        first = First()
        second = Second()
    }

    @inlinable @inline(__always)
    public mutating func step(_ a: UnsafePointer<A.Word>, _ lda: Int, _ b0: A.Words, _ b1: A.Words) {
        first.step(a, lda, b0, b1)
        second.step(a + First.rows * lda, lda, b0, b1)
    }

    @inlinable @inline(__always)
    public func finish(_ product: PanelProduct<A.Word>, row: Int) {
        first.finish(product, row: row)
        second.finish(product, row: row + First.rows)
    }

    @inlinable @inline(__always)
    public func store(_ out: UnsafeMutablePointer<Float>, _ ldOut: Int) {
        first.store(out, ldOut)
        second.store(out + First.rows * ldOut, ldOut)
    }
}

@inlinable @inline(__always)
func multiplyTile<Tile: RowTile>(_: Tile.Type, _ product: PanelProduct<Tile.A.Word>, row: Int) {
    typealias A = Tile.A
    typealias I = A.I
    var tile = Tile()
    var a = product.a + row * product.lda
    var b = product.b
    let lda = product.lda
    let end = b + product.k * I.panelWidth
    // The first tile of a panel fetches the next panel, line by line as it uses up its own. A tile of few rows has no
    // time to spare: it waits for memory all the while.
    let ahead = row == 0 ? product.ahead : 0
    if Tile.rows > 4 {
        var target = product.out + row * product.ldOut
        for _ in 0..<Tile.rows {
            I.prefetch(target)
            I.prefetch(target + I.lanes)
            target += product.ldOut
        }
    }
    while b < end {
        if Tile.rows > 4 {
            I.prefetch(b + ahead)
            I.prefetch(b + ahead + I.lanes)
        }
        tile.step(a, lda, A.load(b), A.load(b + I.lanes))
        a += 1
        b += I.panelWidth
    }
    if !A.isQuantized, product.isPlain, product.columns >= I.panelWidth {
        tile.store(product.out + row * product.ldOut, product.ldOut)
    } else {
        tile.finish(product, row: row)
    }
    if product.activation != .identity {
        I.activate(
            product.activation, product.out + row * product.ldOut, rows: Tile.rows, width: product.columns,
            stride: product.ldOut, isCoarse: A.depth > 1)
    }
}

/// One row times up to four panels at once: eight independent sums hide the latency of the FMA, and four streams of
/// weights keep memory busy. Each sum runs over p in the same order as in the tiles, so a row's result does not depend
/// on how many rows share the product.
@inlinable @inline(__always)
public func multiplyOneRow<A: Arithmetic>(_: A.Type, _ product: PanelProduct<A.Word>) {
    typealias I = A.I
    var sum0 = A.zero
    var sum1 = sum0
    var sum2 = sum0
    var sum3 = sum0
    var sum4 = sum0
    var sum5 = sum0
    var sum6 = sum0
    var sum7 = sum0
    let stride = product.panelStride
    let b0 = product.b
    let b1 = b0 + stride
    let b2 = b1 + stride
    let b3 = b2 + stride
    var p = 0
    var i = 0
    while p < product.k {
        let x = A.splat(product.a + p)
        sum0 = A.step(x, A.load(b0 + i), sum0)
        sum1 = A.step(x, A.load(b0 + i + I.lanes), sum1)
        sum2 = A.step(x, A.load(b1 + i), sum2)
        sum3 = A.step(x, A.load(b1 + i + I.lanes), sum3)
        sum4 = A.step(x, A.load(b2 + i), sum4)
        sum5 = A.step(x, A.load(b2 + i + I.lanes), sum5)
        sum6 = A.step(x, A.load(b3 + i), sum6)
        sum7 = A.step(x, A.load(b3 + i + I.lanes), sum7)
        p += 1
        i += I.panelWidth
    }
    product.finish(A.self, sum0, row: 0, column: 0)
    product.finish(A.self, sum1, row: 0, column: I.lanes)
    product.finish(A.self, sum2, row: 0, column: 2 * I.lanes)
    product.finish(A.self, sum3, row: 0, column: 3 * I.lanes)
    product.finish(A.self, sum4, row: 0, column: 4 * I.lanes)
    product.finish(A.self, sum5, row: 0, column: 5 * I.lanes)
    product.finish(A.self, sum6, row: 0, column: 6 * I.lanes)
    product.finish(A.self, sum7, row: 0, column: 7 * I.lanes)
    if product.activation != .identity {
        I.activate(
            product.activation, product.out, rows: 1, width: product.columns, stride: product.ldOut,
            isCoarse: A.depth > 1)
    }
}

/// All rows of one panel, in tiles of nearly equal height: m = 13 is 7 + 6, not 12 + 1, whose last row would wait for
/// the latency of its two sums.
@inlinable @inline(__always)
public func multiplyPanel<A: Arithmetic>(_: A.Type, _ product: PanelProduct<A.Word>) {
    typealias I = A.I
    typealias R1 = OneRow<A>
    typealias R2 = Rows<R1, R1>
    typealias R3 = Rows<R2, R1>
    typealias R6 = Rows<R3, R3>
    typealias R9 = Rows<R6, R3>
    if product.columns > I.panelWidth {
        A.multiplyRow(product)
        return
    }
    let tiles = (product.m + I.tileRows - 1) / I.tileRows
    if tiles == 0 { return }
    let height = product.m / tiles
    let taller = product.m - height * tiles
    var row = 0
    for tile in 0..<tiles {
        let rows = tile < taller ? height + 1 : height
        switch rows {
        case 1: multiplyTile(R1.self, product, row: row)
        case 2: multiplyTile(R2.self, product, row: row)
        case 3: multiplyTile(R3.self, product, row: row)
        case 4: multiplyTile(Rows<R3, R1>.self, product, row: row)
        case 5 where I.tileRows >= 5: multiplyTile(Rows<R3, R2>.self, product, row: row)
        case 6 where I.tileRows >= 6: multiplyTile(R6.self, product, row: row)
        case 7 where I.tileRows >= 7: multiplyTile(Rows<R6, R1>.self, product, row: row)
        case 8 where I.tileRows >= 8: multiplyTile(Rows<R6, R2>.self, product, row: row)
        case 9 where I.tileRows >= 9: multiplyTile(R9.self, product, row: row)
        case 10 where I.tileRows >= 10: multiplyTile(Rows<R9, R1>.self, product, row: row)
        case 11 where I.tileRows >= 11: multiplyTile(Rows<R9, R2>.self, product, row: row)
        case 12 where I.tileRows >= 12: multiplyTile(Rows<R9, R3>.self, product, row: row)
        default: break
        }
        row += rows
    }
}
