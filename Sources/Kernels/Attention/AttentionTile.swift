/// The arguments of the scores of a few query rows with the keys of a packed block, `scores[r, j] = q_r · k_j` for j in
/// `columns`, unscaled. Whole vectors are written.
public struct ScoreProduct {
    /// The queries [rows, headDim], rows `ldq` floats apart.
    public let q: UnsafePointer<Float>
    public let ldq: Int
    /// Kᵀ in panels, [⌈keys / width⌉, headDim, width].
    public let keyPanels: UnsafePointer<Float>
    /// The scores, rows `stride` floats apart.
    public let scores: UnsafeMutablePointer<Float>
    public let stride: Int
    /// The number of query rows, at most `tileRows`.
    public let rows: Int
    public let columns: Range<Int>
    public let headDim: Int

    @export(implementation) @inline(__always)
    public init(
        q: UnsafePointer<Float>, ldq: Int, keyPanels: UnsafePointer<Float>, scores: UnsafeMutablePointer<Float>,
        stride: Int, rows: Int, columns: Range<Int>, headDim: Int
    ) {
        self.q = q
        self.ldq = ldq
        self.keyPanels = keyPanels
        self.scores = scores
        self.stride = stride
        self.rows = rows
        self.columns = columns
        self.headDim = headDim
    }
}

/// The arguments of the weighted sums of values for a few query rows,
/// `out[r] = factor[r] · (Σ_j weights[r, j] v_j + keep[r] · out[r])`.
public struct ValueProduct {
    /// The weights [rows, keys], rows `stride` floats apart.
    public let weights: UnsafePointer<Float>
    public let stride: Int
    /// V in panels of [keys, width], `panelStride` floats apart.
    public let panels: UnsafePointer<Float>
    public let panelStride: Int
    /// The factor [rows] of the values in `out`. `nil` if `out` is not to be read.
    public let keep: UnsafePointer<Float>?
    /// The factor [rows] of the sums.
    public let factor: UnsafePointer<Float>
    /// The output [rows, valueDim], rows `ldOut` floats apart.
    public let out: UnsafeMutablePointer<Float>
    public let ldOut: Int
    /// The number of query rows, at most `tileRows`.
    public let rows: Int
    public let keys: Int
    public let valueDim: Int

    @export(implementation) @inline(__always)
    public init(
        weights: UnsafePointer<Float>, stride: Int, panels: UnsafePointer<Float>, panelStride: Int,
        keep: UnsafePointer<Float>?, factor: UnsafePointer<Float>, out: UnsafeMutablePointer<Float>, ldOut: Int,
        rows: Int, keys: Int, valueDim: Int
    ) {
        self.weights = weights
        self.stride = stride
        self.panels = panels
        self.panelStride = panelStride
        self.keep = keep
        self.factor = factor
        self.out = out
        self.ldOut = ldOut
        self.rows = rows
        self.keys = keys
        self.valueDim = valueDim
    }

    /// Scales the sums of one row's vector at `column` and writes them.
    @export(implementation) @inline(__always)
    func finish<I: Instructions>(_: I.Type, _ sum: I.Vector, row: Int, column: Int) {
        let left = valueDim - column
        if left <= 0 { return }
        let target = out + row * ldOut + column
        var v = sum
        if left >= I.lanes {
            if let keep { v = I.fma(I.splat(keep[row]), I.load(target), v) }
            I.store(target, I.mul(v, I.splat(factor[row])))
        } else {
            if let keep { v = I.fma(I.splat(keep[row]), I.load(target, count: left, fill: 0), v) }
            I.store(target, count: left, I.mul(v, I.splat(factor[row])))
        }
    }
}

/// A register tile of an attention product: some rows × one or two vectors of sums.
public protocol AttentionTile {
    associatedtype I: Instructions
    static var rows: Int { get }
    /// The number of vectors of a row. Where it is one, the second vector of `step` and of the body of `forEach` has no
    /// meaning.
    static var vectors: Int { get }
    init()
    /// Adds `a[:, p] ⊗ (b0, b1)` to the sums. `a` points at the first row's float of this p.
    mutating func step(_ a: UnsafePointer<Float>, _ lda: Int, _ b0: I.Vector, _ b1: I.Vector)
    /// Calls `body` with the sums of each row. Rows are numbered from `row` on.
    func forEach(_ row: Int, _ body: (Int, I.Vector, I.Vector) -> Void)
}

/// A tile of one row of two vectors.
public struct WideRowTile<I: Instructions>: AttentionTile {
    @usableFromInline var sum0: I.Vector
    @usableFromInline var sum1: I.Vector

    @export(implementation) @inline(__always) public static var rows: Int { 1 }
    @export(implementation) @inline(__always) public static var vectors: Int { 2 }

    @export(implementation) @inline(__always)
    public init() {
        sum0 = I.splat(0)
        sum1 = I.splat(0)
    }

    @export(implementation) @inline(__always)
    public mutating func step(_ a: UnsafePointer<Float>, _ lda: Int, _ b0: I.Vector, _ b1: I.Vector) {
        let x = I.splat(a.pointee)
        sum0 = I.fma(x, b0, sum0)
        sum1 = I.fma(x, b1, sum1)
    }

    @export(implementation) @inline(__always)
    public func forEach(_ row: Int, _ body: (Int, I.Vector, I.Vector) -> Void) { body(row, sum0, sum1) }
}

/// A tile of one row of one vector.
public struct NarrowRowTile<I: Instructions>: AttentionTile {
    @usableFromInline var sum: I.Vector

    @export(implementation) @inline(__always) public static var rows: Int { 1 }
    @export(implementation) @inline(__always) public static var vectors: Int { 1 }

    @export(implementation) @inline(__always)
    public init() { sum = I.splat(0) }

    @export(implementation) @inline(__always)
    public mutating func step(_ a: UnsafePointer<Float>, _ lda: Int, _ b0: I.Vector, _ b1: I.Vector) {
        sum = I.fma(I.splat(a.pointee), b0, sum)
    }

    @export(implementation) @inline(__always)
    public func forEach(_ row: Int, _ body: (Int, I.Vector, I.Vector) -> Void) { body(row, sum, sum) }
}

/// A tile made of two tiles, one above the other.
public struct JoinedAttentionTiles<First: AttentionTile, Second: AttentionTile>: AttentionTile
where First.I == Second.I {
    public typealias I = First.I
    @usableFromInline var first: First
    @usableFromInline var second: Second

    @export(implementation) @inline(__always) public static var rows: Int { First.rows + Second.rows }
    @export(implementation) @inline(__always) public static var vectors: Int { First.vectors }

    @export(implementation) @inline(__always)
    public init() {
        first = First()
        second = Second()
    }

    @export(implementation) @inline(__always)
    public mutating func step(_ a: UnsafePointer<Float>, _ lda: Int, _ b0: I.Vector, _ b1: I.Vector) {
        first.step(a, lda, b0, b1)
        second.step(a + First.rows * lda, lda, b0, b1)
    }

    @export(implementation) @inline(__always)
    public func forEach(_ row: Int, _ body: (Int, I.Vector, I.Vector) -> Void) {
        first.forEach(row, body)
        second.forEach(row + First.rows, body)
    }
}

/// Returns the sums of a tile over `k` steps.
@export(implementation) @inline(__always)
func sums<Tile: AttentionTile>(
    _: Tile.Type, _ a: UnsafePointer<Float>, _ lda: Int, _ panel: UnsafePointer<Float>, k: Int
) -> Tile {
    typealias I = Tile.I
    var tile = Tile()
    var a = a
    var b = panel
    let end = b + k * I.panelWidth
    while b < end {
        tile.step(a, lda, I.load(b), Tile.vectors > 1 ? I.load(b + I.lanes) : I.splat(0))
        a += 1
        b += I.panelWidth
    }
    return tile
}

/// Computes all columns of the scores of one tile. Where half of the last panel is wanted, half is multiplied.
@export(implementation) @inline(__always)
func scoreRows<Wide: AttentionTile, Narrow: AttentionTile>(_: Wide.Type, _: Narrow.Type, _ p: ScoreProduct)
where Wide.I == Narrow.I {
    typealias I = Wide.I
    let scores = p.scores
    let stride = p.stride
    var column = p.columns.lowerBound / I.panelWidth * I.panelWidth
    while column < p.columns.upperBound {
        let panel = p.keyPanels + column * p.headDim
        let target = scores + column
        if p.columns.upperBound - column > I.lanes {
            sums(Wide.self, p.q, p.ldq, panel, k: p.headDim).forEach(0) { row, sum0, sum1 in
                I.store(target + row * stride, sum0)
                I.store(target + row * stride + I.lanes, sum1)
            }
        } else {
            sums(Narrow.self, p.q, p.ldq, panel, k: p.headDim).forEach(0) { row, sum, _ in
                I.store(target + row * stride, sum)
            }
        }
        column += I.panelWidth
    }
}

/// Computes all columns of the values of one tile.
@export(implementation) @inline(__always)
func valueRows<Wide: AttentionTile, Narrow: AttentionTile>(_: Wide.Type, _: Narrow.Type, _ p: ValueProduct)
where Wide.I == Narrow.I {
    typealias I = Wide.I
    var panel = p.panels
    var column = 0
    while column < p.valueDim {
        if p.valueDim - column > I.lanes {
            sums(Wide.self, p.weights, p.stride, panel, k: p.keys).forEach(0) { row, sum0, sum1 in
                p.finish(I.self, sum0, row: row, column: column)
                p.finish(I.self, sum1, row: row, column: column + I.lanes)
            }
        } else {
            sums(Narrow.self, p.weights, p.stride, panel, k: p.keys).forEach(0) { row, sum, _ in
                p.finish(I.self, sum, row: row, column: column)
            }
        }
        panel += p.panelStride
        column += I.panelWidth
    }
}

/// A computation on tiles, compiled for a tile of each height.
public protocol TileWork {
    associatedtype I: Instructions
    func run<Wide: AttentionTile, Narrow: AttentionTile>(_: Wide.Type, _: Narrow.Type)
    where Wide.I == I, Narrow.I == I
}

/// The scores of one tile.
public struct ScoreWork<I: Instructions>: TileWork {
    @usableFromInline let product: ScoreProduct
    @export(implementation) @inline(__always) public init(_: I.Type, _ product: ScoreProduct) { self.product = product }
    @export(implementation) @inline(__always)
    public func run<Wide: AttentionTile, Narrow: AttentionTile>(_: Wide.Type, _: Narrow.Type)
    where Wide.I == I, Narrow.I == I { scoreRows(Wide.self, Narrow.self, product) }
}

/// The values of one tile.
public struct ValueWork<I: Instructions>: TileWork {
    @usableFromInline let product: ValueProduct
    @export(implementation) @inline(__always) public init(_: I.Type, _ product: ValueProduct) { self.product = product }
    @export(implementation) @inline(__always)
    public func run<Wide: AttentionTile, Narrow: AttentionTile>(_: Wide.Type, _: Narrow.Type)
    where Wide.I == I, Narrow.I == I { valueRows(Wide.self, Narrow.self, product) }
}

/// Runs `work` on a tile of `rows` rows, at most `tileRows`.
@export(implementation) @inline(__always)
public func runTile<Work: TileWork>(_ work: Work, rows: Int) {
    typealias I = Work.I
    typealias W1 = WideRowTile<I>
    typealias W2 = JoinedAttentionTiles<W1, W1>
    typealias W3 = JoinedAttentionTiles<W2, W1>
    typealias W6 = JoinedAttentionTiles<W3, W3>
    typealias W9 = JoinedAttentionTiles<W6, W3>
    typealias N1 = NarrowRowTile<I>
    typealias N2 = JoinedAttentionTiles<N1, N1>
    typealias N3 = JoinedAttentionTiles<N2, N1>
    typealias N6 = JoinedAttentionTiles<N3, N3>
    typealias N9 = JoinedAttentionTiles<N6, N3>
    switch rows {
    case 1: work.run(W1.self, N1.self)
    case 2: work.run(W2.self, N2.self)
    case 3: work.run(W3.self, N3.self)
    case 4: work.run(JoinedAttentionTiles<W3, W1>.self, JoinedAttentionTiles<N3, N1>.self)
    case 5 where I.tileRows >= 5: work.run(JoinedAttentionTiles<W3, W2>.self, JoinedAttentionTiles<N3, N2>.self)
    case 6 where I.tileRows >= 6: work.run(W6.self, N6.self)
    case 7 where I.tileRows >= 7: work.run(JoinedAttentionTiles<W6, W1>.self, JoinedAttentionTiles<N6, N1>.self)
    case 8 where I.tileRows >= 8: work.run(JoinedAttentionTiles<W6, W2>.self, JoinedAttentionTiles<N6, N2>.self)
    case 9 where I.tileRows >= 9: work.run(W9.self, N9.self)
    case 10 where I.tileRows >= 10: work.run(JoinedAttentionTiles<W9, W1>.self, JoinedAttentionTiles<N9, N1>.self)
    case 11 where I.tileRows >= 11: work.run(JoinedAttentionTiles<W9, W2>.self, JoinedAttentionTiles<N9, N2>.self)
    case 12 where I.tileRows >= 12: work.run(JoinedAttentionTiles<W9, W3>.self, JoinedAttentionTiles<N9, N3>.self)
    default: break
    }
}
