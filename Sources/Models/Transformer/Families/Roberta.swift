import ModelFiles

/// RoBERTa (Liu et al. 2019) as transformers' RobertaModel computes it
/// (https://github.com/huggingface/transformers/blob/main/src/transformers/models/roberta/modeling_roberta.py), and its
/// copies under other names: XLM-RoBERTa, CamemBERT, data2vec's text encoder. They differ from BERT in positions, which
/// count on from the padding's id, and in heads.
enum Roberta {
    static func definition(_ source: Checkpoint) throws(FileError) -> EncoderDefinition {
        let shape = try BertShape(source.configuration)
        var definition = try Bert.definition(source, shape, numbering(source.configuration, shape), heads: heads)
        definition.maskedLMHead = .roberta(shape.epsilon, width: shape.hidden)
        return definition
    }

    static let heads: [EncoderTask: EncoderHeadPlan] = [
        .sequenceClassification: Bert.sequences(.tanh), .tokenClassification: Bert.tokens,
        .questionAnswering: Bert.answers,
    ]

    static func numbering(_ c: ConfigurationFile, _ shape: BertShape) throws(FileError) -> PositionNumbering {
        try numbering(c, shape, padding: try c.int("pad_token_id", in: 0...1 << 28, default: 1))
    }

    static func numbering(
        _ c: ConfigurationFile, _ shape: BertShape, padding: Int
    ) throws(FileError) -> PositionNumbering {
        guard padding + 1 < shape.positions else {
            throw FileError(
                file: c.file,
                "'max_position_embeddings' is \(shape.positions), which leaves none for tokens: their positions begin "
                    + "after the padding's id, at \(padding + 1)")
        }
        return .afterPadding(padding)
    }
}

/// XLM-RoBERTa-XL (Goyal et al. 2021) as transformers' XLMRobertaXLModel computes it
/// (https://github.com/huggingface/transformers/blob/main/src/transformers/models/xlm_roberta_xl/modeling_xlm_roberta_xl.py):
/// RoBERTa with norms before the sublayers and one at the end, none on embeddings.
enum XLMRobertaXL {
    static func definition(_ source: Checkpoint) throws(FileError) -> EncoderDefinition {
        let c = source.configuration
        let shape = try BertShape(c, epsilon: 1e-5, types: 1)
        let numbering = try Roberta.numbering(c, shape)
        let base = source.base(anchor: "embeddings.word_embeddings.weight")
        let embeddings = try Bert.embeddings(base("embeddings"), shape, width: shape.hidden, numbering, norm: false)
        func norm(_ scope: WeightScope, _ name: String) throws(FileError) -> Norm {
            try scope.norm(name, width: shape.hidden, epsilon: shape.epsilon)
        }
        var layers: [EncoderLayer] = []
        for i in 0..<shape.layers {
            let names = base("encoder.layer.\(i)")
            layers.append(
                EncoderLayer(
                    attention: try Bert.attention(names("attention"), shape),
                    attentionNorms: SublayerNorms(pre: try norm(names, "attention.self_attn_layer_norm")),
                    feedForward: try Bert.feedForward(names, shape),
                    feedForwardNorms: SublayerNorms(pre: try norm(names, "LayerNorm"))))
        }
        var definition = Bert.definition(
            source, shape, base, embeddings, layers, finalNorm: try norm(base, "encoder.LayerNorm"),
            heads: Roberta.heads, reserved: numbering.reserved)
        definition.maskedLMHead = .roberta(shape.epsilon, width: shape.hidden)
        return definition
    }
}
