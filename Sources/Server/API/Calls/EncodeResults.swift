import Models

/// The results of an `EncodeCall`, one a sequence.
package struct EncodeResults: Sendable {
    /// The model that computed the results.
    package let model: Model
    /// The number of tokens or steps of each sequence, and whether it was cut.
    package let sequences: [(length: Int, truncated: Bool)]
    /// The values of each sequence that were asked for. Embeddings are cut to `dimensions`, then normalized.
    package let results: [SequenceResult]
    private let hasEmbeddings: Bool
    private let hasLogits: Bool

    init(model: Model, plan: EncodePlan, sequences: [(length: Int, truncated: Bool)], results: [SequenceResult]) {
        self.model = model
        self.sequences = sequences
        hasEmbeddings = !plan.selection.pooling.isEmpty
        hasLogits = plan.selection.logits
        self.results = results.map { result in
            var result = result
            result.embedding = result.embedding.map(plan.finish)
            return result
        }
    }

    /// The number of tokens or steps of all sequences.
    package var tokens: Int { sequences.reduce(0) { $0 + $1.length } }

    /// Returns a sequence's labels with their scores, best first.
    /// - Parameter logits: The logits of the sequence, one a label.
    /// - Returns: `nil` if the model has no name for each logit.
    package func labels(_ logits: [Float]) -> [(label: String, score: Float)]? {
        guard let names = model.description.outputs.labels, names.count == logits.count else { return nil }
        return model.description.outputs.scores.scores(logits).enumerated()
            .sorted { ($1.element, $0.offset) < ($0.element, $1.offset) }
            .map { (names[$0.offset], $0.element) }
    }

    /// Returns the numbers as tensors: `embedding` [n, d]; `states.i` [tokens, hidden]; `logits` [n, labels] or `logits.i`
    /// [tokens, labels]; `sparse.i` [2, n], token ids and their values; `state.hidden.i` and `state.cell.i`.
    /// - Parameter firstIndex: The number i of the first sequence.
    package func tensors(firstIndex: Int = 0) -> [BinaryTensor] {
        var tensors: [BinaryTensor] = []
        if hasEmbeddings {
            let rows = results.compactMap(\.embedding)
            tensors.append(
                BinaryTensor(
                    name: "embedding", shape: [rows.count, rows.first?.count ?? 0], floats: Array(rows.joined())))
        }
        func add(_ name: String, _ matrix: Matrix?) {
            guard let matrix else { return }
            tensors.append(BinaryTensor(name: name, shape: [matrix.rows, matrix.columns], floats: matrix.values))
        }
        for (i, result) in zip(firstIndex..., results) {
            add("states.\(i)", result.states.first)
            if model.description.outputs.logitsPerToken { add("logits.\(i)", result.logits) }
            if let sparse = result.sparse {
                // Both as f32, which holds every token id below 2²⁴ exactly: [2, n], indices and values.
                let both = sparse.indices.map { Float($0) } + sparse.values
                tensors.append(BinaryTensor(name: "sparse.\(i)", shape: [2, sparse.values.count], floats: both))
            }
            add("state.hidden.\(i)", result.finalState?.hidden)
            add("state.cell.\(i)", result.finalState?.cell)
        }
        if hasLogits, !model.description.outputs.logitsPerToken {
            let rows = results.compactMap(\.logits?.values)
            tensors.append(
                BinaryTensor(name: "logits", shape: [rows.count, rows.first?.count ?? 0], floats: Array(rows.joined())))
        }
        return tensors
    }
}
