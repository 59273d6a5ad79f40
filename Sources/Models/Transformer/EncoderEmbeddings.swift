import Kernels

/// The input of the first layer, [rows, hidden], made of token ids or feature vectors.
struct EncoderEmbeddings: Sendable {
    enum Input: Sendable {
        /// A table [vocabulary, width] for token ids; each vector is multiplied by `scale`.
        case tokens(EmbeddingTable, scale: Float = 1)
        /// A layer [width, inputSize] for feature vectors.
        case features(Linear)
    }

    enum Positions: Sendable {
        /// No positions; layers may have their own.
        case none
        case sinusoidal(SinusoidalPositions)
        /// A table [positions, width].
        case learned(EmbeddingTable, PositionNumbering = .consecutive)
    }

    let input: Input
    var positions = Positions.none
    /// The table of token types, [types, width]. `nil` if the model has none.
    var types: EmbeddingTable?
    var norm: Norm?
    /// The layer [hidden, width], in f32, that gives the vectors the layers' width. `nil` if they have it.
    var projection: Linear?
    /// Whether the norm follows the projection (DeBERTa), not the sum of the vectors (ELECTRA, ALBERT).
    var normAfterProjection = false

    /// Width of the vectors that are summed.
    private var width: Int {
        switch input {
        case .tokens(let table, _): table.width
        case .features(let layer): layer.weight.outputs
        }
    }

    /// Returns the floats that `embed` takes from scratch.
    func scratchCount(_ batch: RaggedBatch) -> Int {
        var count = Scratch.rounded(width)
        if case .features(let layer) = input { count += Scratch.rounded(batch.rows * layer.weight.inputs) }
        if projection != nil { count += Scratch.rounded(batch.rows * width) }
        return count
    }

    /// Writes the embeddings to `out`, [rows, hidden]: words, types and positions, summed in transformers' order.
    func embed(_ batch: RaggedBatch, _ out: UnsafeMutablePointer<Float>, scratch: Scratch, _ kernels: KernelTable) {
        let encoding = scratch.take(width)
        let x = projection == nil ? out : scratch.take(batch.rows * width)
        switch input {
        case .features(let layer):
            let features = scratch.take(batch.rows * layer.weight.inputs)
            batch.gatherFeatures(width: layer.weight.inputs, features)
            layer.apply(features, out: x, rows: batch.rows)
        case .tokens(let table, let scale):
            batch.gatherTokens(table, x)
            if scale != 1 { for i in 0..<batch.rows * width { x[i] *= scale } }
        }
        if let types { addTypes(types, batch, x, kernels) }
        addPositions(batch, x, encoding, kernels)
        if let norm, !normAfterProjection { norm.apply(kernels, x, x, rows: batch.rows, width: width) }
        guard let projection else { return }
        projection.apply(x, out: out, rows: batch.rows)
        if let norm, normAfterProjection {
            norm.apply(kernels, out, out, rows: batch.rows, width: projection.weight.outputs)
        }
    }

    private func addTypes(
        _ types: EmbeddingTable, _ batch: RaggedBatch, _ x: UnsafeMutablePointer<Float>, _ kernels: KernelTable
    ) {
        for (i, request) in batch.requests.enumerated() {
            guard let typeIDs = request.input.typeIDs else { continue }
            for place in 0..<batch.lengths[i] {
                types.addRow(
                    place < typeIDs.count ? Int(typeIDs[place]) : 0, to: x + (batch.offsets[i] + place) * width,
                    kernels)
            }
        }
    }

    private func addPositions(
        _ batch: RaggedBatch, _ x: UnsafeMutablePointer<Float>, _ encoding: UnsafeMutablePointer<Float>,
        _ kernels: KernelTable
    ) {
        switch positions {
        case .none: break
        case .sinusoidal(let sinusoidal):
            // The sines of a position are computed once for all sequences.
            for position in 0..<batch.longest {
                sinusoidal.write(position, to: encoding)
                for i in batch.requests.indices where position < batch.lengths[i] {
                    kernels.add(encoding, x + (batch.offsets[i] + position) * width, width)
                }
            }
        case .learned(let table, let numbering):
            for (i, request) in batch.requests.enumerated() {
                numbering.forEach(request) { place, position in
                    table.addRow(position, to: x + (batch.offsets[i] + place) * width, kernels)
                }
            }
        }
    }
}

/// The rule that gives each token its row of the table of positions.
enum PositionNumbering: Sendable {
    /// Tokens have rows 0, 1, 2, ….
    case consecutive
    /// Tokens other than `padding` count on from `padding` + 1; `padding` itself has row `padding`. This is fairseq's
    /// rule, as transformers' RobertaEmbeddings.create_position_ids_from_input_ids has it.
    case afterPadding(Int)

    /// Rows at the beginning of the table that no token has.
    var reserved: Int {
        switch self {
        case .consecutive: 0
        case .afterPadding(let padding): padding + 1
        }
    }

    func forEach(_ request: SequenceRequest, _ body: (_ place: Int, _ position: Int) -> Void) {
        guard case .afterPadding(let padding) = self, let ids = request.input.ids else {
            for place in 0..<request.length { body(place, place) }
            return
        }
        var next = padding + 1
        for (place, id) in ids.enumerated() {
            if Int(id) == padding {
                body(place, padding)
            } else {
                body(place, next)
                next += 1
            }
        }
    }
}
