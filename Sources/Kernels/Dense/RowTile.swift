/// A register tile of a matrix product: some rows × two vectors of sums. Its memory is an array of sums, [rows, 2].
public protocol RowTile {
    associatedtype A: Arithmetic
    static var rows: Int { get }
    init()
    /// Adds `a[:, p] ⊗ (b0, b1)` to the sums. `a` points at the first row's element of this p.
    mutating func step(_ a: UnsafePointer<A.PackedElement>, _ lda: Int, _ b0: A.PackedVector, _ b1: A.PackedVector)
    /// Writes whole vectors of the sums as floats, and nothing else.
    func store(_ out: UnsafeMutablePointer<Float>, _ ldOut: Int)
}

/// A tile of one row.
public struct OneRowTile<A: Arithmetic>: RowTile {
    @usableFromInline var sum0: A.Sums
    @usableFromInline var sum1: A.Sums

    @export(implementation) @inline(__always) public static var rows: Int { 1 }

    @export(implementation) @inline(__always)
    public init() {
        sum0 = A.zero
        sum1 = A.zero
    }

    @export(implementation) @inline(__always)
    public mutating func step(
        _ a: UnsafePointer<A.PackedElement>, _ lda: Int, _ b0: A.PackedVector, _ b1: A.PackedVector
    ) {
        let x = A.splat(a)
        sum0 = A.step(x, b0, sum0)
        sum1 = A.step(x, b1, sum1)
    }

    @export(implementation) @inline(__always)
    public func store(_ out: UnsafeMutablePointer<Float>, _ ldOut: Int) {
        A.I.store(out, A.floats(sum0))
        A.I.store(out + A.I.lanes, A.floats(sum1))
    }
}

/// A tile made of two tiles, one above the other.
public struct JoinedRowTiles<First: RowTile, Second: RowTile>: RowTile where First.A == Second.A {
    public typealias A = First.A
    @usableFromInline var first: First
    @usableFromInline var second: Second

    @export(implementation) @inline(__always) public static var rows: Int { First.rows + Second.rows }

    @export(implementation) @inline(__always)
    public init() {
        first = First()
        second = Second()
    }

    @export(implementation) @inline(__always)
    public mutating func step(
        _ a: UnsafePointer<A.PackedElement>, _ lda: Int, _ b0: A.PackedVector, _ b1: A.PackedVector
    ) {
        first.step(a, lda, b0, b1)
        second.step(a + First.rows * lda, lda, b0, b1)
    }

    @export(implementation) @inline(__always)
    public func store(_ out: UnsafeMutablePointer<Float>, _ ldOut: Int) {
        first.store(out, ldOut)
        second.store(out + First.rows * ldOut, ldOut)
    }
}

/// Multiplies the rows of one tile, from the product's `row` on, over all of k, and finishes them.
@export(implementation) @inline(__always)
func multiplyTile<Tile: RowTile>(_: Tile.Type, _ product: PanelProduct<Tile.A.PackedElement>, row: Int) {
    typealias A = Tile.A
    typealias I = A.I
    var tile = Tile()
    var a = product.a + row * product.lda
    var b = product.b
    let lda = product.lda
    let end = b + product.k * I.panelWidth
    // The first tile of a panel fetches the next panel, line by line as it uses up its own. A tile of few rows has no
    // time to spare: it waits for memory all the while.
    let prefetchOffset = row == 0 ? product.prefetchOffset : 0
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
            I.prefetch(b + prefetchOffset)
            I.prefetch(b + prefetchOffset + I.lanes)
        }
        tile.step(a, lda, A.load(b), A.load(b + I.lanes))
        a += 1
        b += I.panelWidth
    }
    if !A.isQuantized, product.isPlain, product.columns >= I.panelWidth {
        tile.store(product.out + row * product.ldOut, product.ldOut)
    } else {
        finishTile(tile, product, row: row)
    }
    if product.activation != .identity {
        I.activate(
            product.activation, product.out + row * product.ldOut, rows: Tile.rows, width: product.columns,
            stride: product.ldOut, isCoarse: A.depth > 1)
    }
}

/// Writes the sums of a tile with all that the product asks for, from the output's `row` on.
///
/// It is a loop over the tile in memory. Written out for each row of the twelve heights of tiles, the same statements
/// were three fifths of the code of `multiplyPanel`. The AVX-512 kernels took 35.6 s to compile instead of 14.8 s, at no
/// difference in speed.
@export(implementation) @inline(__always)
func finishTile<Tile: RowTile>(_ tile: Tile, _ product: PanelProduct<Tile.A.PackedElement>, row: Int) {
    typealias A = Tile.A
    withUnsafePointer(to: tile) { tile in
        let sums = UnsafeRawPointer(tile).assumingMemoryBound(to: A.Sums.self)
        if A.isQuantized, let scales = product.scales, product.residual == nil, !product.accumulate,
            product.columns >= A.I.panelWidth
        {
            return finishQuantizedTile(A.self, sums, rows: Tile.rows, product, scales, row: row)
        }
        for r in 0..<Tile.rows {
            product.finish(A.self, sums[2 * r], row: row + r, column: 0)
            product.finish(A.self, sums[2 * r + 1], row: row + r, column: A.I.lanes)
        }
    }
}

/// Writes the sums [rows, 2] of a tile of whole vectors of integers as `PanelProduct.finish` does, but loads what depends on
/// the column alone once for all rows: with k = 40 most of a product's time is spent here.
@export(implementation) @inline(__always)
func finishQuantizedTile<A: Arithmetic>(
    _: A.Type, _ sums: UnsafePointer<A.Sums>, rows: Int, _ product: PanelProduct<A.PackedElement>,
    _ scales: ProductScales, row: Int
) {
    typealias I = A.I
    let (column0, column1) = (I.load(scales.columns), I.load(scales.columns + I.lanes))
    let (sum0, sum1) = (I.load(scales.columnSums), I.load(scales.columnSums + I.lanes))
    var (bias0, bias1) = (I.splat(0), I.splat(0))
    if let bias = product.bias { (bias0, bias1) = (I.load(bias), I.load(bias + I.lanes)) }
    var factors = scales.rows + 2 * row
    var target = product.out + row * product.ldOut
    for r in 0..<rows {
        let (scale, zero) = (I.splat(factors[0]), I.splat(factors[1]))
        I.store(target, I.fma(I.mul(A.floats(sums[2 * r]), scale), column0, I.fma(zero, sum0, bias0)))
        I.store(target + I.lanes, I.fma(I.mul(A.floats(sums[2 * r + 1]), scale), column1, I.fma(zero, sum1, bias1)))
        factors += 2
        target += product.ldOut
    }
}

/// Multiplies one row with up to four panels at once: eight independent sums hide the latency of the FMA, and four
/// streams of weights keep memory busy. Each sum runs over p in the same order as in the tiles, so a row's result does
/// not depend on how many rows share the product.
@export(implementation) @inline(__always)
public func multiplyOneRow<A: Arithmetic>(_: A.Type, _ product: PanelProduct<A.PackedElement>) {
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

/// Multiplies all rows with one panel, in tiles of nearly equal height: m = 13 is 7 + 6, not 12 + 1, whose last row
/// would wait for the latency of its two sums.
@export(implementation) @inline(__always)
public func multiplyPanel<A: Arithmetic>(_: A.Type, _ product: PanelProduct<A.PackedElement>) {
    typealias I = A.I
    typealias R1 = OneRowTile<A>
    typealias R2 = JoinedRowTiles<R1, R1>
    typealias R3 = JoinedRowTiles<R2, R1>
    typealias R6 = JoinedRowTiles<R3, R3>
    typealias R9 = JoinedRowTiles<R6, R3>
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
        case 4: multiplyTile(JoinedRowTiles<R3, R1>.self, product, row: row)
        case 5 where I.tileRows >= 5: multiplyTile(JoinedRowTiles<R3, R2>.self, product, row: row)
        case 6 where I.tileRows >= 6: multiplyTile(R6.self, product, row: row)
        case 7 where I.tileRows >= 7: multiplyTile(JoinedRowTiles<R6, R1>.self, product, row: row)
        case 8 where I.tileRows >= 8: multiplyTile(JoinedRowTiles<R6, R2>.self, product, row: row)
        case 9 where I.tileRows >= 9: multiplyTile(R9.self, product, row: row)
        case 10 where I.tileRows >= 10: multiplyTile(JoinedRowTiles<R9, R1>.self, product, row: row)
        case 11 where I.tileRows >= 11: multiplyTile(JoinedRowTiles<R9, R2>.self, product, row: row)
        case 12 where I.tileRows >= 12: multiplyTile(JoinedRowTiles<R9, R3>.self, product, row: row)
        default: break
        }
        row += rows
    }
}
