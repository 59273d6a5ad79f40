import Kernels

/// The weights of one Transformer encoder layer (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.1):
/// attention, then the feed-forward part, each with a residual around it. `LayerExecution` shows the arithmetic.
struct EncoderLayer: Sendable {
    let attention: AttentionPart
    let attentionNorms: SublayerNorms
    let feedForward: FeedForward
    let feedForwardNorms: SublayerNorms
}

/// The attention of one layer. A row of its input has `heads` queries of `headDim` values, then `keyValueHeads` keys,
/// then as many values.
struct AttentionPart: Sendable {
    /// The projections of queries, keys and values as one layer, [(heads + 2 · keyValueHeads) · headDim, hidden].
    let qkv: Linear
    /// The norm of each head's query, [headDim], before rotary positions (Qwen3, Gemma 3). `nil` if there is none.
    var queryNorm: Norm?
    var keyNorm: Norm?
    /// The rotary positions of queries and keys. `nil` if there are none.
    var rotary: RotaryTable?
    /// The keys that each query attends to.
    var span = AttentionSpan.all
    /// The term that is added to the scores. `nil` if there is none.
    var bias: ScoreBias?
    /// Soft cap of the scores: cap · tanh(score / cap) (Gemma 2). `nil` if there is none.
    var softCap: Float?
    /// The output projection, [hidden, heads · headDim].
    let output: Linear
}

/// A term that is added to attention's scores, scale · q·k, before the softmax.
enum ScoreBias: Sendable {
    /// A bias by head and distance of key and query.
    case relative(RelativePositionBias)
    case disentangled(DisentangledBias)
}

struct FeedForward: Sendable {
    /// The up projection, [width, hidden], or the gate and up projections as one (`WeightScope.gated`).
    let up: Linear
    /// Whether the part is down(activation(gate(x)) ⊙ up(x)) (Shazeer 2020, https://arxiv.org/abs/2002.05202), not
    /// down(activation(up(x))).
    var isGated = false
    let activation: Activation
    /// The down projection, [hidden, width].
    let down: Linear

    var width: Int { down.weight.inputs }
}

/// The norms of a sublayer f, each of which may be missing: x ← post(x + branch(f(pre(x)))).
struct SublayerNorms: Sendable {
    var pre: Norm?
    var branch: Norm?
    var post: Norm?
}
