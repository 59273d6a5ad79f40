import Kernels
import ModelFiles

/// The encoder of T5 (Raffel et al. 2020, https://arxiv.org/abs/1910.10683), mT5 and UMT5 as transformers'
/// T5EncoderModel computes it
/// (https://github.com/huggingface/transformers/blob/main/src/transformers/models/t5/modeling_t5.py): RMS norms before
/// sublayers, no biases, scores without scaling to which a bias by distance is added. A decoder's tensors, if the
/// checkpoint has them, are left alone.
enum T5 {
    static func definition(_ source: Checkpoint) throws(FileError) -> EncoderDefinition {
        let c = source.configuration
        try c.requireEncoder()
        let hidden = try c.int("d_model", in: 1...65_536)
        let heads = try c.int("num_heads", in: 1...4096)
        let headDim = try c.int("d_kv", in: 1...4096)
        let inner = heads * headDim
        let feedForward = try c.int("d_ff", in: 1...1 << 20)
        let layers = try c.int("num_layers", in: 1...1024)
        let vocabulary = try c.int("vocab_size", in: 1...1 << 28)
        let epsilon = Float(try c.double("layer_norm_epsilon", in: 0...1, default: 1e-6))
        let buckets = try c.int("relative_attention_num_buckets", in: 4...65_536, default: 32)
        let maxDistance = try c.int("relative_attention_max_distance", in: 1...1 << 24, default: 128)
        guard buckets % 2 == 0, maxDistance > buckets / 4 else {
            throw FileError(
                file: c.file,
                "'relative_attention_num_buckets' is \(buckets) and 'relative_attention_max_distance' "
                    + "\(maxDistance); the first should be even, the second above a quarter of it")
        }
        let isOwnBias = try c.string("model_type") == "umt5"
        let (isGated, activation) = try activation(
            c, default: c.string("model_type") == "t5" ? "relu" : "gated-gelu")

        let base = source.base(anchor: "encoder.block.0.layer.0.SelfAttention.q.weight")
        let words = ["shared.weight", "encoder.embed_tokens.weight"].first(where: base.has) ?? "shared.weight"
        let embeddings = EncoderEmbeddings(
            input: .tokens(try base.table(words, rows: vocabulary, width: hidden)))
        func norm(_ names: WeightScope, _ name: String) throws(FileError) -> Norm {
            try names.rmsNorm(name, width: hidden, epsilon: epsilon)
        }
        var all: [EncoderLayer] = []
        var bias: ScoreBias?
        for i in 0..<layers {
            let names = base("encoder.block.\(i)")
            let (attention, dense) = (names("layer.0.SelfAttention"), names("layer.1.DenseReluDense"))
            if i == 0 || isOwnBias {
                let table = try attention.floats("relative_attention_bias.weight", [buckets, heads])
                bias = .relative(
                    RelativePositionBias(table, buckets: buckets, heads: heads) {
                        RelativePositionBias.bucket(distance: $0, buckets: buckets, maxDistance: maxDistance)
                    })
            }
            all.append(
                EncoderLayer(
                    attention: AttentionPart(
                        qkv: try attention.dense(
                            joined: ["q", "k", "v"].map { ($0, inner) }, inputs: hidden, bias: false),
                        bias: bias,
                        output: try attention.dense("o", outputs: hidden, inputs: inner, bias: false)),
                    attentionNorms: SublayerNorms(pre: try norm(names, "layer.0.layer_norm")),
                    feedForward: FeedForward(
                        up: isGated
                            ? try dense.gated(
                                gate: .init("wi_0", of: feedForward), up: .init("wi_1", of: feedForward),
                                width: feedForward, inputs: hidden)
                            : try dense.dense("wi", outputs: feedForward, inputs: hidden, bias: false),
                        isGated: isGated, activation: activation,
                        down: try dense.dense("wo", outputs: hidden, inputs: feedForward, bias: false)),
                    feedForwardNorms: SublayerNorms(pre: try norm(names, "layer.1.layer_norm"))))
        }
        return EncoderDefinition(
            embeddings: embeddings,
            stack: EncoderStack(
                kernels: source.weights.kernels, hidden: hidden, heads: heads, headDim: headDim, scale: 1, layers: all,
                finalNorm: try norm(base, "encoder.final_layer_norm")),
            heads: [.tokenClassification: Bert.tokens], base: base, vocabularySize: vocabulary)
    }

    /// Reads `feed_forward_proj`: the name of a function, or `gated-` and one. The name `gated-gelu` means the tanh
    /// form.
    private static func activation(
        _ c: ConfigurationFile, default value: String
    ) throws(FileError) -> (isGated: Bool, Activation) {
        let key = "feed_forward_proj"
        let name = try c.string(key) ?? value
        if name == "gated-gelu" { return (true, .geluTanh) }
        let isGated = name.hasPrefix("gated-")
        return (isGated, try c.activation(named: isGated ? String(name.dropFirst("gated-".count)) : name, key))
    }
}
