import Kernels
import ModelFiles

/// The convolution of DeBERTa-v2: torch.nn.Conv1d over a sequence's vectors with zeros on both sides, then an
/// activation, a residual and a norm (transformers' ConvLayer,
/// https://github.com/huggingface/transformers/blob/main/src/transformers/models/deberta_v2/modeling_deberta_v2.py).
struct Conv1d: Sendable {
    /// The weights of each group, [hidden / groups, kernel · hidden / groups]. A row spans the group's columns of
    /// `kernel` consecutive positions.
    private let weights: [PackedWeight]
    /// [hidden]
    private let bias: FloatTensor
    /// Positions that the convolution covers; odd.
    private let kernel: Int
    private let hidden: Int
    private let activation: Activation
    private let norm: Norm

    /// - Parameters:
    ///   - names: The scope of `conv.weight` [hidden, hidden / groups, kernel], `conv.bias` [hidden] and `LayerNorm`.
    ///   - kernel: Positions that the convolution covers; odd.
    ///   - groups: Groups of columns; a divisor of `hidden`.
    init(
        _ names: WeightScope, hidden: Int, kernel: Int, groups: Int, activation: Activation, epsilon: Float
    ) throws(FileError) {
        let width = hidden / groups
        let weight = try names.floats("conv.weight", [hidden, width, kernel])
        let dense = names.reader.kernels.f32
        var weights: [PackedWeight] = []
        // torch's kernel positions are innermost; here they are outermost.
        var turned = [Float](repeating: 0, count: width * width * kernel)
        for group in 0..<groups {
            for output in 0..<width {
                for input in 0..<width {
                    for place in 0..<kernel {
                        turned[(output * kernel + place) * width + input] =
                            weight.values[((group * width + output) * width + input) * kernel + place]
                    }
                }
            }
            weights.append(PackedWeight(turned, outputs: width, inputs: kernel * width, dense: dense))
        }
        self.weights = weights
        bias = try names.floats("conv.bias", [hidden])
        norm = try names.norm("LayerNorm", width: hidden, epsilon: epsilon)
        self.kernel = kernel
        self.hidden = hidden
        self.activation = activation
    }

    private var width: Int { hidden / weights.count }

    /// Returns the floats that `apply` takes from scratch.
    func scratchCount(_ batch: RaggedBatch) -> Int { Scratch.rounded((batch.longest + kernel - 1) * width) }

    /// Computes x ← norm(x + activation(convolution(input))).
    /// - Parameters:
    ///   - input: [rows, hidden].
    ///   - x: [rows, hidden].
    func apply(
        _ batch: RaggedBatch, _ input: UnsafePointer<Float>, _ x: UnsafeMutablePointer<Float>, scratch: Scratch,
        _ kernels: KernelTable
    ) {
        guard let bias = bias.values.baseAddress else { return }
        let padding = kernel / 2
        let padded = scratch.take((batch.longest + kernel - 1) * width)
        for (offset, length) in zip(batch.offsets, batch.lengths) {
            let (input, x) = (input + offset * hidden, x + offset * hidden)
            for (group, weight) in weights.enumerated() {
                let column = group * width
                padded.update(repeating: 0, count: padding * width)
                for row in 0..<length {
                    (padded + (padding + row) * width).update(from: input + row * hidden + column, count: width)
                }
                (padded + (padding + length) * width).update(repeating: 0, count: padding * width)
                // Rows `width` apart that are `kernel` times as wide: each sees its neighbors.
                weight.dense.run(
                    DenseArguments(
                        a: padded, lda: width, packed: weight.values, bias: bias + column, residual: x + column,
                        ldResidual: hidden, activation: activation, out: x + column, ldOut: hidden, m: length, n: width,
                        k: kernel * width))
            }
        }
        norm.apply(kernels, x, x, rows: batch.rows, width: hidden)
    }
}
