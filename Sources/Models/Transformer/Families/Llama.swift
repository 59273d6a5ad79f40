import Kernels
import ModelFiles

/// Llama (Touvron et al. 2023, https://arxiv.org/abs/2302.13971), Mistral, Qwen2 and Qwen3 as transformers' models of
/// these names compute them
/// (https://github.com/huggingface/transformers/blob/main/src/transformers/models/qwen3/modeling_qwen3.py): RMS norms
/// before sublayers, grouped queries, rotary positions, a gated feed-forward part; causal unless `is_causal` is false.
/// They differ in biases, in norms of queries and keys, and in the layers that attend to near tokens only.
enum Llama {
    static func definition(_ source: Checkpoint) throws(FileError) -> EncoderDefinition {
        let c = source.configuration
        let family = try c.string("model_type") ?? ""
        let hidden = try c.int("hidden_size", in: 1...65_536)
        let heads = try c.int("num_attention_heads", in: 1...4096)
        let keyValueHeads =
            try c.int(
                "num_key_value_heads", in: 1...4096, absent: family == "mistral" ? 8 : family == "llama" ? heads : 32)
            ?? heads
        try c.check(heads, "num_attention_heads", dividedBy: keyValueHeads, "num_key_value_heads")
        if c.object["head_dim"]?.int == nil, family != "qwen3" {
            try c.check(hidden, "hidden_size", dividedBy: heads, "num_attention_heads")
        }
        let headDim = try c.int("head_dim", in: 1...4096, default: family == "qwen3" ? 128 : hidden / heads)
        let feedForward = try c.int("intermediate_size", in: 1...1 << 20)
        let layers = try c.int("num_hidden_layers", in: 1...1024)
        let vocabulary = try c.int("vocab_size", in: 1...1 << 28)
        let epsilon = Float(try c.double("rms_norm_eps", in: 0...1, default: 1e-6))
        let activation = try c.activation("hidden_act", default: "silu")
        let attentionBias = try c.bool("attention_bias", default: false)
        let bias =
            switch family {
            case "qwen2": (joined: true, output: false, feedForward: false)
            case "qwen3": (joined: attentionBias, output: attentionBias, feedForward: false)
            case "mistral": (joined: false, output: false, feedForward: false)
            default:
                (joined: attentionBias, output: attentionBias, feedForward: try c.bool("mlp_bias", default: false))
            }
        let spans = try spans(c, family, layers)
        let maximum = try c.int(
            "max_position_embeddings", in: 1...1 << 24,
            default: family == "llama" ? 2048 : family == "mistral" ? 131_072 : 32_768)
        let rope = try RopeConfiguration(c, headDim: headDim, maximum: maximum)
        let rotary = RotaryTable(rope)

        let base = source.base(anchor: "embed_tokens.weight")
        func norm(_ names: WeightScope, _ name: String, _ width: Int) throws(FileError) -> Norm {
            try names.rmsNorm(name, width: width, epsilon: epsilon)
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
                            bias: bias.joined),
                        queryNorm: family == "qwen3" ? try norm(attention, "q_norm", headDim) : nil,
                        keyNorm: family == "qwen3" ? try norm(attention, "k_norm", headDim) : nil, rotary: rotary,
                        span: spans[i],
                        output: try attention.dense("o_proj", outputs: hidden, inputs: inner, bias: bias.output)),
                    attentionNorms: SublayerNorms(pre: try norm(names, "input_layernorm", hidden)),
                    feedForward: FeedForward(
                        up: try mlp.gated(
                            gate: .init("gate_proj", of: feedForward), up: .init("up_proj", of: feedForward),
                            width: feedForward, inputs: hidden, bias: bias.feedForward),
                        isGated: true, activation: activation,
                        down: try mlp.dense("down_proj", outputs: hidden, inputs: feedForward, bias: bias.feedForward)),
                    feedForwardNorms: SublayerNorms(pre: try norm(names, "post_attention_layernorm", hidden))))
        }
        return EncoderDefinition(
            embeddings: EncoderEmbeddings(
                input: .tokens(try base.table("embed_tokens.weight", rows: vocabulary, width: hidden))),
            stack: EncoderStack(
                kernels: source.weights.kernels, hidden: hidden, heads: heads, keyValueHeads: keyValueHeads,
                headDim: headDim, layers: all, finalNorm: try norm(base, "norm", hidden)),
            heads: try Llama.heads(c), base: base, vocabularySize: vocabulary, positions: rope.positions,
            pooling: .last)
    }

    /// Makes the heads of transformers' GenericForSequenceClassification and GenericForTokenClassification
    /// (https://github.com/huggingface/transformers/blob/main/src/transformers/modeling_layers.py).
    /// - Parameter padding: The default of `pad_token_id`; −1 for no token.
    static func heads(_ c: ConfigurationFile, padding: Int = -1) throws(FileError) -> [EncoderTask: EncoderHeadPlan] {
        [
            .sequenceClassification: EncoderHeadPlan(
                rows: .lastBut(try c.int("pad_token_id", in: -1...1 << 28, absent: padding) ?? -1),
                output: .init(name: "score", bias: false)),
            .tokenClassification: EncoderHeadPlan(
                rows: .all,
                output: .init(name: "score", bias: try c.bool("token_classification_bias", default: true))),
            .questionAnswering: Bert.answers,
        ]
    }

    private static func spans(
        _ c: ConfigurationFile, _ family: String, _ layers: Int
    ) throws(FileError) -> [AttentionSpan] {
        let isCausal = try c.bool("is_causal", default: true)
        var window: Int?
        if family == "mistral" {
            window = try c.int("sliding_window", in: 1...1 << 24, absent: 4096)
        } else if family != "llama", try c.bool("use_sliding_window", default: false) {
            window = try c.int("sliding_window", in: 1...1 << 24, absent: 4096)
        }
        let first = try c.int("max_window_layers", in: 0...1 << 24, default: 28)
        let isSliding: [Bool] =
            switch family {
            case "llama": Array(repeating: false, count: layers)
            case "mistral": Array(repeating: window != nil, count: layers)
            default: try c.slidingLayers(layers) { window != nil && $0 >= first }
            }
        return try isSliding.map { isSliding throws(FileError) in
            if !isSliding { return isCausal ? .causal : .all }
            guard let window else {
                throw FileError(
                    file: c.file, "'layer_types' has 'sliding_attention', but there is no 'sliding_window' in use")
            }
            // Both ways, create_bidirectional_sliding_window_mask (masking_utils.py) counts the window on either side.
            return isCausal ? .causal(window: window) : AttentionSpan(before: window, after: window)
        }
    }
}
