import Kernels
import ModelFiles

/// Gemma 3's text models, EmbeddingGemma among them, as transformers' Gemma3TextModel computes them
/// (https://github.com/huggingface/transformers/blob/main/src/transformers/models/gemma3/modeling_gemma3.py): RMS norms
/// before and after every sublayer, of queries and of keys; grouped queries; rotary positions. Most layers attend to
/// near tokens only and turn faster. EmbeddingGemma attends in both directions (`use_bidirectional_attention`).
///
/// `attn_logit_softcapping` has no effect, since the attention of transformers' class does not read it.
enum Gemma3 {
    static func definition(_ source: Checkpoint) throws(FileError) -> EncoderDefinition {
        let c = source.configuration
        let hidden = try c.int("hidden_size", in: 1...65_536)
        let heads = try c.int("num_attention_heads", in: 1...4096)
        let keyValueHeads = try c.int("num_key_value_heads", in: 1...4096, default: 4)
        try c.check(heads, "num_attention_heads", dividedBy: keyValueHeads, "num_key_value_heads")
        let headDim = try c.int("head_dim", in: 1...4096, default: 256)
        let feedForward = try c.int("intermediate_size", in: 1...1 << 20)
        let layers = try c.int("num_hidden_layers", in: 1...1024)
        let vocabulary = try c.int("vocab_size", in: 1...1 << 28)
        let maximum = try c.int("max_position_embeddings", in: 1...1 << 24, default: 131_072)
        let epsilon = Float(try c.double("rms_norm_eps", in: 0...1, default: 1e-6))
        let activation = try c.activation("hidden_activation", default: "gelu_pytorch_tanh")
        let bias = try c.bool("attention_bias", default: false)
        let scalar = try c.double("query_pre_attn_scalar", in: 1e-6...1e6, default: 256)
        let pattern = try c.int("sliding_window_pattern", "_sliding_window_pattern", in: 1...1024, default: 6)
        let isSliding = try c.slidingLayers(layers) { ($0 + 1) % pattern != 0 }
        let (full, sliding) = try spans(c)
        let global = try RopeConfiguration(
            c, type: "full_attention", thetaKey: "rope_theta", theta: 1_000_000, scaled: true, headDim: headDim,
            maximum: maximum)
        let local = try RopeConfiguration(
            c, type: "sliding_attention", thetaKey: "rope_local_base_freq", theta: 10_000, scaled: false,
            headDim: headDim, maximum: maximum)
        let (globalTable, localTable) = (RotaryTable(global), RotaryTable(local))

        let base = source.base(anchor: "embed_tokens.weight")
        func norm(_ names: WeightScope, _ name: String, _ width: Int? = nil) throws(FileError) -> Norm {
            try names.rmsNorm(name, width: width ?? hidden, epsilon: epsilon, offset: 1)
        }
        var all: [EncoderLayer] = []
        for i in 0..<layers {
            let names = base("layers.\(i)")
            let (attention, mlp) = (names("self_attn"), names("mlp"))
            let (inner, shared) = (heads * headDim, keyValueHeads * headDim)
            all.append(
                EncoderLayer(
                    attention: AttentionPart(
                        qkv: try attention.dense(
                            joined: [("q_proj", inner), ("k_proj", shared), ("v_proj", shared)], inputs: hidden,
                            bias: bias),
                        queryNorm: try norm(attention, "q_norm", headDim),
                        keyNorm: try norm(attention, "k_norm", headDim),
                        rotary: isSliding[i] ? localTable : globalTable, span: isSliding[i] ? sliding : full,
                        output: try attention.dense("o_proj", outputs: hidden, inputs: inner, bias: bias)),
                    attentionNorms: SublayerNorms(
                        pre: try norm(names, "input_layernorm"),
                        branch: try norm(names, "post_attention_layernorm")),
                    feedForward: FeedForward(
                        up: try mlp.gated(
                            gate: .init("gate_proj", of: feedForward), up: .init("up_proj", of: feedForward),
                            width: feedForward, inputs: hidden),
                        isGated: true, activation: activation,
                        down: try mlp.dense("down_proj", outputs: hidden, inputs: feedForward, bias: false)),
                    feedForwardNorms: SublayerNorms(
                        pre: try norm(names, "pre_feedforward_layernorm"),
                        branch: try norm(names, "post_feedforward_layernorm"))))
        }
        return EncoderDefinition(
            embeddings: EncoderEmbeddings(
                input: .tokens(
                    try base.table("embed_tokens.weight", rows: vocabulary, width: hidden),
                    scale: Float(Double(hidden).squareRoot()))),
            stack: EncoderStack(
                kernels: source.weights.kernels, hidden: hidden, heads: heads, keyValueHeads: keyValueHeads,
                headDim: headDim, scale: Float(1 / scalar.squareRoot()), layers: all,
                finalNorm: try norm(base, "norm")),
            heads: try Llama.heads(c, padding: 0), base: base, vocabularySize: vocabulary,
            positions: min(global.positions, local.positions), pooling: full == .all ? .mean : .last)
    }

    /// Reads the spans of layers that attend to all tokens, and of layers that attend to near ones.
    private static func spans(_ c: ConfigurationFile) throws(FileError) -> (full: AttentionSpan, sliding: AttentionSpan)
    {
        let isBothWays = try c.bool("use_bidirectional_attention", default: false)
        let isCausal = try c.bool("is_causal", default: true)
        guard let window = try c.int("sliding_window", in: 1...1 << 24, absent: 4096) else {
            throw FileError(file: c.file, "'sliding_window' is null; it should be how many tokens near layers see")
        }
        if isBothWays {
            // The class makes window / 2 + 1 of it, which is |i − j| < that, or ≤ where `is_causal` is false.
            let near = isCausal ? window / 2 : window / 2 + 1
            return (.all, AttentionSpan(before: near, after: near))
        }
        return isCausal
            ? (.causal, .causal(window: window)) : (.all, AttentionSpan(before: window, after: window))
    }
}
