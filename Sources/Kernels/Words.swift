/// Arithmetic on words that activations and weights are converted to.
public protocol WordArithmetic: Arithmetic where Word == UInt32 {
    /// Makes words of a row of activations.
    /// - Parameters:
    ///   - x: [k]
    ///   - words: room for `wordPitch(k)` words, of which those of the k values are read.
    ///   - scales: where to put the row's scale and zero (see `ProductScales`); left alone unless quantized.
    static func convertRow(
        _ x: UnsafePointer<Float>, _ k: Int, _ words: UnsafeMutablePointer<UInt32>,
        _ scales: UnsafeMutablePointer<Float>)
    /// Packs weights, see `KernelTable.packed`.
    static func pack(
        _ w: UnsafePointer<Float>, _ ldw: Int, _ n: Int, _ k: Int, _ packed: UnsafeMutablePointer<UInt32>)
    /// `denseWords`, out of line.
    static func dense(_ d: DenseArguments)
}

extension WordArithmetic {
    /// Words of k values.
    @inlinable @inline(__always)
    static func wordCount(_ k: Int) -> Int { (k + depth - 1) / depth }

    /// Words from one converted row to the next: whole vectors of values are stored.
    @inlinable @inline(__always)
    static func wordPitch(_ k: Int) -> Int { roundUp(k, to: max(I.lanes, depth)) / depth }

    /// Words of a packed weight [n, k]: panels of columns, then a scale and a sum a column where it is quantized.
    @inlinable @inline(__always)
    public static func packedCount(_ n: Int, _ k: Int) -> Int {
        roundUp(n, to: I.panelWidth) * (wordCount(k) + (isQuantized ? 2 : 0))
    }

    /// The most rows that are converted and multiplied together, so that their words stay in the second level of cache.
    @inlinable @inline(__always)
    static func mostRows(_ k: Int) -> Int {
        let limit = min(40 * I.tileRows, (48 << 10) / max(1, wordPitch(k)) / I.tileRows * I.tileRows)
        return max(2 * I.tileRows, limit)
    }

    @inlinable @inline(__always)
    static func blockRows(_ m: Int, _ k: Int) -> Int { blockLength(m, limit: mostRows(k)) }

    /// Floats of scratch that `denseWords` takes for m rows or fewer, whose blocks may be the longer ones.
    @inlinable @inline(__always)
    public static func scratchCount(_ m: Int, _ k: Int) -> Int {
        let rows = min(max(m, 1), mostRows(k))
        return roundUp(2 * rows, to: 16) + rows * wordPitch(k)
    }
}

/// `KernelTable.dense` in bf16 or int8: blocks of rows are converted to words, each multiplied with all panels over all
/// of k: sums in registers meet memory once.
@inlinable @inline(__always)
public func denseWords<A: WordArithmetic>(_: A.Type, _ d: DenseArguments) {
    typealias I = A.I
    guard let scratch = d.scratch else { return }
    let block = A.blockRows(d.m, d.k)
    let stride = A.wordPitch(d.k)
    let words = A.wordCount(d.k)
    let rowScales = scratch
    let a = UnsafeMutableRawPointer(scratch + roundUp(2 * block, to: 16)).assumingMemoryBound(to: UInt32.self)
    let panels = d.packed.assumingMemoryBound(to: UInt32.self)
    let columns = (d.packed + 4 * roundUp(d.n, to: I.panelWidth) * words).assumingMemoryBound(to: Float.self)
    let scales = ProductScales(
        rows: rowScales, columns: columns, columnSums: columns + roundUp(d.n, to: I.panelWidth))
    var row = 0
    while row < d.m {
        let rows = min(block, d.m - row)
        for r in 0..<rows {
            A.convertRow(d.a + (row + r) * d.lda, d.k, a + r * stride, rowScales + 2 * r)
        }
        let part = DensePart<A>(
            layer: d, a: a, lda: stride, b: panels, scales: A.isQuantized ? scales : nil, k: words, kBlock: words,
            row: row, rows: rows)
        if let gated = d.gated {
            part.multiplyGated(gated)
        } else if d.residual != nil, d.activation != .identity {
            part.multiplyAndActivate()
        } else {
            part.multiply()
        }
        row += rows
    }
}

// MARK: bf16

/// The nearest bf16, ties to even; a NaN stays one.
@inlinable @inline(__always)
public func brainBits(_ x: Float) -> UInt32 {
    if x != x { return 0x7fc0 }
    let bits = x.bitPattern
    return (bits &+ 0x7fff &+ ((bits >> 16) & 1)) >> 16
}

@inlinable @inline(__always)
public func packBrainPairs<I: Instructions>(
    _: I.Type, _ w: UnsafePointer<Float>, _ ldw: Int, _ n: Int, _ k: Int, _ packed: UnsafeMutablePointer<UInt32>
) {
    let words = (k + 1) / 2
    let width = I.panelWidth
    for j in 0..<roundUp(n, to: width) {
        let target = packed + j / width * words * width + j % width
        let row = w + min(j, n - 1) * ldw
        for p in 0..<words {
            let lower = j < n ? brainBits(row[2 * p]) : 0
            let upper = j < n && 2 * p + 1 < k ? brainBits(row[2 * p + 1]) : 0
            target[p * width] = lower | upper << 16
        }
    }
}

@inlinable @inline(__always)
public func convertBrainRow<I: Instructions>(
    _: I.Type, _ x: UnsafePointer<Float>, _ k: Int, _ words: UnsafeMutablePointer<UInt32>,
    store: (UnsafeMutablePointer<UInt16>, I.Vector) -> Void
) {
    let out = UnsafeMutableRawPointer(words).assumingMemoryBound(to: UInt16.self)
    var i = 0
    while i + I.lanes <= k {
        store(out + i, I.load(x + i))
        i += I.lanes
    }
    if i < k { store(out + i, I.load(x + i, count: k - i, fill: 0)) }
}

// MARK: int8

/// A row as unsigned bytes: x ≈ s q + z with z the row's least value and s the 255th part of its range, so that no level
/// is wasted on one-sided rows, which GELU and ReLU make. A row with an infinity or a NaN in it gets NaN for a scale, so
/// that all its products are NaN.
@inlinable @inline(__always)
public func quantizeRow<I: Instructions>(
    _: I.Type, _ x: UnsafePointer<Float>, _ k: Int, _ scales: UnsafeMutablePointer<Float>,
    store: (Int, I.Vector) -> Void
) {
    let lanes = I.lanes
    var least0 = I.splat(.infinity)
    var least1 = least0
    var most0 = I.splat(-.infinity)
    var most1 = most0
    var poison0 = I.splat(0)
    var poison1 = poison0
    let zero = poison0
    var i = 0
    while i + 2 * lanes <= k {
        let v0 = I.load(x + i)
        let v1 = I.load(x + i + lanes)
        least0 = I.selectLess(v0, least0, v0, least0)
        least1 = I.selectLess(v1, least1, v1, least1)
        most0 = I.selectLess(most0, v0, v0, most0)
        most1 = I.selectLess(most1, v1, v1, most1)
        poison0 = I.fma(v0, zero, poison0)
        poison1 = I.fma(v1, zero, poison1)
        i += 2 * lanes
    }
    while i < k {
        let v = i + lanes <= k ? I.load(x + i) : I.load(x + i, count: k - i, fill: x[i])
        least0 = I.selectLess(v, least0, v, least0)
        most0 = I.selectLess(most0, v, v, most0)
        poison0 = I.fma(v, zero, poison0)
        i += lanes
    }
    let least = I.minimum(I.selectLess(least0, least1, least0, least1))
    let range = I.maximum(I.selectLess(most0, most1, most1, most0)) - least
    let poison = I.sum(I.add(poison0, poison1))
    // Rows whose values differ by next to nothing are their least value.
    let inverse: Float = range > 1e-30 ? 255 / range : 0
    scales[0] = (inverse > 0 ? range / 255 : 0) + poison
    scales[1] = least + poison

    let shift = I.splat(least)
    let factor = I.splat(inverse)
    let magic = I.splat(12_582_912)
    i = 0
    while i < k {
        let v = i + lanes <= k ? I.load(x + i) : I.load(x + i, count: k - i, fill: least)
        store(i, I.fma(I.sub(v, shift), factor, magic))
        i += lanes
    }
}

/// Packs weights [n, k] as signed bytes with one scale a row, symmetric: w ≈ c u, u from −127 to 127.
/// - Parameters:
///   - scale: of a row, c.
///   - value: of a row and column, u, given c.
@inlinable @inline(__always)
func packBytes<A: WordArithmetic>(
    _: A.Type, _ n: Int, _ k: Int, _ packed: UnsafeMutablePointer<UInt32>, scale: (Int) -> Float,
    value: (Int, Int, Float) -> Int32
) {
    let width = A.I.panelWidth
    let words = A.wordCount(k)
    let bits = 32 / A.depth
    let mask = UInt32.max >> UInt32(32 - bits)
    let columns = roundUp(n, to: width)
    let scales = UnsafeMutableRawPointer(packed + columns * words).assumingMemoryBound(to: Float.self)
    for j in 0..<columns {
        let target = packed + j / width * words * width + j % width
        guard j < n else {
            for p in 0..<words { target[p * width] = 0 }
            scales[j] = 0
            scales[columns + j] = 0
            continue
        }
        let c = scale(j)
        var sum = 0
        for p in 0..<words {
            var word: UInt32 = 0
            for i in 0..<A.depth where p * A.depth + i < k {
                let u = value(j, p * A.depth + i, c)
                sum += Int(u)
                word |= (UInt32(bitPattern: u) & mask) << UInt32(i * bits)
            }
            target[p * width] = word
        }
        scales[j] = c
        scales[columns + j] = c * Float(sum)
    }
}

/// f32 weights, quantized while they are packed (`quantizedScale`, `quantizedWeight`).
@inlinable @inline(__always)
public func packQuantizing<A: WordArithmetic>(
    _: A.Type, _ w: UnsafePointer<Float>, _ ldw: Int, _ n: Int, _ k: Int, _ packed: UnsafeMutablePointer<UInt32>
) {
    packBytes(A.self, n, k, packed) { j in
        quantizedScale(w + j * ldw, k)
    } value: { j, i, c in
        quantizedWeight(w[j * ldw + i], c)
    }
}

/// Weights that are bytes already, with their scales [n].
@inlinable @inline(__always)
public func packQuantized<A: WordArithmetic>(
    _: A.Type, _ w: UnsafePointer<Int8>, _ rowScales: UnsafePointer<Float>, _ n: Int, _ k: Int,
    _ packed: UnsafeMutablePointer<UInt32>
) {
    packBytes(A.self, n, k, packed) { j in
        rowScales[j]
    } value: { j, i, _ in
        Int32(w[j * k + i])
    }
}

/// The scale of a row of weights: the 127th part of its largest magnitude; NaN where one is infinite or NaN.
@inlinable @inline(__always)
public func quantizedScale(_ row: UnsafePointer<Float>, _ k: Int) -> Float {
    var most: Float = 0
    var poison: Float = 0
    for i in 0..<k {
        most = Swift.max(most, Swift.abs(row[i]))
        poison += row[i] * 0
    }
    return most > 1e-30 ? most / 127 + poison : poison
}

/// The nearest multiple of the scale, ties to even, as its factor; 0 for a scale of 0 or NaN.
@inlinable @inline(__always)
public func quantizedWeight(_ w: Float, _ scale: Float) -> Int32 {
    guard scale > 0 else { return 0 }
    let rounded = w / scale + 12_582_912
    return Swift.min(127, Swift.max(-127, Int32(bitPattern: rounded.bitPattern &- 0x4B40_0000)))
}
