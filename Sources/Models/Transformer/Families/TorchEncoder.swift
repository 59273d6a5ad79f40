import Diagnostics
import Kernels
import ModelFiles

/// torch.nn.TransformerEncoder (https://docs.pytorch.org/docs/stable/generated/torch.nn.TransformerEncoder.html) over token
/// ids or feature vectors, with or without positions. Its tensors have torch's names under `encoder.`.
enum TorchEncoder {
    static func network(_ source: Checkpoint) throws(FileError) -> EncoderNetwork {
        let c = source.configuration
        let width = try c.int("d_model", in: 1...65_536)
        let heads = try c.int("nhead", in: 1...4096)
        try c.check(width, "d_model", dividedBy: heads, "nhead")
        let layers = try c.int("num_layers", in: 1...1024)
        let encoding = try c.choice("positional_encoding", default: PositionEncoding.sinusoidal)
        let pooling = try c.choice("pooling", default: Pooling.mean)
        let normalize = try c.bool("normalize", default: false)
        let vocabulary = try c.int("vocab_size", in: 0...1 << 28, default: 0)
        let inputSize = try c.int("input_size", in: 0...65_536, default: 0)
        guard (vocabulary > 0) != (inputSize > 0) else {
            throw FileError(
                file: c.file,
                "either 'vocab_size' (the input is token ids) or 'input_size' (feature vectors) must be given, not both"
            )
        }
        let input = vocabulary > 0 ? InputKind.tokens(vocabularySize: vocabulary) : .features(size: inputSize)
        var maxLength: Int?
        if encoding == .learned || (c.object["max_length"] ?? .null) != .null {
            maxLength = try c.int("max_length", in: 1...1 << 24)
        }
        let root = source.root
        let embeddings = EncoderEmbeddings(
            input: try embedding(c, root, input, width: width),
            positions: try positions(encoding, root, maxLength ?? 0, width))
        var all: [EncoderLayer] = []
        let settings = try LayerSettings(c, width: width)
        for i in 0..<layers { all.append(try layer(root("encoder.layers.\(i)"), settings)) }
        let finalNorm =
            root.has("encoder.norm.weight")
            ? try root.norm("encoder.norm", width: width, epsilon: settings.epsilon, bias: settings.bias) : nil
        if let extra = source.weights.unused.first(where: { $0.hasPrefix("encoder.") }) {
            throw FileError(
                file: source.weights.file.path,
                "tensor \(quoted(extra)) is not part of the network that config.json describes; check 'num_layers' and "
                    + "'bias'")
        }
        let stack = EncoderStack(
            kernels: source.weights.kernels, hidden: width, heads: heads, headDim: width / heads, layers: all,
            finalNorm: finalNorm)
        return EncoderNetwork(
            ModelDescription(
                architecture: EncoderNetwork.architecture(source, stack, input: input, positions: maxLength),
                outputs: .init(pooledWidth: width, pooling: [pooling], normalize: normalize),
                attribution: SelfAttention.description, runtime: EncoderNetwork.runtime(source)), embeddings, stack)
    }

    private struct LayerSettings {
        let width: Int
        let feedForward: Int
        let activation: Activation
        let normFirst: Bool
        let bias: Bool
        let epsilon: Float

        init(_ c: ConfigurationFile, width: Int) throws(FileError) {
            self.width = width
            feedForward = try c.int("dim_feedforward", in: 1...1 << 20, default: 2048)
            activation = try c.activation("activation", default: "relu", among: ["relu", "gelu"])
            normFirst = try c.bool("norm_first", default: false)
            bias = try c.bool("bias", default: true)
            epsilon = Float(try c.double("layer_norm_eps", in: 0...1, default: 1e-5))
        }
    }

    private static func layer(_ names: WeightScope, _ s: LayerSettings) throws(FileError) -> EncoderLayer {
        func norms(_ name: String) throws(FileError) -> SublayerNorms {
            let norm = try names.norm(name, width: s.width, epsilon: s.epsilon, bias: s.bias)
            return s.normFirst ? SublayerNorms(pre: norm) : SublayerNorms(post: norm)
        }
        return EncoderLayer(
            attention: AttentionPart(
                qkv: Linear(
                    weight: try names.reader.packed(
                        [(names.prefix + "self_attn.in_proj_weight", 3 * s.width)], inputs: s.width),
                    bias: s.bias ? try names.floats("self_attn.in_proj_bias", [3 * s.width]) : nil),
                output: try names.dense("self_attn.out_proj", outputs: s.width, inputs: s.width, bias: s.bias)),
            attentionNorms: try norms("norm1"),
            feedForward: FeedForward(
                up: try names.dense("linear1", outputs: s.feedForward, inputs: s.width, bias: s.bias),
                activation: s.activation,
                down: try names.dense("linear2", outputs: s.width, inputs: s.feedForward, bias: s.bias)),
            feedForwardNorms: try norms("norm2"))
    }

    private static func embedding(
        _ c: ConfigurationFile, _ root: WeightScope, _ input: InputKind, width: Int
    ) throws(FileError) -> EncoderEmbeddings.Input {
        let scaled = try c.bool("scale_embedding", default: false)
        switch input {
        case .tokens(let vocabulary):
            return .tokens(
                try root.table("embedding.weight", rows: vocabulary, width: width),
                scale: scaled ? Float(width).squareRoot() : 1)
        case .features(let size):
            if scaled {
                throw FileError(
                    file: c.file, "'scale_embedding' is true, but there is no embedding: the input is features")
            }
            return .features(
                try root.dense("input", outputs: width, inputs: size, bias: root.has("input.bias"), precision: .f32))
        }
    }

    private static func positions(
        _ encoding: PositionEncoding, _ root: WeightScope, _ length: Int, _ width: Int
    ) throws(FileError) -> EncoderEmbeddings.Positions {
        switch encoding {
        case .none: .none
        case .sinusoidal: .sinusoidal(SinusoidalPositions(width: width))
        case .learned: .learned(try root.table("position.weight", rows: length, width: width))
        }
    }
}
