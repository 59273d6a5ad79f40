import JSON
import Kernels

/// What transformers' class names say after `For`.
enum EncoderTask: String, Sendable {
    case sequenceClassification = "ForSequenceClassification"
    case tokenClassification = "ForTokenClassification"
}

/// How a family's head for one task is built: layers applied one after the other to some of the last layer's rows.
struct EncoderHeadPlan: Sendable {
    /// The rows of a sequence that the head reads.
    enum Rows: Sendable { case first, last, mean, all }

    struct Layer: Sendable {
        /// torch.nn.Linear's name.
        let name: String
        /// Inside the encoder's own scope (`bert.pooler.dense`) rather than beside it (`classifier`).
        var inBase = false
        var bias = true
        var activation = Activation.identity
    }

    let rows: Rows
    /// Each [hidden, hidden].
    var inner: [Layer] = []
    /// [labels, hidden]
    let output: Layer
}

/// A head with its weights, which are f32 in every precision.
struct EncoderHead: Sendable {
    let plan: EncoderHeadPlan
    let outputs: Int
    let labels: [String]?
    private let hidden: Int
    private let layers: [(layer: DenseLayer, activation: Activation)]

    /// nil where `architectures` names no head that the family has.
    init?(_ source: ModelSource, _ parts: EncoderParts) throws(ModelError) {
        let architectures = (source.configuration.object["architectures"]?.array ?? []).compactMap(\.string)
        guard let architecture = architectures.first,
            let found = parts.heads.first(where: { architecture.hasSuffix($0.key.rawValue) })
        else { return nil }
        let plan = found.value
        let hidden = parts.stack.hidden
        func scope(_ layer: EncoderHeadPlan.Layer) -> WeightScope { layer.inBase ? parts.base : source.root }
        guard let shape = scope(plan.output).shape(plan.output.name + ".weight"), shape.count == 2,
            (1...1 << 24).contains(shape[0])
        else {
            throw ModelError(
                file: source.weights.file.path,
                "'architectures' is \(quoted(architecture)), but there is no tensor "
                    + "'\(scope(plan.output).prefix)\(plan.output.name).weight' of [labels, \(hidden)]")
        }
        var layers: [(layer: DenseLayer, activation: Activation)] = []
        for layer in plan.inner + [plan.output] {
            let outputs = layers.count == plan.inner.count ? shape[0] : hidden
            layers.append(
                (
                    try scope(layer).dense(
                        layer.name, outputs: outputs, inputs: hidden, bias: layer.bias, precision: .f32),
                    layer.activation
                ))
        }
        self.plan = plan
        self.hidden = hidden
        self.layers = layers
        outputs = shape[0]
        labels = try Labels.read(source.configuration, count: outputs)
    }

    private func rows(_ batch: RaggedBatch) -> Int { plan.rows == .all ? batch.rows : batch.requests.count }

    func scratchCount(_ batch: RaggedBatch) -> Int {
        2 * Scratch.rounded(rows(batch) * hidden) + Scratch.rounded(rows(batch) * outputs)
    }

    /// - Parameter x: [rows, hidden], the last layer's states.
    func run(
        _ batch: RaggedBatch, _ x: UnsafePointer<Float>, scratch: Scratch, _ kernels: KernelTable,
        results: inout [SequenceResult]
    ) {
        guard batch.requests.contains(where: \.outputs.logits) else { return }
        let rows = rows(batch)
        var (input, other) = (scratch.take(rows * hidden), scratch.take(rows * hidden))
        let logits = scratch.take(rows * outputs)
        gather(batch, x, input)
        for (i, step) in layers.enumerated() {
            let out = i == layers.count - 1 ? logits : other
            step.layer.apply(kernels, input, activation: step.activation, out: out, rows: rows)
            swap(&input, &other)
        }
        for (i, request) in batch.requests.enumerated() where request.outputs.logits {
            let count = plan.rows == .all ? batch.lengths[i] : 1
            let start = logits + (plan.rows == .all ? batch.offsets[i] : i) * outputs
            results[i].logits = Matrix(
                rows: count, columns: outputs,
                values: Array(UnsafeBufferPointer(start: start, count: count * outputs)))
        }
    }

    private func gather(_ batch: RaggedBatch, _ x: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>) {
        if plan.rows == .all { return out.update(from: x, count: batch.rows * hidden) }
        for (i, offset) in batch.offsets.enumerated() {
            let length = batch.lengths[i]
            let target = out + i * hidden
            switch plan.rows {
            case .last: target.update(from: x + (offset + length - 1) * hidden, count: hidden)
            case .mean:
                let mean = Pooling.mean.pool(x + offset * hidden, length: length, width: hidden)
                for j in 0..<hidden { target[j] = mean[j] }
            case .first, .all: target.update(from: x + offset * hidden, count: hidden)
            }
        }
    }
}
