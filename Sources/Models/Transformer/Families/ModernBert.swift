import Kernels
import ModelFiles

/// ModernBERT (Warner et al. 2024, https://arxiv.org/abs/2412.13663) as transformers' ModernBertModel computes it
/// (https://github.com/huggingface/transformers/blob/main/src/transformers/models/modernbert/modeling_modernbert.py).
/// It has norms before sublayers, rotary positions and gated feed-forward parts. Most layers attend to near tokens only, and
/// their rotary angles grow faster.
enum ModernBert {
    static func definition(_ source: Checkpoint) throws(FileError) -> EncoderDefinition {
        let c = source.configuration
        try c.requireEncoder()
        let hidden = try c.int("hidden_size", in: 1...65_536)
        let heads = try c.int("num_attention_heads", in: 1...4096)
        try c.check(hidden, "hidden_size", dividedBy: heads, "num_attention_heads")
        let headDim = hidden / heads
        let feedForward = try c.int("intermediate_size", in: 1...1 << 20)
        let layers = try c.int("num_hidden_layers", in: 1...1024)
        let vocabulary = try c.int("vocab_size", in: 1...1 << 28)
        let positions = try c.int("max_position_embeddings", in: 1...1 << 24, default: 8192)
        let epsilon = Float(try c.double("norm_eps", in: 0...1, default: 1e-5))
        let normBias = try c.bool("norm_bias", default: false)
        let attentionBias = try c.bool("attention_bias", default: false)
        let feedForwardBias = try c.bool("mlp_bias", default: false)
        let activation = try c.activation("hidden_activation", default: "gelu")
        let every = try c.int("global_attn_every_n_layers", in: 1...1024, default: 3)
        let isLocal = try c.slidingLayers(layers) { $0 % every != 0 }
        let window = try c.int("local_attention", in: 0...1 << 24, default: 128)
        // The class has another key for the half of it, which takes precedence.
        let half = try c.int("sliding_window", in: 0...1 << 23, default: window / 2)
        let span = AttentionSpan.local(window: 2 * half)
        let global = try RopeConfiguration(
            c, type: "full_attention", thetaKey: "global_rope_theta", theta: 160_000, scaled: true, headDim: headDim,
            maximum: positions)
        let local = try RopeConfiguration(
            c, type: "sliding_attention", thetaKey: "local_rope_theta", theta: 10_000, scaled: true, headDim: headDim,
            maximum: positions)
        let (globalTable, localTable) = (RotaryTable(global), RotaryTable(local))

        let base = source.base(anchor: "embeddings.tok_embeddings.weight")
        func norm(_ names: WeightScope, _ name: String) throws(FileError) -> Norm {
            try names.norm(name, width: hidden, epsilon: epsilon, bias: normBias)
        }
        let embeddings = EncoderEmbeddings(
            input: .tokens(try base.table("embeddings.tok_embeddings.weight", rows: vocabulary, width: hidden)),
            norm: try norm(base, "embeddings.norm"))
        var all: [EncoderLayer] = []
        for i in 0..<layers {
            let names = base("layers.\(i)")
            all.append(
                EncoderLayer(
                    attention: AttentionPart(
                        qkv: try names.dense("attn.Wqkv", outputs: 3 * hidden, inputs: hidden, bias: attentionBias),
                        rotary: isLocal[i] ? localTable : globalTable, span: isLocal[i] ? span : .all,
                        output: try names.dense("attn.Wo", outputs: hidden, inputs: hidden, bias: attentionBias)),
                    // The embeddings' own norm stands before the first layer.
                    attentionNorms: SublayerNorms(pre: i == 0 ? nil : try norm(names, "attn_norm")),
                    feedForward: FeedForward(
                        up: try names.gated(
                            gate: .init("mlp.Wi", of: 2 * feedForward),
                            up: .init("mlp.Wi", of: 2 * feedForward, from: feedForward), width: feedForward,
                            inputs: hidden, bias: feedForwardBias),
                        isGated: true, activation: activation,
                        down: try names.dense("mlp.Wo", outputs: hidden, inputs: feedForward, bias: feedForwardBias)),
                    feedForwardNorms: SublayerNorms(pre: try norm(names, "mlp_norm"))))
        }
        var definition = EncoderDefinition(
            embeddings: embeddings,
            stack: EncoderStack(
                kernels: source.weights.kernels, hidden: hidden, heads: heads, headDim: headDim, layers: all,
                finalNorm: try norm(base, "final_norm")),
            heads: try Self.heads(c, epsilon: epsilon, normBias: normBias), base: base, vocabularySize: vocabulary,
            positions: min(global.positions, local.positions))
        definition.maskedLMHead = MaskedLMHeadPlan(
            transform: "head.dense", transformBias: try c.bool("classifier_bias", default: false),
            activation: try c.activation("classifier_activation", default: "gelu"), norm: "head.norm",
            normBias: normBias, epsilon: epsilon, decoder: "decoder.weight",
            words: "embeddings.tok_embeddings.weight",
            biases: try c.bool("decoder_bias", default: true) ? ["decoder.bias"] : [], width: hidden)
        return definition
    }

    private static func heads(
        _ c: ConfigurationFile, epsilon: Float, normBias: Bool
    ) throws(FileError) -> [EncoderTask: EncoderHeadPlan] {
        enum Rows: String, CaseIterable { case cls, mean }
        let rows: Rows = try c.choice("classifier_pooling", default: .cls)
        let head = EncoderHeadPlan.Layer(
            name: "head.dense", bias: try c.bool("classifier_bias", default: false),
            activation: try c.activation("classifier_activation", default: "gelu"),
            norm: .init(name: "head.norm", epsilon: epsilon, bias: normBias))
        return [
            .sequenceClassification: EncoderHeadPlan(
                rows: rows == .cls ? .first : .mean, inner: [head], output: .init(name: "classifier")),
            .tokenClassification: EncoderHeadPlan(rows: .all, inner: [head], output: .init(name: "classifier")),
            .questionAnswering: EncoderHeadPlan(rows: .all, inner: [head], output: .init(name: "classifier")),
        ]
    }
}
