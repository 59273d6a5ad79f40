import Kernels
import ModelFiles

/// DistilBERT (Sanh et al. 2019) as transformers' DistilBertModel computes it
/// (https://github.com/huggingface/transformers/blob/main/src/transformers/models/distilbert/modeling_distilbert.py): BERT
/// without types of tokens, under names of its own.
///
/// `sinusoidal_pos_embds` only says how a new model's table of positions begins; files hold the table in both cases.
enum DistilBert {
    static func definition(_ source: Checkpoint) throws(FileError) -> EncoderDefinition {
        let c = source.configuration
        let hidden = try c.int("dim", "hidden_size", in: 1...65_536)
        let heads = try c.int("n_heads", "num_attention_heads", in: 1...4096)
        try c.check(hidden, "dim", dividedBy: heads, "n_heads")
        let layers = try c.int("n_layers", "num_hidden_layers", in: 1...1024)
        let feedForward = try c.int("hidden_dim", in: 1...1 << 20)
        let vocabulary = try c.int("vocab_size", in: 1...1 << 28)
        let positions = try c.int("max_position_embeddings", in: 1...1 << 24)
        let activation = try c.activation("activation", default: "gelu")
        func norm(_ scope: WeightScope, _ name: String) throws(FileError) -> Norm {
            try scope.norm(name, width: hidden, epsilon: 1e-12)
        }

        let base = source.base(anchor: "embeddings.word_embeddings.weight")
        let names = base("embeddings")
        let embeddings = EncoderEmbeddings(
            input: .tokens(try names.table("word_embeddings.weight", rows: vocabulary, width: hidden)),
            positions: .learned(try names.table("position_embeddings.weight", rows: positions, width: hidden)),
            norm: try norm(names, "LayerNorm"))
        var all: [EncoderLayer] = []
        for i in 0..<layers {
            let names = base("transformer.layer.\(i)")
            all.append(
                EncoderLayer(
                    attention: AttentionPart(
                        qkv: try names("attention").dense(
                            joined: ["q_lin", "k_lin", "v_lin"].map { ($0, hidden) }, inputs: hidden),
                        output: try names.dense("attention.out_lin", outputs: hidden, inputs: hidden)),
                    attentionNorms: SublayerNorms(post: try norm(names, "sa_layer_norm")),
                    feedForward: FeedForward(
                        up: try names.dense("ffn.lin1", outputs: feedForward, inputs: hidden), activation: activation,
                        down: try names.dense("ffn.lin2", outputs: hidden, inputs: feedForward)),
                    feedForwardNorms: SublayerNorms(post: try norm(names, "output_layer_norm"))))
        }
        var definition = EncoderDefinition(
            embeddings: embeddings,
            stack: EncoderStack(
                kernels: source.weights.kernels, hidden: hidden, heads: heads, headDim: hidden / heads, layers: all),
            heads: [
                .sequenceClassification: EncoderHeadPlan(
                    rows: .first, inner: [.init(name: "pre_classifier", activation: .relu)],
                    output: .init(name: "classifier")),
                .tokenClassification: Bert.tokens, .questionAnswering: Bert.answers,
            ], base: base, vocabularySize: vocabulary, positions: positions)
        definition.maskedLMHead = MaskedLMHeadPlan(
            transform: "vocab_transform", activation: activation, norm: "vocab_layer_norm", epsilon: 1e-12,
            decoder: "vocab_projector.weight", biases: ["vocab_projector.bias"], width: hidden)
        return definition
    }
}
