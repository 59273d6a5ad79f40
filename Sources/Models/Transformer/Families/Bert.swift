import Kernels

/// BERT (Devlin et al. 2019) as transformers' BertModel computes it
/// (https://github.com/huggingface/transformers/blob/main/src/transformers/models/bert/modeling_bert.py).
enum Bert {
    static func parts(_ source: ModelSource) throws(ModelError) -> EncoderParts {
        let c = source.configuration
        let hidden = try c.int("hidden_size", in: 1...65_536)
        let heads = try c.int("num_attention_heads", in: 1...4096)
        try c.check(hidden, "hidden_size", dividedBy: heads, "num_attention_heads")
        let feedForward = try c.int("intermediate_size", in: 1...1 << 20)
        let layers = try c.int("num_hidden_layers", in: 1...1024)
        let vocabulary = try c.int("vocab_size", in: 1...1 << 28)
        let positions = try c.int("max_position_embeddings", in: 1...1 << 24)
        let types = try c.int("type_vocab_size", in: 1...65_536, default: 2)
        let epsilon = Float(try c.double("layer_norm_eps", in: 0...1, default: 1e-12))
        let activation = try c.activation("hidden_act", default: "gelu")
        try c.require("position_embedding_type", "absolute", why: "only 'absolute' positions are supported")
        try c.requireEncoder()

        let base = source.base(anchor: "embeddings.word_embeddings.weight")
        let names = base("embeddings")
        let embeddings = EncoderEmbeddings(
            input: .tokens(try names.table("word_embeddings.weight", rows: vocabulary, width: hidden)),
            positions: .learned(try names.table("position_embeddings.weight", rows: positions, width: hidden)),
            types: try names.table("token_type_embeddings.weight", rows: types, width: hidden),
            norm: try names.norm("LayerNorm", width: hidden, epsilon: epsilon))
        var all: [EncoderLayer] = []
        for i in 0..<layers {
            all.append(
                try layer(base("encoder.layer.\(i)"), hidden, feedForward, activation: activation, epsilon: epsilon))
        }
        return EncoderParts(
            embeddings: embeddings,
            stack: EncoderStack(
                kernels: source.weights.kernels, hidden: hidden, heads: heads, headDim: hidden / heads, layers: all),
            heads: [
                .sequenceClassification: EncoderHeadPlan(
                    rows: .first, inner: [.init(name: "pooler.dense", inBase: true, activation: .tanh)],
                    output: .init(name: "classifier")),
                .tokenClassification: EncoderHeadPlan(rows: .all, output: .init(name: "classifier")),
            ], base: base, vocabularySize: vocabulary, tokenTypes: types, positions: positions)
    }

    /// transformers' BertLayer, which BERT's kin share.
    static func layer(
        _ names: WeightScope, _ hidden: Int, _ feedForward: Int, activation: Activation, epsilon: Float
    ) throws(ModelError) -> EncoderLayer {
        EncoderLayer(
            attention: AttentionPart(
                joined: try names("attention.self").dense(
                    joined: ["query", "key", "value"].map { ($0, hidden) }, inputs: hidden),
                output: try names.dense("attention.output.dense", outputs: hidden, inputs: hidden)),
            attentionNorms: SublayerNorms(
                after: try names.norm("attention.output.LayerNorm", width: hidden, epsilon: epsilon)),
            feedForward: FeedForward(
                up: try names.dense("intermediate.dense", outputs: feedForward, inputs: hidden),
                activation: activation, down: try names.dense("output.dense", outputs: hidden, inputs: feedForward)),
            feedForwardNorms: SublayerNorms(after: try names.norm("output.LayerNorm", width: hidden, epsilon: epsilon)))
    }
}
