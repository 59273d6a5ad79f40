import Kernels
import ModelFiles

/// NomicBERT (Nussbaum et al. 2024, https://arxiv.org/abs/2402.01613): BERT with rotary positions and a gated
/// feed-forward part. ConfigurationFile and tensors have two spellings, in any combination: nomic-ai's own, derived from
/// GPT-2 (https://huggingface.co/nomic-ai/nomic-bert-2048/blob/main/modeling_hf_nomic_bert.py), and that of
/// transformers' NomicBertModel
/// (https://github.com/huggingface/transformers/blob/main/src/transformers/models/nomic_bert/modeling_nomic_bert.py).
enum NomicBert {
    static func definition(_ source: Checkpoint) throws(FileError) -> EncoderDefinition {
        let c = source.configuration
        try c.requireEncoder()
        let isOwn = c.object["n_embd"] != nil || c.object["activation_function"] != nil
        if isOwn { try refuse(c) }
        let hidden = try c.int("hidden_size", "n_embd", in: 1...65_536)
        let heads = try c.int("num_attention_heads", "n_head", in: 1...4096)
        if c.object["head_dim"]?.int == nil {
            try c.check(hidden, "hidden_size", dividedBy: heads, "num_attention_heads")
        }
        let headDim = try c.int("head_dim", in: 1...4096, default: hidden / heads)
        let layers = try c.int("num_hidden_layers", "n_layer", in: 1...1024)
        let epsilon = Float(
            try c.double(
                "layer_norm_epsilon", in: 0...1, default: c.double("layer_norm_eps", in: 0...1, default: 1e-12)))
        let types = try c.int("type_vocab_size", in: 0...65_536, default: 2)
        var vocabulary = try c.int("vocab_size", in: 1...1 << 28)
        if isOwn {
            let multiple = try c.int("pad_vocab_size_multiple", in: 1...65_536, default: 1)
            vocabulary = (vocabulary + multiple - 1) / multiple * multiple
        }
        let feedForward = try isOwn ? ownFeedForward(c, hidden) : theirFeedForward(c)
        let bias = try c.bool("qkv_proj_bias", default: isOwn)
        let (rotary, rope) = try isOwn ? ownRotary(c, headDim) : theirRotary(c, headDim)

        let base = source.base(anchor: "embeddings.word_embeddings.weight")
        let isOwnLayout = base.has("emb_ln.weight")
        let names = base("embeddings")
        var positions = rope?.positions
        var learned = EncoderEmbeddings.Positions.none
        if rope == nil {
            let rows = try c.int("n_positions", "max_position_embeddings", in: 1...1 << 24)
            learned = .learned(try names.table("position_embeddings.weight", rows: rows, width: hidden))
            positions = rows
        }
        let embeddings = EncoderEmbeddings(
            input: .tokens(try names.table("word_embeddings.weight", rows: vocabulary, width: hidden)),
            positions: learned,
            types: types > 0 ? try names.table("token_type_embeddings.weight", rows: types, width: hidden) : nil,
            norm: isOwnLayout
                ? try base.norm("emb_ln", width: hidden, epsilon: epsilon)
                : try names.norm("LayerNorm", width: hidden, epsilon: epsilon))
        var all: [EncoderLayer] = []
        for i in 0..<layers {
            let names = isOwnLayout ? base("encoder.layers.\(i)") : base("layers.\(i)")
            let layout = isOwnLayout ? Layout.own : .theirs
            let width = heads * headDim
            all.append(
                EncoderLayer(
                    attention: AttentionPart(
                        qkv: try names.dense(
                            joined: layout.joined.map { ($0, 3 * width / layout.joined.count) }, inputs: hidden,
                            bias: bias),
                        rotary: rotary,
                        output: try names.dense(layout.output, outputs: hidden, inputs: width, bias: bias)),
                    attentionNorms: SublayerNorms(
                        post: try names.norm(layout.attentionNorm, width: hidden, epsilon: epsilon)),
                    feedForward: try feedForward.read(names("mlp"), layout, hidden: hidden),
                    feedForwardNorms: SublayerNorms(
                        post: try names.norm(layout.feedForwardNorm, width: hidden, epsilon: epsilon))))
        }
        var definition = EncoderDefinition(
            embeddings: embeddings,
            stack: EncoderStack(
                kernels: source.weights.kernels, hidden: hidden, heads: heads, headDim: headDim, layers: all),
            heads: [
                .sequenceClassification: EncoderHeadPlan(
                    rows: .first, inner: [.init(name: "pooler.dense", inBase: true, activation: .tanh)],
                    output: .init(name: "classifier")),
                .tokenClassification: Bert.tokens,
            ], base: base, vocabularySize: vocabulary, tokenTypes: types > 0 ? types : nil,
            positions: positions)
        var head = MaskedLMHeadPlan.bert(
            try c.activation("hidden_act", default: "gelu"), epsilon, width: hidden)
        head.norm =
            source.root.has("cls.predictions.transform.layer_norm.weight")
            ? "cls.predictions.transform.layer_norm" : head.norm
        definition.maskedLMHead = head
        return definition
    }

    /// Refuses options of nomic-ai's configuration that no published text encoder uses.
    private static func refuse(_ c: ConfigurationFile) throws(FileError) {
        let flags = [
            ("prenorm", "norms follow their sublayers in this family"),
            ("parallel_block", "sublayers follow each other in this family"),
            ("parallel_block_tied_norm", "sublayers follow each other in this family"),
            ("use_rms_norm", "norms are layer norms in this family"),
            ("causal", "attention looks both ways in this family"),
            ("rotary_head_dim", "rotary embeddings turn with the position"),
        ]
        for (key, why) in flags where try c.bool(key, default: false) {
            throw FileError(file: c.file, "'\(key)' is true, which is not supported: \(why)")
        }
        for key in ["num_experts", "moe_every_n_layers"] where try c.int(key, in: 0...65_536, default: 0) > 0 {
            throw FileError(file: c.file, "'\(key)' is not 0; mixtures of experts are not supported")
        }
        guard try c.double("rotary_emb_scale_base", in: 0...1e12, default: 0) == 0 else {
            throw FileError(
                file: c.file, "'rotary_emb_scale_base' is not null; scaled rotary embeddings are not supported")
        }
        let heads = try c.int("n_head", "num_attention_heads", in: 1...4096)
        guard try c.int("num_heads_kv", in: 1...4096, default: heads) == heads else {
            throw FileError(file: c.file, "'num_heads_kv' should be the number of heads, \(heads)")
        }
    }

    // MARK: Positions

    private static func ownRotary(
        _ c: ConfigurationFile, _ headDim: Int
    ) throws(FileError) -> (RotaryTable?, RopeConfiguration?) {
        let fraction = try c.double("rotary_emb_fraction", in: 0...1, default: 0)
        let width = Int(Double(headDim) * fraction)
        if width == 0 { return (nil, nil) }
        guard width % 2 == 0 else {
            throw FileError(
                file: c.file, "'rotary_emb_fraction' makes \(width) values of a head turn; they turn in pairs")
        }
        // A published file may have both spellings of the limit. The smaller one is the length of the training.
        let limit = max(
            try c.int("n_positions", in: Int(Int32.min)...1 << 24, default: 0),
            try c.int("max_position_embeddings", in: Int(Int32.min)...1 << 24, default: 0))
        let trained = try c.int("max_trained_positions", in: 1...1 << 24, default: 2048)
        let factor = try c.double("rotary_scaling_factor", in: 0...1e6, default: 0)
        let rope = RopeConfiguration(
            theta: try c.double("rotary_emb_base", in: 1...1e12, default: 10_000), width: width,
            positions: limit > 0 ? limit : 2048, trained: trained, dynamic: factor > 0 ? factor : nil)
        return (
            RotaryTable(rope, isInterleaved: try c.bool("rotary_emb_interleaved", default: false)), rope
        )
    }

    private static func theirRotary(
        _ c: ConfigurationFile, _ headDim: Int
    ) throws(FileError) -> (RotaryTable?, RopeConfiguration?) {
        let rope = try RopeConfiguration(
            c, theta: 1000, headDim: headDim,
            maximum: try c.int("max_position_embeddings", in: 1...1 << 24, default: 2048))
        return (RotaryTable(rope), rope)
    }

    // MARK: Feed-forward

    private struct FeedForwardShape {
        let width: Int
        let isGated: Bool
        let activation: Activation
        var bias = (up: false, down: false)

        func read(_ names: WeightScope, _ layout: Layout, hidden: Int) throws(FileError) -> FeedForward {
            FeedForward(
                up: isGated
                    ? try names.gated(
                        gate: .init(layout.gate, of: width), up: .init(layout.up, of: width), width: width,
                        inputs: hidden, bias: bias.up)
                    : try names.dense("fc1", outputs: width, inputs: hidden, bias: bias.up),
                isGated: isGated, activation: activation,
                down: try names.dense(layout.down, outputs: hidden, inputs: width, bias: bias.down))
        }
    }

    private static func ownFeedForward(_ c: ConfigurationFile, _ hidden: Int) throws(FileError) -> FeedForwardShape {
        enum Name: String, CaseIterable {
            case gelu
            case geluNew = "gelu_new"
            case geluFast = "gelu_fast"
            case geluTanh = "gelu_pytorch_tanh"
            case swiglu, geglu, glu
        }
        let name: Name = try c.choice("activation_function", default: .geluNew)
        let bias = (
            up: try c.bool("mlp_fc1_bias", default: true), down: try c.bool("mlp_fc2_bias", default: true)
        )
        func width(default value: Int) throws(FileError) -> Int {
            try c.int("n_inner", "intermediate_size", in: 1...1 << 20, default: value)
        }
        switch name {
        case .gelu, .geluNew, .geluFast, .geluTanh:
            // nomic-ai's layers take the exact function for each of these names; the others only matter in its head.
            return FeedForwardShape(
                width: try width(default: 4 * hidden), isGated: false, activation: .gelu, bias: bias)
        case .swiglu, .geglu, .glu:
            let rounded = (try width(default: 8 * hidden / 3) + 255) / 256 * 256
            let activation = name == .swiglu ? Activation.silu : name == .geglu ? .gelu : .sigmoid
            return FeedForwardShape(width: rounded, isGated: true, activation: activation, bias: bias)
        }
    }

    private static func theirFeedForward(_ c: ConfigurationFile) throws(FileError) -> FeedForwardShape {
        FeedForwardShape(
            width: try c.int("intermediate_size", in: 1...1 << 20), isGated: true,
            activation: try c.activation("hidden_act", default: "silu"))
    }

    /// Names of a layer's tensors.
    private struct Layout {
        let joined: [String]
        let output, attentionNorm, gate, up, down, feedForwardNorm: String

        static let own = Layout(
            joined: ["attn.Wqkv"], output: "attn.out_proj", attentionNorm: "norm1", gate: "fc12", up: "fc11",
            down: "fc2", feedForwardNorm: "norm2")
        static let theirs = Layout(
            joined: ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"], output: "self_attn.o_proj",
            attentionNorm: "post_attention_layernorm", gate: "gate_proj", up: "up_proj", down: "down_proj",
            feedForwardNorm: "post_mlp_layernorm")
    }
}
