import Kernels

/// A classifier on top of BERT: BertForSequenceClassification's, on the pooled first token, or
/// BertForTokenClassification's, on every token.
struct BertHead: Sendable {
    let labels: Int
    let perToken: Bool
    let names: [String]?
    let parameters: Int
    private let hidden: Int
    /// tanh(W h_[CLS] + b), [hidden, hidden]; sequence classifiers.
    private let pooler: PackedWeight?
    private let poolerBias: FloatTensor?
    /// [labels, hidden]
    private let classifier: PackedWeight
    private let classifierBias: FloatTensor

    /// nil where `architectures` names no classifier.
    init?(_ source: ModelSource, prefix: String, hidden: Int) throws(ModelError) {
        let c = source.configuration
        let reader = source.weights
        let architectures = (c.object["architectures"]?.array ?? []).compactMap(\.string)
        switch architectures.first {
        case "BertForSequenceClassification": perToken = false
        case "BertForTokenClassification": perToken = true
        default: return nil
        }
        guard let shape = reader.shape("classifier.weight"), shape.count == 2, (1...1 << 24).contains(shape[0]) else {
            throw ModelError(
                file: reader.file.path,
                "'architectures' is \(quoted(architectures[0])), but there is no tensor 'classifier.weight' of "
                    + "[labels, \(hidden)]")
        }
        labels = shape[0]
        names = try Labels.read(c, count: labels)
        self.hidden = hidden
        classifier = try reader.packed([("classifier.weight", labels)], inputs: hidden, precision: .f32)
        classifierBias = try reader.floats("classifier.bias", shape: [labels])
        if perToken {
            pooler = nil
            poolerBias = nil
        } else {
            pooler = try reader.packed([(prefix + "pooler.dense.weight", hidden)], inputs: hidden, precision: .f32)
            poolerBias = try reader.floats(prefix + "pooler.dense.bias", shape: [hidden])
        }
        parameters = labels * (hidden + 1) + (perToken ? 0 : hidden * (hidden + 1))
    }

    func scratchCount(_ batch: RaggedBatch) -> Int {
        perToken
            ? Scratch.rounded(batch.rows * labels)
            : 2 * Scratch.rounded(batch.requests.count * hidden) + Scratch.rounded(batch.requests.count * labels)
    }

    /// - Parameter x: [rows, hidden], the last layer's states.
    func run(
        _ batch: RaggedBatch, _ x: UnsafePointer<Float>, scratch: Scratch, _ kernels: KernelTable,
        results: inout [SequenceResult]
    ) {
        guard batch.requests.contains(where: \.outputs.logits) else { return }
        let count = batch.requests.count
        let logits = scratch.take((perToken ? batch.rows : count) * labels)
        if let pooler {
            let first = scratch.take(count * hidden)
            let pooled = scratch.take(count * hidden)
            for (i, offset) in batch.offsets.enumerated() {
                (first + i * hidden).update(from: x + offset * hidden, count: hidden)
            }
            pooler.apply(kernels, first, bias: poolerBias, activation: .tanh, out: pooled, rows: count)
            classifier.apply(kernels, pooled, bias: classifierBias, out: logits, rows: count)
        } else {
            classifier.apply(kernels, x, bias: classifierBias, out: logits, rows: batch.rows)
        }
        for (i, request) in batch.requests.enumerated() where request.outputs.logits {
            let rows = perToken ? batch.lengths[i] : 1
            let start = logits + (perToken ? batch.offsets[i] : i) * labels
            results[i].logits = Matrix(
                rows: rows, columns: labels, values: Array(UnsafeBufferPointer(start: start, count: rows * labels)))
        }
    }
}
