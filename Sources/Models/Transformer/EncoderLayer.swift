import Kernels
import ModelFiles

/// Weights of one Transformer encoder layer (Vaswani et al. 2017, section 3.1): attention, then feed-forward, each with a
/// residual around it.
struct EncoderLayer: Sendable {
    let attention: AttentionPart
    let attentionNorms: SublayerNorms
    let feedForward: FeedForward
    let feedForwardNorms: SublayerNorms
}

/// What attention of one layer reads: `heads` queries of `headDim` side by side, then `keyValueHeads` keys, then as many
/// values.
struct AttentionPart: Sendable {
    /// Query, key and value joined, [(heads + 2 · keyValueHeads) · headDim, hidden].
    let joined: Linear
    /// Of each head's query and key, [headDim], before positions (Qwen3, Gemma 3).
    var queryNorm: Norm?
    var keyNorm: Norm?
    /// Turns queries and keys by their positions.
    var rotary: RotaryTable?
    /// Which keys each query sees.
    var span = AttentionSpan.all
    /// Added to the scores.
    var bias: ScoreBias?
    /// Soft cap of the scores: cap · tanh(score / cap) (Gemma 2).
    var softCap: Float?
    /// [hidden, heads · headDim]
    let output: Linear
}

/// What is added to attention's scores, scale · q·k, before the softmax.
enum ScoreBias: Sendable {
    /// By the distance of key and query.
    case relative(RelativeBias)
    case disentangled(DisentangledBias)
}

struct FeedForward: Sendable {
    /// [width, hidden]; gated, gate and up projection in one: see `WeightScope.gated`.
    let up: Linear
    /// down(activation(gate(x)) ⊙ up(x)) (Shazeer 2020, https://arxiv.org/abs/2002.05202) instead of
    /// down(activation(up(x))).
    var isGated = false
    let activation: Activation
    /// [hidden, width]
    let down: Linear

    var width: Int { down.weight.inputs }
}

/// The norms of a sublayer f, each of which may be missing: x ← after(x + branch(f(before(x)))).
struct SublayerNorms: Sendable {
    var before: Norm?
    var branch: Norm?
    var after: Norm?
}

/// torch.nn.LayerNorm's weight and bias, [width], or torch.nn.RMSNorm's weight.
struct Norm: Sendable {
    enum Kind: Sendable { case layer, rms }

    var kind = Kind.layer
    let weight: FloatTensor
    var bias: FloatTensor?
    let epsilon: Float

    /// - Parameters:
    ///   - x: [rows, width], contiguous; likewise `out`, which may be `x`.
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

/// torch.nn.Linear: weight [outputs, inputs] and bias [outputs].
struct Linear: Sendable {
    let weight: PackedWeight
    let bias: FloatTensor?

    /// out = (residual +) activation(a · Wᵀ + bias), all rows contiguous; as `PackedWeight.apply`.
    /// - Parameter gated: width of a gated layer's output; nil: a plain layer.
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
    /// out = (residual +) activation(a · Wᵀ + bias), all rows contiguous.
    /// - Parameters:
    ///   - columns: those of `out` to make, from a whole panel on; nil: all.
    ///   - scratch: `dense.scratchCount(rows, inputs)` floats, 64-byte aligned; nil in f32, which needs none.
    ///   - gated: width of a gated layer's output; nil: a plain layer.
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
