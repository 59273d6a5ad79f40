import Diagnostics
import Kernels
import ModelFiles

/// A task of a head: the end of transformers' class name.
enum EncoderTask: String, Sendable {
    case sequenceClassification = "ForSequenceClassification"
    case tokenClassification = "ForTokenClassification"
    /// Two logits a token: that the answer starts there, and that it ends there.
    case questionAnswering = "ForQuestionAnswering"
}

/// The layers of a family's head for one task, applied one after the other to some of the last layer's rows.
struct EncoderHeadPlan: Sendable {
    /// The rows of a sequence that the head reads.
    enum Rows: Sendable, Equatable {
        case first, last, mean, all
        /// The last token with another id; the first token if there is none.
        case lastBut(Int)
    }

    struct Layer: Sendable {
        /// The name of the torch.nn.Linear.
        let name: String
        /// Whether the layer is in the encoder's scope (`bert.pooler.dense`), not beside it (`classifier`).
        var inBase = false
        var bias = true
        var activation = Activation.identity
        /// The norm after the activation. `nil` if there is none.
        var norm: LayerNorm?
    }

    /// A torch.nn.LayerNorm beside a layer.
    struct LayerNorm: Sendable {
        let name: String
        let epsilon: Float
        var bias = true
    }

    let rows: Rows
    /// The layers before the last, [hidden, hidden] each.
    var inner: [Layer] = []
    /// The last layer, [labels, hidden].
    let output: Layer
}

/// A head with its weights, which are f32 for every precision of the model.
struct EncoderHead: Sendable {
    let plan: EncoderHeadPlan
    let outputs: Int
    let labels: [String]?
    private let hidden: Int
    let layers: [Step]

    struct Step: Sendable {
        let layer: Linear
        let activation: Activation
        let norm: Norm?
    }

    /// Reads the head that `architectures` names. `nil` if the family has none for it, or if the file lacks one that is not
    /// needed.
    /// - Parameters:
    ///   - plans: The family's heads.
    ///   - base: The part of the checkpoint that holds the encoder.
    ///   - hidden: Width of the encoder's states.
    init?(
        _ source: Checkpoint, _ plans: [EncoderTask: EncoderHeadPlan], base: WeightScope, hidden: Int, isNeeded: Bool
    ) throws(FileError) {
        guard let architecture = source.configuration.architecture,
            let found = plans.first(where: { architecture.hasSuffix($0.key.rawValue) })
        else { return nil }
        let plan = found.value
        let beside = base.around(having: plan.output.name + ".weight")
        func scope(_ layer: EncoderHeadPlan.Layer) -> WeightScope { layer.inBase ? base : beside }
        if !isNeeded, !scope(plan.output).has(plan.output.name + ".weight") { return nil }
        guard let shape = scope(plan.output).shape(plan.output.name + ".weight"), shape.count == 2,
            (1...1 << 24).contains(shape[0])
        else {
            throw FileError(
                file: source.weights.file.path,
                "'architectures' is \(quoted(architecture)), but there is no tensor "
                    + "'\(scope(plan.output).prefix)\(plan.output.name).weight' of [labels, \(hidden)]")
        }
        var layers: [Step] = []
        for layer in plan.inner + [plan.output] {
            let outputs = layers.count == plan.inner.count ? shape[0] : hidden
            layers.append(
                Step(
                    layer: try scope(layer).dense(
                        layer.name, outputs: outputs, inputs: hidden, bias: layer.bias, precision: .f32),
                    activation: layer.activation,
                    norm: try layer.norm.map { norm throws(FileError) in
                        try scope(layer).norm(norm.name, width: outputs, epsilon: norm.epsilon, bias: norm.bias)
                    }))
        }
        self.plan = plan
        self.hidden = hidden
        self.layers = layers
        outputs = shape[0]
        if found.key == .questionAnswering {
            guard outputs == 2 else {
                throw FileError(
                    file: source.weights.file.path,
                    "tensor '\(scope(plan.output).prefix)\(plan.output.name).weight' is \(shape) but should be "
                        + "[2, \(hidden)]: where an answer starts, and where it ends")
            }
            labels = nil
        } else {
            labels = try Labels.read(source.configuration, count: outputs) ?? Labels.unnamed(count: outputs)
        }
    }

    private func rows(_ batch: RaggedBatch) -> Int { plan.rows == .all ? batch.rows : batch.requests.count }

    func scratchCount(_ batch: RaggedBatch) -> Int {
        2 * Scratch.rounded(rows(batch) * hidden) + Scratch.rounded(rows(batch) * outputs)
    }

    /// Computes the logits of the sequences that want them.
    /// - Parameter x: The last layer's states, [rows, hidden].
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
            step.layer.apply(input, activation: step.activation, out: out, rows: rows)
            step.norm?.apply(kernels, out, out, rows: rows, width: step.layer.weight.outputs)
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
            case .lastBut(let padding):
                var place = length - 1
                if let ids = batch.requests[i].input.ids {
                    place = ids.lastIndex { Int($0) != padding } ?? 0
                }
                target.update(from: x + (offset + place) * hidden, count: hidden)
            case .mean:
                let mean = Pooling.mean.pool(x + offset * hidden, length: length, width: hidden)
                for j in 0..<hidden { target[j] = mean[j] }
            case .first, .all: target.update(from: x + offset * hidden, count: hidden)
            }
        }
    }
}
