import ModelFiles

/// ELECTRA (Clark et al. 2020), discriminator or generator, as transformers' ElectraModel computes it
/// (https://github.com/huggingface/transformers/blob/main/src/transformers/models/electra/modeling_electra.py): BERT, whose
/// embeddings may have a width of their own and are projected to the layers'.
enum Electra {
    static func definition(_ source: Checkpoint) throws(FileError) -> EncoderDefinition {
        let c = source.configuration
        let shape = try BertShape(c)
        let width = try c.int("embedding_size", in: 1...65_536, default: 128)
        let base = source.base(anchor: "embeddings.word_embeddings.weight")
        var embeddings = try Bert.embeddings(base("embeddings"), shape, width: width)
        if width != shape.hidden {
            embeddings.projection = try base.dense(
                "embeddings_project", outputs: shape.hidden, inputs: width, precision: .f32)
        }
        var layers: [EncoderLayer] = []
        for i in 0..<shape.layers { layers.append(try Bert.layer(base("encoder.layer.\(i)"), shape)) }
        var definition = Bert.definition(
            source, shape, base, embeddings, layers,
            heads: [
                .sequenceClassification: Bert.sequences(.gelu), .tokenClassification: Bert.tokens,
                .questionAnswering: Bert.answers,
            ])
        definition.maskedLMHead = MaskedLMHeadPlan(
            transform: "generator_predictions.dense", activation: .gelu, norm: "generator_predictions.LayerNorm",
            epsilon: shape.epsilon, decoder: "generator_lm_head.weight", biases: ["generator_lm_head.bias"],
            width: width)
        return definition
    }
}
