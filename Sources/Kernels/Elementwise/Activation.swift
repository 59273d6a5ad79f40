/// An activation function, applied by a dense layer's epilogue or by `KernelTable.activate`. Names follow torch.
public enum Activation: String, Sendable, CaseIterable {
    /// x.
    case identity
    /// max(x, 0).
    case relu
    /// x · Φ(x), with the normal distribution's Φ.
    case gelu
    /// ½x(1 + tanh(√(2/π)(x + 0.044715x³))).
    case geluTanh
    /// x · sigmoid(x).
    case silu
    /// tanh(x).
    case tanh
    /// 1 / (1 + e⁻ˣ).
    case sigmoid
    /// x · sigmoid(1.702 x).
    case quickGelu
    /// min(max(x, 0), 6).
    case relu6
    /// max(x, 0)².
    case reluSquared
    /// x for x ≥ 0, else 0.01 x.
    case leakyRelu
    /// x · tanh(ln(1 + eˣ)).
    case mish
    /// x for x ≥ 0, else eˣ − 1.
    case elu
    /// min(gelu(x), 10).
    case clippedGelu
    /// x · min(max(x + 3, 0), 6) / 6.
    case hardSwish
    /// Φ((x − 0.707107) / 0.282095).
    case laplace
    /// √ln(1 + eˣ).
    case sqrtSoftplus
}

/// Computes `x[r, i] = activation(x[r, i])` for `rows` rows of `width` floats, `stride` floats apart.
/// - Parameter isCoarse: Whether `x` comes from rounded factors and is rounded again, so that a GELU within 1e-4 is
///   accurate enough.
@export(implementation) @inline(__always)
public func activateRows<I: Instructions>(
    _: I.Type, _ activation: Activation, _ x: UnsafeMutablePointer<Float>, rows: Int, width: Int, stride: Int,
    isCoarse: Bool
) {
    switch activation {
    case .identity: break
    case .relu: mapRows(I.self, x, rows, width, stride) { VectorMath<I>.relu($0) }
    case .gelu where isCoarse: mapRows(I.self, x, rows, width, stride) { VectorMath<I>.coarseGelu($0) }
    case .gelu: mapRows(I.self, x, rows, width, stride) { VectorMath<I>.gelu($0) }
    case .geluTanh: mapRows(I.self, x, rows, width, stride) { VectorMath<I>.geluTanh($0) }
    case .silu: mapRows(I.self, x, rows, width, stride) { I.mul($0, VectorMath<I>.sigmoid($0)) }
    case .tanh: mapRows(I.self, x, rows, width, stride) { VectorMath<I>.tanh($0) }
    case .sigmoid: mapRows(I.self, x, rows, width, stride) { VectorMath<I>.sigmoid($0) }
    case .quickGelu:
        mapRows(I.self, x, rows, width, stride) { I.mul($0, VectorMath<I>.sigmoid(I.mul($0, I.splat(1.702)))) }
    case .relu6:
        mapRows(I.self, x, rows, width, stride) { VectorMath<I>.least(VectorMath<I>.relu($0), I.splat(6)) }
    case .reluSquared:
        mapRows(I.self, x, rows, width, stride) {
            let x = VectorMath<I>.relu($0)
            return I.mul(x, x)
        }
    case .leakyRelu:
        mapRows(I.self, x, rows, width, stride) { I.selectLess($0, I.splat(0), I.mul($0, I.splat(0.01)), $0) }
    case .mish: mapRows(I.self, x, rows, width, stride) { VectorMath<I>.mish($0) }
    case .elu: mapRows(I.self, x, rows, width, stride) { VectorMath<I>.elu($0) }
    case .clippedGelu:
        mapRows(I.self, x, rows, width, stride) { VectorMath<I>.least(VectorMath<I>.gelu($0), I.splat(10)) }
    case .hardSwish: mapRows(I.self, x, rows, width, stride) { VectorMath<I>.hardSwish($0) }
    case .laplace: mapRows(I.self, x, rows, width, stride) { VectorMath<I>.laplace($0) }
    case .sqrtSoftplus: mapRows(I.self, x, rows, width, stride) { VectorMath<I>.sqrtSoftplus($0) }
    }
}

/// Replaces each value of `rows` rows of `width` floats, `stride` floats apart, by `body` of it.
@export(implementation) @inline(__always)
func mapRows<I: Instructions>(
    _: I.Type, _ x: UnsafeMutablePointer<Float>, _ rows: Int, _ width: Int, _ stride: Int,
    _ body: (I.Vector) -> I.Vector
) {
    var row = x
    for _ in 0..<rows {
        var i = 0
        while i + I.lanes <= width {
            I.store(row + i, body(I.load(row + i)))
            i += I.lanes
        }
        if i < width { I.store(row + i, count: width - i, body(I.load(row + i, count: width - i, fill: 0))) }
        row += stride
    }
}
