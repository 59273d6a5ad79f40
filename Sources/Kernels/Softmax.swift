/// `x[i] = exp(scale · x[i] − maximum)` in place, and the maximum of `scale · x` and the sum of the exponentials.
///
/// A NaN need not be the maximum: it makes the sum NaN, as an infinite maximum does.
@inlinable @inline(__always)
func exponentials<I: Instructions>(
    _: I.Type, _ x: UnsafeMutablePointer<Float>, _ count: Int, scale: Float
) -> (maximum: Float, sum: Float) {
    let factor = I.splat(scale)
    let lanes = I.lanes
    let whole = count / lanes * lanes
    let rest = count - whole
    var most0 = I.splat(-.infinity)
    var most1 = most0
    var i = 0
    while i + 2 * lanes <= whole {
        let y0 = I.mul(I.load(x + i), factor)
        let y1 = I.mul(I.load(x + i + lanes), factor)
        most0 = I.selectLess(most0, y0, y0, most0)
        most1 = I.selectLess(most1, y1, y1, most1)
        i += 2 * lanes
    }
    if i < whole {
        let y = I.mul(I.load(x + i), factor)
        most0 = I.selectLess(most0, y, y, most0)
    }
    if rest > 0 {
        // The lanes behind the end hold a value of the row.
        let y = I.mul(I.load(x + whole, count: rest, fill: x[whole]), factor)
        most1 = I.selectLess(most1, y, y, most1)
    }
    let maximum = I.maximum(I.selectLess(most0, most1, most1, most0))

    let top = I.splat(maximum)
    var sum0 = I.splat(0)
    var sum1 = I.splat(0)
    i = 0
    while i + 2 * lanes <= whole {
        let e0 = exponential(I.self, I.load(x + i), factor, top)
        let e1 = exponential(I.self, I.load(x + i + lanes), factor, top)
        I.store(x + i, e0)
        I.store(x + i + lanes, e1)
        sum0 = I.add(sum0, e0)
        sum1 = I.add(sum1, e1)
        i += 2 * lanes
    }
    if i < whole {
        let e = exponential(I.self, I.load(x + i), factor, top)
        I.store(x + i, e)
        sum0 = I.add(sum0, e)
    }
    if rest > 0 {
        let e = exponential(I.self, I.load(x + whole, count: rest, fill: 0), factor, top)
        I.store(x + whole, count: rest, e)
        sum1 = I.add(sum1, I.load(x + whole, count: rest, fill: 0))
    }
    return (maximum, I.sum(I.add(sum0, sum1)))
}

/// exp(scale · x − maximum): the one expression of `attention` and `attentionWeights`, which must agree to the bit.
@inlinable @inline(__always)
func exponential<I: Instructions>(_: I.Type, _ x: I.Vector, _ scale: I.Vector, _ maximum: I.Vector) -> I.Vector {
    VectorMath<I>.exp(I.fma(x, scale, I.sub(I.splat(0), maximum)))
}

/// `KernelTable.softmax`.
@inlinable @inline(__always)
public func softmaxRows<I: Instructions>(_: I.Type, _ x: UnsafeMutablePointer<Float>, _ rows: Int, _ width: Int) {
    if width <= 0 { return }
    for r in 0..<rows {
        let row = x + r * width
        let (_, sum) = exponentials(I.self, row, width, scale: 1)
        scaleRow(I.self, row, width, by: 1 / sum)
    }
}
