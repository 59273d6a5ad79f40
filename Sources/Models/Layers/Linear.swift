import Kernels
import ModelFiles

/// torch.nn.Linear (https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html).
struct Linear: Sendable {
    /// [outputs, inputs]
    let weight: PackedWeight
    /// [outputs]. `nil` if there is none.
    let bias: FloatTensor?

    /// Computes out = (residual +) activation(a · Wᵀ + bias); see `PackedWeight.apply`.
    func apply(
        _ a: UnsafePointer<Float>, residual: UnsafePointer<Float>? = nil,
        activation: Activation = .identity, gated: Int? = nil, out: UnsafeMutablePointer<Float>, rows: Int,
        columns: Range<Int>? = nil, scratch: UnsafeMutablePointer<Float>? = nil
    ) {
        weight.apply(
            a, bias: bias, residual: residual, activation: activation, gated: gated, out: out, rows: rows,
            columns: columns, scratch: scratch)
    }
}

extension PackedWeight {
    /// Computes out = (residual +) activation(a · Wᵀ + bias).
    /// - Parameters:
    ///   - a: [rows, inputs], contiguous.
    ///   - residual: [rows, outputs], contiguous. `nil` adds nothing.
    ///   - gated: Width of a gated layer's output. `nil` if the layer is plain.
    ///   - out: [rows, outputs], or [rows, gated], contiguous.
    ///   - columns: The columns of `out` to compute, from the start of a panel on. `nil` computes all.
    ///   - scratch: `dense.scratchCount(rows, inputs)` floats, 64-byte aligned. `nil` in f32, which needs none.
    func apply(
        _ a: UnsafePointer<Float>, bias: FloatTensor?, residual: UnsafePointer<Float>? = nil,
        activation: Activation = .identity, gated: Int? = nil, out: UnsafeMutablePointer<Float>, rows: Int,
        columns: Range<Int>? = nil, scratch: UnsafeMutablePointer<Float>? = nil
    ) {
        var layer = DenseArguments(
            a: a, lda: inputs, packed: values, scratch: scratch, bias: bias?.values.baseAddress, residual: residual,
            ldResidual: outputs, activation: activation, out: out, ldOut: gated ?? outputs, m: rows, n: outputs,
            k: inputs, columns: columns)
        layer.gated = gated
        layer.cacheBytes = CPUCaches.l2Bytes
        dense.run(layer)
    }
}
