/// Quantizes a row of activations [k] to unsigned bytes: x ≈ s q + z with z the row's minimum and s the 255th part of
/// its range, so that no level is wasted on one-sided rows, which GELU and ReLU make. A row that holds an infinity or a
/// NaN gets NaN for a scale, so that all its products are NaN.
/// - Parameters:
///   - scales: The memory that receives s and z.
///   - store: Stores at an offset, in values, a vector of 1.5 · 2²³ + q.
@export(implementation) @inline(__always)
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

/// Packs a weight [n, k] as signed bytes with one scale a row, symmetric: w ≈ c u with u from −127 to 127. The scales
/// of all columns, and then the sums c · Σ u, follow the panels.
/// - Parameters:
///   - scale: Returns c of a row.
///   - value: Returns u of a row and a column, given c.
@export(implementation) @inline(__always)
func packBytes<A: PackedArithmetic>(
    _: A.Type, _ n: Int, _ k: Int, _ packed: UnsafeMutablePointer<UInt32>, scale: (Int) -> Float,
    value: (Int, Int, Float) -> Int32
) {
    let width = A.I.panelWidth
    let length = A.packedLength(k)
    let bits = 32 / A.depth
    let mask = UInt32.max >> UInt32(32 - bits)
    let columns = roundUp(n, to: width)
    let scales = UnsafeMutableRawPointer(packed + columns * length).assumingMemoryBound(to: Float.self)
    for j in 0..<columns {
        let target = packed + j / width * length * width + j % width
        guard j < n else {
            for p in 0..<length { target[p * width] = 0 }
            scales[j] = 0
            scales[columns + j] = 0
            continue
        }
        let c = scale(j)
        var sum = 0
        for p in 0..<length {
            var element: UInt32 = 0
            for i in 0..<A.depth where p * A.depth + i < k {
                let u = value(j, p * A.depth + i, c)
                sum += Int(u)
                element |= (UInt32(bitPattern: u) & mask) << UInt32(i * bits)
            }
            target[p * width] = element
        }
        scales[j] = c
        scales[columns + j] = c * Float(sum)
    }
}

/// Packs the f32 weight `w` [n, k], rows `ldw` floats apart, quantized by `quantizedScale` and `quantizedWeight`.
@export(implementation) @inline(__always)
public func packQuantizing<A: PackedArithmetic>(
    _: A.Type, _ w: UnsafePointer<Float>, _ ldw: Int, _ n: Int, _ k: Int, _ packed: UnsafeMutablePointer<UInt32>
) {
    packBytes(A.self, n, k, packed) { j in
        quantizedScale(w + j * ldw, k)
    } value: { j, i, c in
        quantizedWeight(w[j * ldw + i], c)
    }
}

/// Packs the 8-bit weight `w` [n, k], contiguous, with its scales [n].
@export(implementation) @inline(__always)
public func packQuantized<A: PackedArithmetic>(
    _: A.Type, _ w: UnsafePointer<Int8>, _ rowScales: UnsafePointer<Float>, _ n: Int, _ k: Int,
    _ packed: UnsafeMutablePointer<UInt32>
) {
    packBytes(A.self, n, k, packed) { j in
        rowScales[j]
    } value: { j, i, _ in
        Int32(w[j * k + i])
    }
}

/// Returns the scale of a weight's row [k]: the 127th part of its largest magnitude. NaN if a value is infinite or NaN.
@export(implementation) @inline(__always)
public func quantizedScale(_ row: UnsafePointer<Float>, _ k: Int) -> Float {
    var most: Float = 0
    var poison: Float = 0
    for i in 0..<k {
        most = Swift.max(most, Swift.abs(row[i]))
        poison += row[i] * 0
    }
    return most > 1e-30 ? most / 127 + poison : poison
}

/// Returns the nearest multiple of the scale, ties to even, as its factor. 0 if the scale is 0 or NaN.
@export(implementation) @inline(__always)
public func quantizedWeight(_ w: Float, _ scale: Float) -> Int32 {
    guard scale > 0 else { return 0 }
    let rounded = w / scale + 12_582_912
    return Swift.min(127, Swift.max(-127, Int32(bitPattern: rounded.bitPattern &- 0x4B40_0000)))
}
