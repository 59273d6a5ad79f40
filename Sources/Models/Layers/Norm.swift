import Kernels
import ModelFiles

/// torch.nn.LayerNorm (https://docs.pytorch.org/docs/stable/generated/torch.nn.LayerNorm.html) or torch.nn.RMSNorm
/// (https://docs.pytorch.org/docs/stable/generated/torch.nn.RMSNorm.html) over the values of a row.
struct Norm: Sendable {
    enum Kind: Sendable {
        /// (x − mean) / √(variance + ε) · weight + bias.
        case layer
        /// x / √(mean of x² + ε) · weight.
        case rms
    }

    var kind = Kind.layer
    /// [width]
    let weight: FloatTensor
    /// [width]. `nil` if there is none.
    var bias: FloatTensor?
    let epsilon: Float

    /// Writes the normalized rows.
    /// - Parameters:
    ///   - x: [rows, width], contiguous.
    ///   - out: [rows, width], contiguous; may be `x`.
    func apply(
        _ kernels: KernelTable, _ x: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>, rows: Int, width: Int
    ) {
        guard let weight = weight.values.baseAddress else { return }
        switch kind {
        case .layer:
            kernels.layerNorm(
                LayerNormArguments(
                    x: x, out: out, weight: weight, bias: bias?.values.baseAddress, rows: rows, width: width,
                    epsilon: epsilon))
        case .rms:
            kernels.rmsNorm(
                RMSNormArguments(
                    x: x, out: out, weight: weight, rows: rows, width: width, stride: width, epsilon: epsilon))
        }
    }
}
