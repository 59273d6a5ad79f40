import Kernels

/// BERT (Devlin et al. 2019) as transformers' BertModel computes it, with the head that `architectures` names, if any
/// (https://github.com/huggingface/transformers/blob/main/src/transformers/models/bert/modeling_bert.py).
public struct BertNetwork: Network {
    public let description: ModelDescription
    private let embeddings: BertEmbeddings
    private let stack: EncoderStack
    private let head: BertHead?

    public init(source: ModelSource, sentence: SentenceSettings) throws(ModelError) {
        let c = source.configuration
        let reader = source.weights
        let hidden = try c.int("hidden_size", in: 1...65_536)
        let heads = try c.int("num_attention_heads", in: 1...4096)
        guard hidden % heads == 0 else {
            throw ModelError(
                file: c.file, "'hidden_size' is \(hidden), which 'num_attention_heads', \(heads), does not divide")
        }
        let feedForward = try c.int("intermediate_size", in: 1...1 << 20)
        let layers = try c.int("num_hidden_layers", in: 1...1024)
        let vocabulary = try c.int("vocab_size", in: 1...1 << 28)
        let positions = try c.int("max_position_embeddings", in: 1...1 << 24)
        let types = try c.int("type_vocab_size", in: 1...65_536, default: 2)
        let epsilon = Float(try c.double("layer_norm_eps", in: 0...1, default: 1e-12))
        let kind = try c.string("position_embedding_type") ?? "absolute"
        guard kind == "absolute" else {
            throw ModelError(
                file: c.file, "'position_embedding_type' is \(quoted(kind)); only 'absolute' positions are supported")
        }
        for key in ["is_decoder", "add_cross_attention"] where try c.bool(key, default: false) {
            throw ModelError(file: c.file, "'\(key)' is true; only encoders are supported, which look both ways")
        }
        let activation = try BertNetwork.activation(c)

        let prefix = reader.has("bert.embeddings.word_embeddings.weight") ? "bert." : ""
        func norm(_ name: String) throws(ModelError) -> Normalisation {
            // Checkpoints converted from TensorFlow, bert-base-uncased among them, have TensorFlow's names.
            let names = reader.has(name + ".gamma") ? (".gamma", ".beta") : (".weight", ".bias")
            return Normalisation(
                weight: try reader.floats(name + names.0, shape: [hidden]),
                bias: try reader.floats(name + names.1, shape: [hidden]), epsilon: epsilon)
        }
        embeddings = BertEmbeddings(
            words: try reader.table(prefix + "embeddings.word_embeddings.weight", rows: vocabulary, width: hidden),
            positions: try reader.table(
                prefix + "embeddings.position_embeddings.weight", rows: positions, width: hidden),
            types: try reader.table(prefix + "embeddings.token_type_embeddings.weight", rows: types, width: hidden),
            norm: try norm(prefix + "embeddings.LayerNorm"), hidden: hidden)
        var all: [EncoderLayer] = []
        for i in 0..<layers {
            let name = prefix + "encoder.layer.\(i)."
            let parts = ["query", "key", "value"].map { name + "attention.self." + $0 }
            all.append(
                EncoderLayer(
                    joined: try reader.packed(parts.map { ($0 + ".weight", hidden) }, inputs: hidden),
                    joinedBias: try reader.joined(parts.map { ($0 + ".bias", hidden) }),
                    output: try reader.packed([(name + "attention.output.dense.weight", hidden)], inputs: hidden),
                    outputBias: try reader.floats(name + "attention.output.dense.bias", shape: [hidden]),
                    attentionNorm: try norm(name + "attention.output.LayerNorm"),
                    up: try reader.packed([(name + "intermediate.dense.weight", feedForward)], inputs: hidden),
                    upBias: try reader.floats(name + "intermediate.dense.bias", shape: [feedForward]),
                    down: try reader.packed([(name + "output.dense.weight", hidden)], inputs: feedForward),
                    downBias: try reader.floats(name + "output.dense.bias", shape: [hidden]),
                    feedForwardNorm: try norm(name + "output.LayerNorm")))
        }
        stack = EncoderStack(
            kernels: reader.kernels, hidden: hidden, heads: heads, feedForward: feedForward, activation: activation,
            normFirst: false, layers: all, finalNorm: nil)
        head = try BertHead(source, prefix: prefix, hidden: hidden)

        let perLayer = 4 * hidden * (hidden + 1) + feedForward * (2 * hidden + 1) + 5 * hidden
        var description = ModelDescription(
            family: "bert", input: .tokens(vocabularySize: vocabulary), hiddenSize: hidden, embeddingSize: hidden,
            stateSizes: Array(repeating: hidden, count: layers + 1), layers: layers, heads: heads, directions: 1,
            maxLength: min(sentence.maxLength ?? positions, positions), logitsSize: head?.labels,
            logitsPerToken: head?.perToken ?? false, labels: head?.names, answersLogits: head != nil,
            pooling: sentence.pooling ?? .mean, normalize: sentence.normalize ?? false, attentionMethods: [.raw],
            stateShape: nil,
            parameters: (vocabulary + positions + types + 2) * hidden + layers * perLayer + (head?.parameters ?? 0),
            precision: reader.precision.rawValue, instructionSet: reader.kernels.instructionSet, positions: positions)
        description.tokenTypes = types
        self.description = description
    }

    public func forward(_ requests: [SequenceRequest], scratch: Scratch) -> [SequenceResult] {
        let batch = RaggedBatch(requests)
        let hidden = stack.hidden
        scratch.reserve(
            floats: Scratch.rounded(batch.rows * hidden) + stack.scratchCount(batch, scratch.team)
                + (head?.scratchCount(batch) ?? 0))
        let x = scratch.take(batch.rows * hidden)
        var results = batch.emptyResults()
        embeddings.embed(batch, x, stack.kernels)
        stack.run(batch, x, scratch: scratch, results: &results)
        head?.run(batch, x, scratch: scratch, stack.kernels, results: &results)
        return results
    }

    /// `hidden_act` by transformers' names (ACT2FN in activations.py).
    static func activation(_ c: Configuration) throws(ModelError) -> Activation {
        let known: [(String, Activation)] = [
            ("gelu", .gelu), ("gelu_new", .geluTanh), ("gelu_pytorch_tanh", .geluTanh), ("relu", .relu),
            ("silu", .silu), ("swish", .silu), ("tanh", .tanh), ("sigmoid", .sigmoid), ("linear", .identity),
        ]
        let name = try c.string("hidden_act") ?? "gelu"
        guard let found = known.first(where: { $0.0 == name }) else {
            let names = known.map { "'\($0.0)'" }.joined(separator: ", ")
            throw ModelError(file: c.file, "'hidden_act' is \(quoted(name)); it should be one of \(names)")
        }
        return found.1
    }
}

/// Word, token type and position vectors, summed and normalised.
struct BertEmbeddings: Sendable {
    /// [vocabulary, hidden], [positions, hidden], [types, hidden]
    let words: EmbeddingTable
    let positions: EmbeddingTable
    let types: EmbeddingTable
    let norm: Normalisation
    let hidden: Int

    /// Writes `out` [rows, hidden]. Summed in transformers' order: words, types, positions.
    func embed(_ batch: RaggedBatch, _ out: UnsafeMutablePointer<Float>, _ kernels: KernelTable) {
        batch.gatherTokens(words, out)
        for (i, request) in batch.requests.enumerated() {
            guard case .tokens(_, let typeIDs) = request.input else { continue }
            for place in 0..<batch.lengths[i] {
                let row = out + (batch.offsets[i] + place) * hidden
                types.addRow(place < typeIDs.count ? Int(typeIDs[place]) : 0, to: row, kernels)
                positions.addRow(place, to: row, kernels)
            }
        }
        norm.apply(kernels, out, out, rows: batch.rows, width: hidden)
    }
}
