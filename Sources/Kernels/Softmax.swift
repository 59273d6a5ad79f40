/// `x[i] = exp(scale · x[i] − maximum)` in place, and the maximum of `scale · x` and the sum of the exponentials.
///
/// The product is rounded before the subtraction (no FMA), so that `attentionWeights` can form the same argument.
@inlinable @inline(__always)
func exponentials<I: Instructions>(
    _: I.Type, _ x: UnsafeMutablePointer<Float>, _ count: Int, scale: Float
) -> (maximum: Float, sum: Float) {
    let factor = I.splat(scale)
    let whole = count / I.lanes * I.lanes
    let rest = count - whole
    var most = I.splat(-.infinity)
    var i = 0
    while i < whole {
        let y = I.mul(I.load(x + i), factor)
        I.store(x + i, y)
        // Keeps a NaN of y: nothing is less than it, and it is less than nothing.
        most = I.selectLess(y, most, most, y)
        i += I.lanes
    }
    var maximum = I.maximum(most)
    if rest > 0 {
        let y = I.mul(I.load(x + whole, count: rest, fill: 0), factor)
        I.store(x + whole, count: rest, y)
        for j in whole..<count where !(x[j] < maximum) { maximum = x[j] }
    }

    let top = I.splat(maximum)
    var sum0 = I.splat(0)
    var sum1 = I.splat(0)
    i = 0
    while i + 2 * I.lanes <= whole {
        let e0 = VectorMath<I>.exp(I.sub(I.load(x + i), top))
        let e1 = VectorMath<I>.exp(I.sub(I.load(x + i + I.lanes), top))
        I.store(x + i, e0)
        I.store(x + i + I.lanes, e1)
        sum0 = I.add(sum0, e0)
        sum1 = I.add(sum1, e1)
        i += 2 * I.lanes
    }
    if i < whole {
        let e = VectorMath<I>.exp(I.sub(I.load(x + i), top))
        I.store(x + i, e)
        sum0 = I.add(sum0, e)
    }
    if rest > 0 {
        let e = VectorMath<I>.exp(I.sub(I.load(x + whole, count: rest, fill: -.infinity), top))
        I.store(x + whole, count: rest, e)
        sum1 = I.add(sum1, e)
    }
    return (maximum, I.sum(I.add(sum0, sum1)))
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
