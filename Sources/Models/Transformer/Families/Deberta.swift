import Kernels
import ModelFiles

/// DeBERTa (He et al. 2021, https://arxiv.org/abs/2006.03654) as transformers' DebertaModel computes it
/// (https://github.com/huggingface/transformers/blob/main/src/transformers/models/deberta/modeling_deberta.py), and the
/// parts that its second version shares with it: embeddings, relative positions and heads.
enum Deberta {
    static func definition(_ source: Checkpoint) throws(FileError) -> EncoderDefinition {
        let c = source.configuration
        let shape = try DebertaShape(c)
        let base = source.base(anchor: "embeddings.word_embeddings.weight")
        let position = try DebertaPositions(c, shape, base, buckets: 0, norm: false)
        let (bert, hidden) = (shape.bert, shape.bert.hidden)
        var layers: [EncoderLayer] = []
        for i in 0..<bert.layers {
            let names = base("encoder.layer.\(i)")
            let own = names("attention.self")
            layers.append(
                try layer(
                    names, bert, joined: joined(own, bert),
                    bias: position?.bias(
                        key: { () throws(FileError) in
                            try own.dense("pos_proj", outputs: hidden, inputs: hidden, bias: false, precision: .f32)
                        },
                        query: { () throws(FileError) in
                            try own.dense("pos_q_proj", outputs: hidden, inputs: hidden, precision: .f32)
                        })))
        }
        return try definition(source, shape, base, layers)
    }

    /// Reads `in_proj`, whose rows are each head's query, key and value, as all heads' queries, then keys, then values.
    /// Keys have no bias.
    private static func joined(_ names: WeightScope, _ shape: BertShape) throws(FileError) -> Linear {
        let (hidden, width) = (shape.hidden, shape.headDim)
        let weight = try names.floats("in_proj.weight", [3 * hidden, hidden])
        let (query, value) = (try names.floats("q_bias", [hidden]), try names.floats("v_bias", [hidden]))
        var rows = [Float](repeating: 0, count: weight.values.count)
        for (row, start) in stride(from: 0, to: rows.count, by: hidden).enumerated() {
            let (part, head) = (row / hidden, row % hidden / width)
            let from = (head * 3 * width + part * width + row % width) * hidden
            for i in 0..<hidden { rows[start + i] = weight.values[from + i] }
        }
        let owner = OwnedBytes(count: 3 * hidden * MemoryLayout<Float>.stride)
        let bias = owner.bytes.bindMemory(to: Float.self)
        for i in 0..<hidden {
            (bias[i], bias[hidden + i], bias[2 * hidden + i]) = (query.values[i], 0, value.values[i])
        }
        let reader = names.reader
        return Linear(
            weight: PackedWeight(
                rows, outputs: 3 * hidden, inputs: hidden, dense: reader.kernels.dense(reader.precision)),
            bias: FloatTensor(
                name: "q_bias+v_bias", shape: [3 * hidden], values: UnsafeBufferPointer(bias), owner: owner))
    }

    /// Makes the definition of an encoder.
    /// - Parameter layers: The layers, read with `layer`.
    static func definition(
        _ source: Checkpoint, _ shape: DebertaShape, _ base: WeightScope, _ layers: [EncoderLayer]
    ) throws(FileError) -> EncoderDefinition {
        let (c, bert, names) = (source.configuration, shape.bert, base("embeddings"))
        let width = try c.int("embedding_size", in: 1...65_536, default: bert.hidden)
        var embeddings = EncoderEmbeddings(
            input: .tokens(try names.table("word_embeddings.weight", rows: bert.vocabulary, width: width)),
            norm: try names.norm("LayerNorm", width: bert.hidden, epsilon: bert.epsilon))
        if try c.bool("position_biased_input", default: true) {
            embeddings.positions = .learned(
                try names.table("position_embeddings.weight", rows: bert.positions, width: width))
        }
        if let types = bert.types {
            embeddings.types = try names.table("token_type_embeddings.weight", rows: types, width: width)
        }
        if width != bert.hidden {
            embeddings.projection = try names.dense(
                "embed_proj", outputs: bert.hidden, inputs: width, bias: false, precision: .f32)
            embeddings.normAfterProjection = true
        }
        let pooled = try c.int("pooler_hidden_size", in: 1...65_536, default: bert.hidden)
        guard pooled == bert.hidden else {
            throw FileError(
                file: c.file, "'pooler_hidden_size' is \(pooled); it should be 'hidden_size', \(bert.hidden)")
        }
        var definition = Bert.definition(
            source, bert, base, embeddings, layers,
            heads: [
                .sequenceClassification: EncoderHeadPlan(
                    rows: .first,
                    inner: [
                        .init(name: "pooler.dense", activation: try c.activation("pooler_hidden_act", default: "gelu"))
                    ],
                    output: .init(name: "classifier")),
                .tokenClassification: Bert.tokens, .questionAnswering: Bert.answers,
            ])
        definition.stack.scale = shape.scale
        definition.maskedLMHead = try maskedLMHead(c, bert, base)
        return definition
    }

    /// Chooses one of two heads by `legacy`. Published files lack the key and may have either head.
    private static func maskedLMHead(
        _ c: ConfigurationFile, _ bert: BertShape, _ base: WeightScope
    ) throws(FileError) -> MaskedLMHeadPlan {
        let width = try c.int("embedding_size", in: 1...65_536, default: bert.hidden)
        let name = "lm_predictions.lm_head"
        let isThere = base.around(having: name + ".dense.weight").has(name + ".dense.weight")
        if try c.bool("legacy", default: true), !isThere { return .bert(bert.activation, bert.epsilon, width: width) }
        return MaskedLMHeadPlan(
            transform: name + ".dense", activation: bert.activation, norm: name + ".LayerNorm", epsilon: bert.epsilon,
            // The decoder is always tied to the word embeddings.
            decoder: "", biases: [name + ".bias"], width: width)
    }

    /// Reads a layer.
    /// - Parameters:
    ///   - joined: The projection to queries, keys and values.
    ///   - bias: The bias of the scores. `nil` if there is none.
    static func layer(
        _ names: WeightScope, _ shape: BertShape, joined: Linear, bias: DisentangledBias?
    ) throws(FileError) -> EncoderLayer {
        func norm(_ name: String) throws(FileError) -> Norm {
            try names.norm(name, width: shape.hidden, epsilon: shape.epsilon)
        }
        return EncoderLayer(
            attention: AttentionPart(
                qkv: joined, bias: bias.map { .disentangled($0) },
                output: try names.dense("attention.output.dense", outputs: shape.hidden, inputs: shape.hidden)),
            attentionNorms: SublayerNorms(post: try norm("attention.output.LayerNorm")),
            feedForward: try Bert.feedForward(names, shape),
            feedForwardNorms: SublayerNorms(post: try norm("output.LayerNorm")))
    }
}

/// The sizes and options in config.json of DeBERTa.
struct DebertaShape {
    let bert: BertShape
    /// Whether queries meet embeddings of the keys' distance ("c2p"), and keys those of the queries' ("p2c").
    let contentToPosition: Bool
    let positionToContent: Bool
    /// The factor of all scores: 1/√(headDim · (1 + the number of those two)).
    let scale: Float

    init(_ c: ConfigurationFile) throws(FileError) {
        let types = try c.int("type_vocab_size", in: 0...65_536, default: 0)
        bert = try BertShape(c, epsilon: 1e-7, types: types > 0 ? types : nil)
        let found = c.object["pos_att_type"] ?? .null
        var names: [String] = []
        switch found {
        case .null: break
        case .string(let string):
            names = string.lowercased().split(separator: "|").map { String($0.filter { $0 != " " }) }
        case .array(let array): names = array.map { $0.string ?? $0.kind }
        default: throw c.wrong("pos_att_type", found, Self.expected)
        }
        guard Set(names).isSubset(of: ["c2p", "p2c"]), Set(names).count == names.count else {
            throw c.wrong("pos_att_type", .string(names.joined(separator: "|")), Self.expected)
        }
        contentToPosition = names.contains("c2p")
        positionToContent = names.contains("p2c")
        scale = 1 / Float(bert.headDim * (1 + names.count)).squareRoot()
        if let size = c.object["attention_head_size"], size != .null, size.int != bert.headDim {
            throw c.wrong("attention_head_size", size, "hidden_size / num_attention_heads, \(bert.headDim)")
        }
        guard try !c.bool("talking_head", default: false) else {
            throw FileError(file: c.file, "'talking_head' is true; heads that mix their scores are not supported")
        }
    }

    private static let expected = "'c2p' and 'p2c', one, both or none, in an array or with | between them"
}

/// DeBERTa's relative positions, which its layers share.
struct DebertaPositions {
    private let shape: DebertaShape
    private let distances: RelativeDistances
    /// The embeddings of distances, [distances, hidden], normalized if the model does so.
    private let embeddings: [Float]
    private let kernels: KernelTable

    /// Reads the table of relative embeddings. `nil` if scores have no bias.
    /// - Parameters:
    ///   - buckets: Rows of the table for the distances to either side; below 1 for one row a distance.
    ///   - norm: Whether `norm_rel_ebd` is heeded.
    init?(
        _ c: ConfigurationFile, _ shape: DebertaShape, _ base: WeightScope, buckets: Int, norm: Bool = true
    ) throws(FileError) {
        guard try c.bool("relative_attention", default: false), shape.contentToPosition || shape.positionToContent
        else {
            return nil
        }
        let (hidden, positions) = (shape.bert.hidden, shape.bert.positions)
        guard positions <= 1 << 20 else {
            throw c.wrong("max_position_embeddings", .integer(positions), "at most \(1 << 20)")
        }
        var farthest = try c.int("max_relative_positions", in: -1...1 << 20, default: -1)
        if farthest < 1 { farthest = positions }
        guard buckets < 1 || (buckets > 1 && farthest > buckets / 2 + 1) else {
            throw FileError(
                file: c.file,
                "'position_buckets' is \(buckets); it should be at least 2, and half of it less than "
                    + "'max_relative_positions', \(farthest)")
        }
        let span = buckets > 0 ? buckets : farthest
        distances = RelativeDistances(positions: positions, span: span, farthest: buckets > 0 ? farthest : nil)
        let table = try base.floats("encoder.rel_embeddings.weight", [2 * span, hidden])
        var embeddings = withExtendedLifetime(table) { Array(table.values) }
        let norms = (norm ? try c.string("norm_rel_ebd") ?? "none" : "none").lowercased().split(separator: "|")
            .map { $0.filter { $0 != " " } }
        guard norms.allSatisfy({ $0 == "none" || $0 == "layer_norm" }) else {
            throw c.wrong("norm_rel_ebd", .string(norms.joined(separator: "|")), "'none' or 'layer_norm'")
        }
        let kernels = base.reader.kernels
        if norms.contains("layer_norm") {
            let norm = try base("encoder").norm("LayerNorm", width: hidden, epsilon: shape.bert.epsilon)
            embeddings.withUnsafeMutableBufferPointer {
                if let x = $0.baseAddress { norm.apply(kernels, x, x, rows: 2 * span, width: hidden) }
            }
        }
        self.embeddings = embeddings
        self.shape = shape
        self.kernels = kernels
    }

    /// Makes a layer's bias.
    /// - Parameters:
    ///   - key: Reads the projection [hidden, hidden] that makes keys of the embeddings.
    ///   - query: Reads the projection [hidden, hidden] that makes queries of the embeddings.
    func bias(
        key: () throws(FileError) -> Linear, query: () throws(FileError) -> Linear
    ) throws(FileError) -> DisentangledBias {
        DisentangledBias(
            distances: distances, keys: shape.contentToPosition ? packed(try key()) : [],
            queries: shape.positionToContent ? packed(try query()) : [])
    }

    /// Projects and scales the embeddings and packs them head by head.
    private func packed(_ projection: Linear) -> [PackedWeight] {
        let (rows, hidden, width) = (distances.count, shape.bert.hidden, shape.bert.headDim)
        let scratch = Scratch()
        let words = projection.weight.dense.scratchCount(rows, hidden)
        scratch.reserve(floats: Scratch.rounded(rows * hidden) + Scratch.rounded(words))
        let projected = scratch.take(rows * hidden)
        let converted = scratch.take(words)
        embeddings.withUnsafeBufferPointer {
            if let x = $0.baseAddress {
                projection.apply(x, out: projected, rows: rows, scratch: converted)
            }
        }
        for i in 0..<rows * hidden { projected[i] *= shape.scale }
        return (0..<shape.bert.heads).map { head in
            PackedWeight(
                projected + head * width, ld: hidden, outputs: rows, inputs: width, dense: kernels.f32)
        }
    }
}
