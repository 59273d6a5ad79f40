/// One panel of a matrix product: `out[m, columns] (+)= a[m, k] · b[k, width] (+ bias) (+ residual)`.
public struct PanelProduct {
    /// [m, k], rows `lda` floats apart.
    public let a: UnsafePointer<Float>
    public let lda: Int
    /// [k, width], contiguous: one packed panel, the columns from `columns` on zero.
    public let b: UnsafePointer<Float>
    /// Floats from this panel to the next. Where m = 1, up to four panels are multiplied at once.
    public let panelStride: Int
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
    public let k: Int
    /// Applied to each tile of rows once it is written, while it is in the first level of cache.
    public let activation: Activation
    /// Floats from `b` to the panel that will be multiplied next, to be fetched meanwhile; 0 where there is none.
    public let ahead: Int

    @inlinable @inline(__always)
    public init(
        a: UnsafePointer<Float>, lda: Int, b: UnsafePointer<Float>, panelStride: Int = 0,
        bias: UnsafePointer<Float>? = nil, residual: UnsafePointer<Float>? = nil, ldResidual: Int = 0,
        accumulate: Bool = false, out: UnsafeMutablePointer<Float>, ldOut: Int, m: Int, columns: Int, k: Int,
        activation: Activation = .identity, ahead: Int = 0
    ) {
        self.a = a
        self.lda = lda
        self.b = b
        self.panelStride = panelStride
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

    /// Adds what the product asks for to the sums of one row's vector at `column` and writes it.
    @inlinable @inline(__always)
    func finish<I: Instructions>(_: I.Type, _ sum: I.Vector, row: Int, column: Int) {
        let left = columns - column
        if left <= 0 { return }
        let target = out + row * ldOut + column
        var v = sum
        if left >= I.lanes {
            if let bias { v = I.add(v, I.load(bias + column)) }
            if let residual { v = I.add(v, I.load(residual + row * ldResidual + column)) }
            if accumulate { v = I.add(v, I.load(target)) }
            I.store(target, v)
        } else {
            if let bias { v = I.add(v, I.load(bias + column, count: left, fill: 0)) }
            if let residual {
                v = I.add(v, I.load(residual + row * ldResidual + column, count: left, fill: 0))
            }
            if accumulate { v = I.add(v, I.load(target, count: left, fill: 0)) }
            I.store(target, count: left, v)
        }
    }
}

/// A number of rows × two vectors of sums, all in registers.
public protocol RowTile {
    associatedtype I: Instructions
    static var rows: Int { get }
    init()
    /// `sums += a[:, p] ⊗ (b0, b1)`, where `a` points at the first row's float of this p.
    mutating func step(_ a: UnsafePointer<Float>, _ lda: Int, _ b0: I.Vector, _ b1: I.Vector)
    func finish(_ product: PanelProduct, row: Int)
    /// Writes whole sums, and no more than them.
    func store(_ out: UnsafeMutablePointer<Float>, _ ldOut: Int)
}

public struct OneRow<I: Instructions>: RowTile {
    @usableFromInline var sum0: I.Vector
    @usableFromInline var sum1: I.Vector

    @inlinable @inline(__always) public static var rows: Int { 1 }

    @inlinable @inline(__always)
    public init() {
        sum0 = I.splat(0)
        sum1 = I.splat(0)
    }

    @inlinable @inline(__always)
    public mutating func step(_ a: UnsafePointer<Float>, _ lda: Int, _ b0: I.Vector, _ b1: I.Vector) {
        let x = I.splat(a.pointee)
        sum0 = I.fma(x, b0, sum0)
        sum1 = I.fma(x, b1, sum1)
    }

    @inlinable @inline(__always)
    public func finish(_ product: PanelProduct, row: Int) {
        product.finish(I.self, sum0, row: row, column: 0)
        product.finish(I.self, sum1, row: row, column: I.lanes)
    }

    @inlinable @inline(__always)
    public func store(_ out: UnsafeMutablePointer<Float>, _ ldOut: Int) {
        I.store(out, sum0)
        I.store(out + I.lanes, sum1)
    }
}

public struct Rows<First: RowTile, Second: RowTile>: RowTile where First.I == Second.I {
    public typealias I = First.I
    @usableFromInline var first: First
    @usableFromInline var second: Second

    @inlinable @inline(__always) public static var rows: Int { First.rows + Second.rows }

    @inlinable @inline(__always)
    public init() {
        first = First()
        second = Second()
    }

    @inlinable @inline(__always)
    public mutating func step(_ a: UnsafePointer<Float>, _ lda: Int, _ b0: I.Vector, _ b1: I.Vector) {
        first.step(a, lda, b0, b1)
        second.step(a + First.rows * lda, lda, b0, b1)
    }

    @inlinable @inline(__always)
    public func finish(_ product: PanelProduct, row: Int) {
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
func multiplyTile<Tile: RowTile>(_: Tile.Type, _ product: PanelProduct, row: Int) {
    typealias I = Tile.I
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
        tile.step(a, lda, I.load(b), I.load(b + I.lanes))
        a += 1
        b += I.panelWidth
    }
    if product.isPlain, product.columns >= I.panelWidth {
        tile.store(product.out + row * product.ldOut, product.ldOut)
    } else {
        tile.finish(product, row: row)
    }
    if product.activation != .identity {
        I.activate(
            product.activation, product.out + row * product.ldOut, rows: Tile.rows, width: product.columns,
            pitch: product.ldOut)
    }
}

/// One row times up to four panels at once: eight independent sums hide the latency of the FMA, and four streams of
/// weights keep memory busy. Each sum runs over p in the same order as in the tiles, so a row's result does not depend
/// on how many rows share the product.
@inlinable @inline(__always)
public func multiplyOneRow<I: Instructions>(_: I.Type, _ product: PanelProduct) {
    var sum0 = I.splat(0)
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
        let x = I.splat(product.a[p])
        sum0 = I.fma(x, I.load(b0 + i), sum0)
        sum1 = I.fma(x, I.load(b0 + i + I.lanes), sum1)
        sum2 = I.fma(x, I.load(b1 + i), sum2)
        sum3 = I.fma(x, I.load(b1 + i + I.lanes), sum3)
        sum4 = I.fma(x, I.load(b2 + i), sum4)
        sum5 = I.fma(x, I.load(b2 + i + I.lanes), sum5)
        sum6 = I.fma(x, I.load(b3 + i), sum6)
        sum7 = I.fma(x, I.load(b3 + i + I.lanes), sum7)
        p += 1
        i += I.panelWidth
    }
    product.finish(I.self, sum0, row: 0, column: 0)
    product.finish(I.self, sum1, row: 0, column: I.lanes)
    product.finish(I.self, sum2, row: 0, column: 2 * I.lanes)
    product.finish(I.self, sum3, row: 0, column: 3 * I.lanes)
    product.finish(I.self, sum4, row: 0, column: 4 * I.lanes)
    product.finish(I.self, sum5, row: 0, column: 5 * I.lanes)
    product.finish(I.self, sum6, row: 0, column: 6 * I.lanes)
    product.finish(I.self, sum7, row: 0, column: 7 * I.lanes)
    if product.activation != .identity {
        I.activate(product.activation, product.out, rows: 1, width: product.columns, pitch: product.ldOut)
    }
}

/// All rows of one panel, in tiles of nearly equal height: m = 13 is 7 + 6, not 12 + 1, whose last row would wait for
/// the latency of its two sums.
@inlinable @inline(__always)
public func multiplyPanel<I: Instructions>(_: I.Type, _ product: PanelProduct) {
    typealias R1 = OneRow<I>
    typealias R2 = Rows<R1, R1>
    typealias R3 = Rows<R2, R1>
    typealias R6 = Rows<R3, R3>
    typealias R9 = Rows<R6, R3>
    if product.columns > I.panelWidth {
        I.multiplyRow(product)
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
