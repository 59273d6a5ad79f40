import KernelSelection
import Kernels

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
    let joined: DenseLayer
    /// Of each head's query and key, [headDim], before positions (Qwen3, Gemma 3).
    var queryNorm: Normalisation?
    var keyNorm: Normalisation?
    /// Which keys each query sees.
    var span = AttentionSpan.all
    /// What is added to the scores.
    var bias: ScoreBias?
    /// [hidden, heads · headDim]
    let output: DenseLayer
}

struct FeedForward: Sendable {
    /// [width, hidden]
    let up: DenseLayer
    let activation: Activation
    /// [hidden, width]
    let down: DenseLayer

    var width: Int { down.weight.inputs }
}

/// The norms of a sublayer f, each of which may be missing: x ← after(x + branch(f(before(x)))).
struct SublayerNorms: Sendable {
    var before: Normalisation?
    var branch: Normalisation?
    var after: Normalisation?
}

/// torch.nn.LayerNorm's weight and bias, [width].
struct Normalisation: Sendable {
    let weight: FloatTensor
    let bias: FloatTensor?
    let epsilon: Float

    func apply(
        _ kernels: KernelTable, _ x: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>, rows: Int, width: Int
    ) {
        guard let weight = weight.values.baseAddress else { return }
        kernels.layerNorm(
            LayerNorm(
                x: x, out: out, weight: weight, bias: bias?.values.baseAddress, rows: rows, width: width,
                epsilon: epsilon))
    }
}

/// torch.nn.Linear: weight [outputs, inputs] and bias [outputs].
struct DenseLayer: Sendable {
    let weight: PackedWeight
    let bias: FloatTensor?

    /// out = (residual +) activation(a · Wᵀ + bias), all rows contiguous; as `PackedWeight.apply`.
    func apply(
        _ kernels: KernelTable, _ a: UnsafePointer<Float>, residual: UnsafePointer<Float>? = nil,
        activation: Activation = .identity, out: UnsafeMutablePointer<Float>, rows: Int, columns: Range<Int>? = nil,
        scratch: UnsafeMutablePointer<Float>? = nil
    ) {
        weight.apply(
            kernels, a, bias: bias, residual: residual, activation: activation, out: out, rows: rows, columns: columns,
            scratch: scratch)
    }
}

extension PackedWeight {
    /// out = (residual +) activation(a · Wᵀ + bias), all rows contiguous.
    /// - Parameters:
    ///   - columns: those of `out` to make, from a whole panel on; nil: all.
    ///   - scratch: `dense.scratchCount(rows, inputs)` floats, 64-byte aligned; nil in f32, which needs none.
    func apply(
        _ kernels: KernelTable, _ a: UnsafePointer<Float>, bias: FloatTensor?, residual: UnsafePointer<Float>? = nil,
        activation: Activation = .identity, out: UnsafeMutablePointer<Float>, rows: Int, columns: Range<Int>? = nil,
        scratch: UnsafeMutablePointer<Float>? = nil
    ) {
        var layer = Dense(
            a: a, lda: inputs, packed: values, scratch: scratch, bias: bias?.values.baseAddress, residual: residual,
            ldResidual: outputs, activation: activation, out: out, ldOut: outputs, m: rows, n: outputs, k: inputs,
            columns: columns)
        layer.cacheBytes = Caches.secondLevel
        dense.dense(layer)
    }
}
