import Kernels
import ModelFiles

/// BERT (Devlin et al. 2019, https://arxiv.org/abs/1810.04805) as transformers' BertModel computes it
/// (https://github.com/huggingface/transformers/blob/main/src/transformers/models/bert/modeling_bert.py), and the parts
/// that other families share with it.
enum Bert {
    static func definition(_ source: Checkpoint) throws(FileError) -> EncoderDefinition {
        let shape = try BertShape(source.configuration)
        var definition = try definition(
            source, shape, .consecutive,
            heads: [
                .sequenceClassification: EncoderHeadPlan(
                    rows: .first, inner: [.init(name: "pooler.dense", inBase: true, activation: .tanh)],
                    output: .init(name: "classifier")),
                .tokenClassification: tokens, .questionAnswering: answers,
            ])
        definition.maskedLMHead = .bert(shape.activation, shape.epsilon, width: shape.hidden)
        return definition
    }

    /// The head of most families for classifying tokens: a linear layer over every token.
    static let tokens = EncoderHeadPlan(rows: .all, output: .init(name: "classifier"))

    /// The head for answering questions: two logits a token, that the answer starts and that it ends there.
    static let answers = EncoderHeadPlan(rows: .all, output: .init(name: "qa_outputs"))

    /// The head RobertaClassificationHead and its copies: two layers under `classifier.` over the first token's states.
    static func sequences(_ activation: Activation) -> EncoderHeadPlan {
        EncoderHeadPlan(
            rows: .first, inner: [.init(name: "classifier.dense", activation: activation)],
            output: .init(name: "classifier.out_proj"))
    }

    /// Reads an encoder with BERT's layers under BERT's names.
    static func definition(
        _ source: Checkpoint, _ shape: BertShape, _ numbering: PositionNumbering,
        heads: [EncoderTask: EncoderHeadPlan]
    ) throws(FileError) -> EncoderDefinition {
        let base = source.base(anchor: "embeddings.word_embeddings.weight")
        let embeddings = try embeddings(base("embeddings"), shape, width: shape.hidden, numbering)
        var layers: [EncoderLayer] = []
        for i in 0..<shape.layers { layers.append(try layer(base("encoder.layer.\(i)"), shape)) }
        return definition(source, shape, base, embeddings, layers, heads: heads, reserved: numbering.reserved)
    }

    static func definition(
        _ source: Checkpoint, _ shape: BertShape, _ base: WeightScope, _ embeddings: EncoderEmbeddings,
        _ layers: [EncoderLayer], finalNorm: Norm? = nil, heads: [EncoderTask: EncoderHeadPlan],
        reserved: Int = 0
    ) -> EncoderDefinition {
        EncoderDefinition(
            embeddings: embeddings,
            stack: EncoderStack(
                kernels: source.weights.kernels, hidden: shape.hidden, heads: shape.heads, headDim: shape.headDim,
                layers: layers, finalNorm: finalNorm),
            heads: heads, base: base, vocabularySize: shape.vocabulary, tokenTypes: shape.types,
            positions: shape.positions - reserved)
    }

    /// Reads embeddings as transformers' BertEmbeddings: words, types and positions, summed and normalized.
    static func embeddings(
        _ names: WeightScope, _ shape: BertShape, width: Int, _ numbering: PositionNumbering = .consecutive,
        norm: Bool = true
    ) throws(FileError) -> EncoderEmbeddings {
        var embeddings = EncoderEmbeddings(
            input: .tokens(try names.table("word_embeddings.weight", rows: shape.vocabulary, width: width)),
            positions: .learned(
                try names.table("position_embeddings.weight", rows: shape.positions, width: width), numbering))
        if let types = shape.types {
            embeddings.types = try names.table("token_type_embeddings.weight", rows: types, width: width)
        }
        if norm { embeddings.norm = try names.norm("LayerNorm", width: width, epsilon: shape.epsilon) }
        return embeddings
    }

    /// Reads a layer as transformers' BertLayer.
    static func layer(_ names: WeightScope, _ shape: BertShape) throws(FileError) -> EncoderLayer {
        let hidden = shape.hidden
        return EncoderLayer(
            attention: try attention(names("attention"), shape),
            attentionNorms: SublayerNorms(
                post: try names.norm("attention.output.LayerNorm", width: hidden, epsilon: shape.epsilon)),
            feedForward: try feedForward(names, shape),
            feedForwardNorms: SublayerNorms(
                post: try names.norm("output.LayerNorm", width: hidden, epsilon: shape.epsilon)))
    }

    static func attention(_ names: WeightScope, _ shape: BertShape) throws(FileError) -> AttentionPart {
        let hidden = shape.hidden
        return AttentionPart(
            qkv: try names("self").dense(joined: ["query", "key", "value"].map { ($0, hidden) }, inputs: hidden),
            output: try names.dense("output.dense", outputs: hidden, inputs: hidden))
    }

    static func feedForward(_ names: WeightScope, _ shape: BertShape) throws(FileError) -> FeedForward {
        FeedForward(
            up: try names.dense("intermediate.dense", outputs: shape.feedForward, inputs: shape.hidden),
            activation: shape.activation,
            down: try names.dense("output.dense", outputs: shape.hidden, inputs: shape.feedForward))
    }
}

/// The sizes and options in config.json of BERT and related families.
struct BertShape {
    let hidden: Int
    let heads: Int
    let feedForward: Int
    let layers: Int
    let vocabulary: Int
    /// Rows of the table of positions.
    let positions: Int
    /// Types that a token can have. `nil` if the family has none.
    let types: Int?
    let epsilon: Float
    let activation: Activation

    var headDim: Int { hidden / heads }

    /// - Parameters:
    ///   - activation, epsilon: The defaults of the family's configuration.
    ///   - types: The default number of token types. `nil` if the family has none.
    ///   - positionType: The only `position_embedding_type` of the family.
    init(
        _ c: ConfigurationFile, activation: String = "gelu", epsilon: Double = 1e-12, types: Int? = 2,
        positionType: String = "absolute"
    ) throws(FileError) {
        hidden = try c.int("hidden_size", in: 1...65_536)
        heads = try c.int("num_attention_heads", in: 1...4096)
        try c.check(hidden, "hidden_size", dividedBy: heads, "num_attention_heads")
        feedForward = try c.int("intermediate_size", in: 1...1 << 20)
        layers = try c.int("num_hidden_layers", in: 1...1024)
        vocabulary = try c.int("vocab_size", in: 1...1 << 28)
        positions = try c.int("max_position_embeddings", in: 1...1 << 24)
        self.types = try types.map { types throws(FileError) in
            try c.int("type_vocab_size", in: 1...65_536, default: types)
        }
        self.epsilon = Float(try c.double("layer_norm_eps", in: 0...1, default: epsilon))
        self.activation = try c.activation("hidden_act", default: activation)
        // transformers 5 no longer has positions relative to the query ('relative_key').
        try c.require("position_embedding_type", positionType, why: "only '\(positionType)' positions are supported")
        try c.requireEncoder()
    }
}
