/// The arguments of layer normalization of each row, `out[r] = weight ⊙ (x[r] − mean) / √(var + epsilon) + bias`, in
/// f32 (torch.nn.LayerNorm).
public struct LayerNormArguments {
    /// The input [rows, width], contiguous. `out` may be the same memory.
    public var x: UnsafePointer<Float>
    public var out: UnsafeMutablePointer<Float>
    /// The weight [width].
    public var weight: UnsafePointer<Float>
    /// The bias [width]. `nil` if there is none.
    public var bias: UnsafePointer<Float>?
    public var rows: Int
    public var width: Int
    public var epsilon: Float

    public init(
        x: UnsafePointer<Float>, out: UnsafeMutablePointer<Float>, weight: UnsafePointer<Float>,
        bias: UnsafePointer<Float>?, rows: Int, width: Int, epsilon: Float
    ) {
        self.x = x
        self.out = out
        self.weight = weight
        self.bias = bias
        self.rows = rows
        self.width = width
        self.epsilon = epsilon
    }
}

/// The arguments of root-mean-square normalization of each row, `out[r] = weight ⊙ x[r] / √(mean(x[r]²) + epsilon)`, in
/// f32 (torch.nn.RMSNorm).
public struct RMSNormArguments {
    /// The input [rows, width], rows `stride` floats apart here and in `out`, which may be the same memory.
    public var x: UnsafePointer<Float>
    public var out: UnsafeMutablePointer<Float>
    /// The weight [width].
    public var weight: UnsafePointer<Float>
    public var rows: Int
    public var width: Int
    public var stride: Int
    public var epsilon: Float

    public init(
        x: UnsafePointer<Float>, out: UnsafeMutablePointer<Float>, weight: UnsafePointer<Float>, rows: Int, width: Int,
        stride: Int, epsilon: Float
    ) {
        self.x = x
        self.out = out
        self.weight = weight
        self.rows = rows
        self.width = width
        self.stride = stride
        self.epsilon = epsilon
    }
}

/// Runs `KernelTable.layerNorm`: the mean first, then the variance around it, as two passes over a row that is in
/// cache.
///
/// With y = (x − mean) / σ, the error is below 2⁻²¹ · (|weight| · (|y| + |mean| / σ) + |bias|) wherever the sums of the
/// row and of its squares are finite. The rounding of the mean is what a row far from 0 costs.
@export(implementation) @inline(__always)
public func layerNormRows<I: Instructions>(_: I.Type, _ n: LayerNormArguments) {
    if n.width <= 0 { return }
    let whole = n.width / I.lanes * I.lanes
    let count = Float(n.width)
    for r in 0..<n.rows {
        let x = n.x + r * n.width
        let out = n.out + r * n.width

        var sum0 = I.splat(0)
        var sum1 = I.splat(0)
        var i = 0
        while i + 2 * I.lanes <= whole {
            sum0 = I.add(sum0, I.load(x + i))
            sum1 = I.add(sum1, I.load(x + i + I.lanes))
            i += 2 * I.lanes
        }
        if i < whole { sum0 = I.add(sum0, I.load(x + i)) }
        var total = I.sum(I.add(sum0, sum1))
        for j in whole..<n.width { total += x[j] }
        let mean = total / count

        let center = I.splat(mean)
        sum0 = I.splat(0)
        sum1 = I.splat(0)
        i = 0
        while i + 2 * I.lanes <= whole {
            let d0 = I.sub(I.load(x + i), center)
            let d1 = I.sub(I.load(x + i + I.lanes), center)
            sum0 = I.fma(d0, d0, sum0)
            sum1 = I.fma(d1, d1, sum1)
            i += 2 * I.lanes
        }
        if i < whole {
            let d = I.sub(I.load(x + i), center)
            sum0 = I.fma(d, d, sum0)
        }
        total = I.sum(I.add(sum0, sum1))
        for j in whole..<n.width { total += (x[j] - mean) * (x[j] - mean) }
        let inverse = 1 / (total / count + n.epsilon).squareRoot()

        let factor = I.splat(inverse)
        i = 0
        while i < whole {
            let scaled = I.mul(I.mul(I.sub(I.load(x + i), center), factor), I.load(n.weight + i))
            I.store(out + i, n.bias.map { I.add(scaled, I.load($0 + i)) } ?? scaled)
            i += I.lanes
        }
        for j in whole..<n.width {
            out[j] = (x[j] - mean) * inverse * n.weight[j] + (n.bias.map { $0[j] } ?? 0)
        }
    }
}

/// Runs `KernelTable.rmsNorm`.
@export(implementation) @inline(__always)
public func rmsNormRows<I: Instructions>(_: I.Type, _ n: RMSNormArguments) {
    if n.width <= 0 { return }
    let whole = n.width / I.lanes * I.lanes
    for r in 0..<n.rows {
        let x = n.x + r * n.stride
        let out = n.out + r * n.stride
        var sum0 = I.splat(0)
        var sum1 = I.splat(0)
        var i = 0
        while i + 2 * I.lanes <= whole {
            let x0 = I.load(x + i)
            let x1 = I.load(x + i + I.lanes)
            sum0 = I.fma(x0, x0, sum0)
            sum1 = I.fma(x1, x1, sum1)
            i += 2 * I.lanes
        }
        if i < whole {
            let x0 = I.load(x + i)
            sum0 = I.fma(x0, x0, sum0)
        }
        var total = I.sum(I.add(sum0, sum1))
        for j in whole..<n.width { total += x[j] * x[j] }
        let inverse = 1 / (total / Float(n.width) + n.epsilon).squareRoot()
        let factor = I.splat(inverse)
        i = 0
        while i < whole {
            I.store(out + i, I.mul(I.mul(I.load(x + i), factor), I.load(n.weight + i)))
            i += I.lanes
        }
        for j in whole..<n.width { out[j] = x[j] * inverse * n.weight[j] }
    }
}
