/// The arguments of a dense layer, `out[m, n] = residual[m, n] + activation(a[m, k] · wᵀ[k, n] + bias[n])`, where `a`,
/// `bias`, `residual` and `out` are f32.
public struct DenseArguments {
    /// The input [m, k], row-major, rows `lda` floats apart.
    public var a: UnsafePointer<Float>
    public var lda: Int
    /// The weight [n, k] (torch's [out, in]), packed by the same `DenseKernels`.
    public var packed: UnsafeRawPointer
    /// Scratch of `DenseKernels.scratchCount(m, k)` floats, 64-byte aligned. `nil` if that count is 0, as in f32.
    public var scratch: UnsafeMutablePointer<Float>?
    /// The bias [n]. `nil` if the layer has none.
    public var bias: UnsafePointer<Float>?
    /// The residual [m, n], rows `ldResidual` floats apart, which may be the memory of `out`. `nil` if there is none.
    public var residual: UnsafePointer<Float>?
    public var ldResidual: Int
    public var activation: Activation
    /// The output [m, n], row-major, rows `ldOut` floats apart. It must not overlap `a`.
    public var out: UnsafeMutablePointer<Float>
    public var ldOut: Int
    /// Rows of the input and of the output.
    public var m: Int
    /// Columns of the output: rows of the weight.
    public var n: Int
    /// Columns of the input and of the weight.
    public var k: Int
    /// The output's width in columns of a gated layer (GLU: SwiGLU, GeGLU), `out[m, gated] = activation(gate) ⊙ up`.
    ///
    /// The rows of the weight, and the bias, interleave gate and up projection as `gatedOrder` says. A gated layer has
    /// no residual, and its `columns` are those of the weight, whole panels. `nil` if the layer is not gated.
    public var gated: Int?
    /// The size of the second-level cache in bytes, for which rows are cut into blocks.
    public var cacheBytes = 1 << 20
    /// The columns of `out` to compute, within 0 ..< n. The first is a multiple of `KernelTable.panelWidth`.
    public var columns: Range<Int>

    @inlinable public init(
        a: UnsafePointer<Float>, lda: Int, packed: UnsafeRawPointer, scratch: UnsafeMutablePointer<Float>? = nil,
        bias: UnsafePointer<Float>?, residual: UnsafePointer<Float>? = nil, ldResidual: Int = 0,
        activation: Activation = .identity, out: UnsafeMutablePointer<Float>, ldOut: Int, m: Int, n: Int, k: Int,
        columns: Range<Int>? = nil
    ) {
        self.a = a
        self.lda = lda
        self.packed = packed
        self.scratch = scratch
        self.bias = bias
        self.residual = residual
        self.ldResidual = ldResidual
        self.activation = activation
        self.out = out
        self.ldOut = ldOut
        self.m = m
        self.n = n
        self.k = k
        self.columns = columns ?? 0..<n
    }

    /// Returns where each row of a gated layer's weight comes from, in the order in which the weight is packed: half a
    /// panel of gate rows, half a panel of up rows, and so on. `row` is `nil` for the zeros that fill the last panel.
    /// - Parameter outputs: The layer's output width in columns.
    public static func gatedOrder(_ outputs: Int, panelWidth: Int) -> [(isGate: Bool, row: Int?)] {
        let half = panelWidth / 2
        return (0..<(outputs + half - 1) / half * panelWidth).map { i in
            let row = i / panelWidth * half + i % half
            return (i % panelWidth < half, row < outputs ? row : nil)
        }
    }
}
