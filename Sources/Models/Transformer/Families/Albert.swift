import Kernels
import ModelFiles

/// ALBERT (Lan et al. 2020) as transformers' AlbertModel computes it
/// (https://github.com/huggingface/transformers/blob/main/src/transformers/models/albert/modeling_albert.py): embeddings of
/// a width of their own, and few groups of layers, each run many times. Layers that share weights share their memory.
enum Albert {
    static func definition(_ source: Checkpoint) throws(FileError) -> EncoderDefinition {
        let c = source.configuration
        let shape = try BertShape(c, activation: "gelu_new")
        let width = try c.int("embedding_size", in: 1...65_536, default: 128)
        let groups = try c.int("num_hidden_groups", in: 1...1024, default: 1)
        let inner = try c.int("inner_group_num", in: 1...64, default: 1)
        let base = source.base(anchor: "embeddings.word_embeddings.weight")
        var embeddings = try Bert.embeddings(base("embeddings"), shape, width: width)
        embeddings.projection = try base.dense(
            "encoder.embedding_hidden_mapping_in", outputs: shape.hidden, inputs: width, precision: .f32)
        var read: [[EncoderLayer]] = []
        var layers: [EncoderLayer] = []
        for i in 0..<shape.layers {
            let group = Int(Double(i) / (Double(shape.layers) / Double(groups)))
            while read.count <= group {
                let names = base("encoder.albert_layer_groups.\(read.count)")
                var some: [EncoderLayer] = []
                for j in 0..<inner { some.append(try layer(names("albert_layers.\(j)"), shape)) }
                read.append(some)
            }
            layers += read[group]
        }
        var definition = Bert.definition(
            source, shape, base, embeddings, layers,
            heads: [
                .sequenceClassification: EncoderHeadPlan(
                    rows: .first, inner: [.init(name: "pooler", inBase: true, activation: .tanh)],
                    output: .init(name: "classifier")),
                .tokenClassification: Bert.tokens, .questionAnswering: Bert.answers,
            ])
        definition.maskedLMHead = MaskedLMHeadPlan(
            transform: "predictions.dense", activation: shape.activation, norm: "predictions.LayerNorm",
            epsilon: shape.epsilon, decoder: "predictions.decoder.weight",
            biases: ["predictions.decoder.bias", "predictions.bias"], width: width)
        return definition
    }

    /// Reads a layer as transformers' AlbertLayer.
    private static func layer(_ names: WeightScope, _ shape: BertShape) throws(FileError) -> EncoderLayer {
        let (hidden, attention) = (shape.hidden, names("attention"))
        return EncoderLayer(
            attention: AttentionPart(
                qkv: try attention.dense(joined: ["query", "key", "value"].map { ($0, hidden) }, inputs: hidden),
                output: try attention.dense("dense", outputs: hidden, inputs: hidden)),
            attentionNorms: SublayerNorms(
                post: try attention.norm("LayerNorm", width: hidden, epsilon: shape.epsilon)),
            feedForward: FeedForward(
                up: try names.dense("ffn", outputs: shape.feedForward, inputs: hidden), activation: shape.activation,
                down: try names.dense("ffn_output", outputs: hidden, inputs: shape.feedForward)),
            feedForwardNorms: SublayerNorms(
                post: try names.norm("full_layer_layer_norm", width: hidden, epsilon: shape.epsilon)))
    }
}
