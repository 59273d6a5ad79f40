// The softmax of a row, x ↦ exp(scale · (x − maximum)) / sum, in its parts, which attention uses too. The exponentials
// are powers of two: the difference is exact or rounded once, and one multiplication applies both `scale` and log₂ e.
//
// Error of an exponential e^t, t = scale · (x − maximum) ≤ 0: 2 ulp of the power, and |t| · 2⁻²³ relative from the
// rounding of t, of which e^|t| leaves at most 5e-8 of the row's largest weight.

/// Returns scale · log₂ e, rounded once.
@export(implementation) @inline(__always)
func binaryScale(_ scale: Float) -> Float { Float(Double(scale) * 1.442_695_040_888_963_4) }

/// Returns the largest of `count` floats. −inf if there is none. A NaN need not be the result: it makes the sum of the
/// exponentials NaN.
@export(implementation) @inline(__always)
func maximumOf<I: Instructions>(_: I.Type, _ x: UnsafePointer<Float>, _ count: Int) -> Float {
    let lanes = I.lanes
    var most0 = I.splat(-.infinity)
    var most1 = most0
    var most2 = most0
    var most3 = most0
    var i = 0
    while i + 4 * lanes <= count {
        let x0 = I.load(x + i)
        let x1 = I.load(x + i + lanes)
        let x2 = I.load(x + i + 2 * lanes)
        let x3 = I.load(x + i + 3 * lanes)
        most0 = I.selectLess(most0, x0, x0, most0)
        most1 = I.selectLess(most1, x1, x1, most1)
        most2 = I.selectLess(most2, x2, x2, most2)
        most3 = I.selectLess(most3, x3, x3, most3)
        i += 4 * lanes
    }
    while i + lanes <= count {
        let x0 = I.load(x + i)
        most0 = I.selectLess(most0, x0, x0, most0)
        i += lanes
    }
    if i < count {
        let x0 = I.load(x + i, count: count - i, fill: -.infinity)
        most1 = I.selectLess(most1, x0, x0, most1)
    }
    most0 = I.selectLess(most0, most1, most1, most0)
    most2 = I.selectLess(most2, most3, most3, most2)
    return I.maximum(I.selectLess(most0, most2, most2, most0))
}

/// Computes `x[i] = 2^((x[i] − shift) · factor)` in place and returns their sum. No x may exceed `shift`, which is
/// finite or +inf.
@export(implementation) @inline(__always)
func exponentials<I: Instructions>(
    _: I.Type, _ x: UnsafeMutablePointer<Float>, _ count: Int, shift: Float, factor: Float
) -> Float {
    let lanes = I.lanes
    let shift = I.splat(shift)
    let factor = I.splat(factor)
    var sum0 = I.splat(0)
    var sum1 = sum0
    var i = 0
    while i + 2 * lanes <= count {
        let e0 = exponential(I.self, I.load(x + i), shift, factor)
        let e1 = exponential(I.self, I.load(x + i + lanes), shift, factor)
        I.store(x + i, e0)
        I.store(x + i + lanes, e1)
        sum0 = I.add(sum0, e0)
        sum1 = I.add(sum1, e1)
        i += 2 * lanes
    }
    if i + lanes <= count {
        let e = exponential(I.self, I.load(x + i), shift, factor)
        I.store(x + i, e)
        sum0 = I.add(sum0, e)
        i += lanes
    }
    if i < count {
        let e = exponential(I.self, I.load(x + i, count: count - i, fill: 0), shift, factor)
        I.store(x + i, count: count - i, e)
        sum1 = I.add(sum1, I.load(x + i, count: count - i, fill: 0))
    }
    return I.sum(I.add(sum0, sum1))
}

/// Returns 2^((x − shift) · factor): the one expression of attention and of the kernel that rebuilds its weights.
@export(implementation) @inline(__always)
func exponential<I: Instructions>(_: I.Type, _ x: I.Vector, _ shift: I.Vector, _ factor: I.Vector) -> I.Vector {
    VectorMath<I>.exp2(I.mul(I.sub(x, shift), factor))
}

/// Runs `KernelTable.softmax`.
@export(implementation) @inline(__always)
public func softmaxRows<I: Instructions>(_: I.Type, _ x: UnsafeMutablePointer<Float>, _ rows: Int, _ width: Int) {
    if width <= 0 { return }
    for r in 0..<rows {
        let row = x + r * width
        let maximum = maximumOf(I.self, row, width)
        let sum = exponentials(I.self, row, width, shift: maximum, factor: binaryScale(1))
        scaleRow(I.self, row, width, by: 1 / sum)
    }
}

/// Multiplies `count` floats by `factor` in place.
@export(implementation) @inline(__always)
func scaleRow<I: Instructions>(_: I.Type, _ x: UnsafeMutablePointer<Float>, _ count: Int, by factor: Float) {
    let f = I.splat(factor)
    var i = 0
    while i + I.lanes <= count {
        I.store(x + i, I.mul(I.load(x + i), f))
        i += I.lanes
    }
    if i < count { I.store(x + i, count: count - i, I.mul(I.load(x + i, count: count - i, fill: 0), f)) }
}
