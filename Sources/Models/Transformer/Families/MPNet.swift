import Kernels
import ModelFiles

/// MPNet (Song et al. 2020) as transformers' MPNetModel computes it
/// (https://github.com/huggingface/transformers/blob/main/src/transformers/models/mpnet/modeling_mpnet.py): RoBERTa without
/// types of tokens, whose layers share a bias of scores by the distance of query and key.
enum MPNet {
    /// Rows of the table that transformers looks up, for every value of `relative_attention_num_buckets`.
    private static let buckets = 32

    static func definition(_ source: Checkpoint) throws(FileError) -> EncoderDefinition {
        let c = source.configuration
        let shape = try BertShape(c, types: nil)
        let rows = try c.int("relative_attention_num_buckets", in: buckets...65_536, default: buckets)
        // transformers does not read `pad_token_id` either.
        let numbering = try Roberta.numbering(c, shape, padding: 1)
        let base = source.base(anchor: "embeddings.word_embeddings.weight")
        let embeddings = try Bert.embeddings(base("embeddings"), shape, width: shape.hidden, numbering)
        let bias = RelativePositionBias(
            try base.floats("encoder.relative_attention_bias.weight", [rows, shape.heads]), buckets: buckets,
            heads: shape.heads
        ) { RelativePositionBias.bucket(distance: $0, buckets: buckets, maxDistance: 128) }
        func norm(_ scope: WeightScope, _ name: String) throws(FileError) -> Norm {
            try scope.norm(name, width: shape.hidden, epsilon: shape.epsilon)
        }
        var layers: [EncoderLayer] = []
        for i in 0..<shape.layers {
            let names = base("encoder.layer.\(i)")
            let own = names("attention.attn")
            layers.append(
                EncoderLayer(
                    attention: AttentionPart(
                        qkv: try own.dense(
                            joined: ["q", "k", "v"].map { ($0, shape.hidden) }, inputs: shape.hidden),
                        bias: .relative(bias),
                        output: try own.dense("o", outputs: shape.hidden, inputs: shape.hidden)),
                    attentionNorms: SublayerNorms(post: try norm(names, "attention.LayerNorm")),
                    feedForward: try Bert.feedForward(names, shape),
                    feedForwardNorms: SublayerNorms(post: try norm(names, "output.LayerNorm"))))
        }
        var definition = Bert.definition(
            source, shape, base, embeddings, layers, heads: Roberta.heads, reserved: numbering.reserved)
        definition.maskedLMHead = .roberta(shape.epsilon, width: shape.hidden)
        return definition
    }
}
