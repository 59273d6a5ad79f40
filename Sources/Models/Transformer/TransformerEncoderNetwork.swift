import Kernels

/// torch.nn.TransformerEncoder (https://docs.pytorch.org/docs/stable/generated/torch.nn.TransformerEncoder.html) over token
/// ids or feature vectors, with or without positions. Its tensors have torch's names under `encoder.`.
public struct TransformerEncoderNetwork: Network {
    enum Nonlinearity: String, CaseIterable {
        case relu, gelu
        var kernel: Activation { self == .relu ? .relu : .gelu }
    }

    enum Positions: Sendable {
        case none
        case sinusoidal(SinusoidalPositions)
        /// [maxLength, width]
        case learned(EmbeddingTable)
    }

    public let description: ModelDescription
    private let stack: EncoderStack
    /// [vocabulary, width], where the input is ids.
    private let embedding: EmbeddingTable?
    private let embeddingScale: Float
    /// [width, inputSize], where the input is features.
    private let projection: PackedWeight?
    private let projectionBias: FloatTensor?
    private let positions: Positions

    public init(source: ModelSource) throws(ModelError) {
        let c = source.configuration
        let reader = source.weights
        let width = try c.int("d_model", in: 1...65_536)
        let heads = try c.int("nhead", in: 1...4096)
        guard width % heads == 0 else {
            throw ModelError(file: c.file, "'d_model' is \(width), which 'nhead', \(heads), does not divide")
        }
        let layers = try c.int("num_layers", in: 1...1024)
        let feedForward = try c.int("dim_feedforward", in: 1...1 << 20, default: 2048)
        let activation = try c.choice("activation", default: Nonlinearity.relu)
        let normFirst = try c.bool("norm_first", default: false)
        let bias = try c.bool("bias", default: true)
        let epsilon = Float(try c.double("layer_norm_eps", in: 0...1, default: 1e-5))
        let encoding = try c.choice("positional_encoding", default: PositionEncoding.sinusoidal)
        let pooling = try c.choice("pooling", default: Pooling.mean)
        let normalize = try c.bool("normalize", default: false)
        let vocabulary = try c.int("vocab_size", in: 0...1 << 28, default: 0)
        let inputSize = try c.int("input_size", in: 0...65_536, default: 0)
        guard (vocabulary > 0) != (inputSize > 0) else {
            throw ModelError(
                file: c.file,
                "either 'vocab_size' (the input is token ids) or 'input_size' (feature vectors) must be given, not both"
            )
        }
        let scaled = try c.bool("scale_embedding", default: false)
        if scaled, vocabulary == 0 {
            throw ModelError(
                file: c.file, "'scale_embedding' is true, but there is no embedding: the input is features")
        }
        var maxLength: Int?
        if encoding == .learned || (c.object["max_length"] ?? .null) != .null {
            maxLength = try c.int("max_length", in: 1...1 << 24)
        }

        func floats(_ name: String, _ shape: [Int], when present: Bool) throws(ModelError) -> FloatTensor? {
            present ? try reader.floats(name, shape: shape) : nil
        }
        func norm(_ name: String) throws(ModelError) -> Normalisation {
            Normalisation(
                weight: try reader.floats(name + ".weight", shape: [width]),
                bias: try floats(name + ".bias", [width], when: bias), epsilon: epsilon)
        }
        var count = 0
        if vocabulary > 0 {
            embedding = try reader.table("embedding.weight", rows: vocabulary, width: width)
            projection = nil
            projectionBias = nil
            count += vocabulary * width
        } else {
            embedding = nil
            projection = try reader.packed([("input.weight", width)], inputs: inputSize, precision: .f32)
            projectionBias = try floats("input.bias", [width], when: reader.has("input.bias"))
            count += inputSize * width + (projectionBias == nil ? 0 : width)
        }
        embeddingScale = scaled ? Float(width).squareRoot() : 1
        switch encoding {
        case .none: positions = .none
        case .sinusoidal: positions = .sinusoidal(SinusoidalPositions(width: width))
        case .learned:
            let length = maxLength ?? 0
            positions = .learned(try reader.table("position.weight", rows: length, width: width))
            count += length * width
        }
        var all: [EncoderLayer] = []
        for i in 0..<layers {
            let name = "encoder.layers.\(i)."
            all.append(
                EncoderLayer(
                    joined: try reader.packed([(name + "self_attn.in_proj_weight", 3 * width)], inputs: width),
                    joinedBias: try floats(name + "self_attn.in_proj_bias", [3 * width], when: bias),
                    output: try reader.packed([(name + "self_attn.out_proj.weight", width)], inputs: width),
                    outputBias: try floats(name + "self_attn.out_proj.bias", [width], when: bias),
                    attentionNorm: try norm(name + "norm1"),
                    up: try reader.packed([(name + "linear1.weight", feedForward)], inputs: width),
                    upBias: try floats(name + "linear1.bias", [feedForward], when: bias),
                    down: try reader.packed([(name + "linear2.weight", width)], inputs: feedForward),
                    downBias: try floats(name + "linear2.bias", [width], when: bias),
                    feedForwardNorm: try norm(name + "norm2")))
        }
        let finalNorm = reader.has("encoder.norm.weight") ? try norm("encoder.norm") : nil
        if let extra = reader.unused.first(where: { $0.hasPrefix("encoder.") }) {
            throw ModelError(
                file: reader.file.path,
                "tensor \(quoted(extra)) is not part of the network that config.json describes; check 'num_layers' and "
                    + "'bias'")
        }
        stack = EncoderStack(
            kernels: reader.kernels, hidden: width, heads: heads, feedForward: feedForward,
            activation: activation.kernel, normFirst: normFirst, layers: all, finalNorm: finalNorm)

        let biases = bias ? 3 * width + width + feedForward + width + 2 * width : 0
        count += layers * (4 * width * width + 2 * width * feedForward + 2 * width + biases)
        if finalNorm != nil { count += bias ? 2 * width : width }
        description = ModelDescription(
            family: "transformer_encoder",
            input: vocabulary > 0 ? .tokens(vocabularySize: vocabulary) : .features(size: inputSize),
            hiddenSize: width, embeddingSize: width, stateSizes: Array(repeating: width, count: layers + 1),
            layers: layers, heads: heads, directions: 1, maxLength: maxLength, logitsSize: nil, logitsPerToken: false,
            labels: nil, answersLogits: false, pooling: pooling, normalize: normalize, attentionMethods: [.raw],
            stateShape: nil, parameters: count, precision: reader.precision.rawValue,
            instructionSet: reader.kernels.instructionSet)
    }

    public func forward(_ requests: [SequenceRequest], scratch: Scratch) -> [SequenceResult] {
        let batch = RaggedBatch(requests)
        let inputs = projection.map { Scratch.rounded(batch.rows * $0.inputs) } ?? 0
        scratch.reserve(
            floats: Scratch.rounded(batch.rows * stack.hidden) + inputs + Scratch.rounded(stack.hidden)
                + stack.scratchCount(batch, scratch.team))
        let x = scratch.take(batch.rows * stack.hidden)
        embed(batch, x, scratch)
        var results = batch.emptyResults()
        stack.run(batch, x, scratch: scratch, results: &results)
        return results
    }

    /// Writes the vectors that enter the first layer, [rows, width].
    private func embed(_ batch: RaggedBatch, _ x: UnsafeMutablePointer<Float>, _ scratch: Scratch) {
        let width = stack.hidden
        if let projection {
            let features = scratch.take(batch.rows * projection.inputs)
            batch.gatherFeatures(width: projection.inputs, features)
            projection.apply(stack.kernels, features, bias: projectionBias, out: x, rows: batch.rows)
        } else if let embedding {
            batch.gatherTokens(embedding, x)
            if embeddingScale != 1 { for i in 0..<batch.rows * width { x[i] *= embeddingScale } }
        }
        if case .none = positions { return }
        // Position by position: each one's sines are computed once for all sequences.
        let encoding = scratch.take(width)
        for position in 0..<batch.longest {
            switch positions {
            case .none: break
            case .sinusoidal(let sinusoidal): sinusoidal.write(position, to: encoding)
            case .learned(let table): table.copyRow(position, to: encoding)
            }
            for i in batch.requests.indices where position < batch.lengths[i] {
                stack.kernels.add(encoding, x + (batch.offsets[i] + position) * width, width)
            }
        }
    }
}
