import Kernels
import ModelFiles

/// torch.nn.RNN, GRU or LSTM (https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html) with an optional embedding
/// before and an optional output layer behind.
///
/// Layer 0's states are the inputs; layer l's are h_t of its directions, joined.
public struct RecurrentNetwork: Network {
    public let description: ModelDescription
    let configuration: RecurrentConfiguration
    let weights: RecurrentWeights
    let kernels: KernelTable

    public init(source: Checkpoint) throws(ModelError) {
        let c = try RecurrentConfiguration(source.configuration)
        configuration = c
        weights = try RecurrentWeights(c, source.weights)
        kernels = source.weights.kernels
        let isGated = c.cell == .gru || c.cell == .lstm
        description = ModelDescription(
            family: c.family, input: c.input, hiddenSize: c.layerSize,
            embeddingSize: c.embedsOutput ? c.outputSize ?? c.layerSize : c.layerSize,
            stateSizes: [c.inputSize] + Array(repeating: c.layerSize, count: c.layers), layers: c.layers, heads: 0,
            directions: c.directions, maxLength: nil, logitsSize: c.outputSize, logitsPerToken: true, labels: c.labels,
            answersLogits: c.outputSize != nil && !c.embedsOutput, pooling: c.pooling, normalize: c.normalize,
            attentionMethods: isGated ? [.writeContribution, .jacobian] : [.jacobian],
            stateShape: (c.layers * c.directions, c.stateSize, c.cell == .lstm ? c.hiddenSize : 0),
            parameters: weights.parameters, precision: source.weights.precision.rawValue,
            instructionSet: kernels.instructionSet,
            maxJacobianLength: RecurrentJacobian.maxLength(c))
    }

    public func forward(_ requests: [SequenceRequest], scratch: Scratch) -> [SequenceResult] {
        let c = configuration
        let batch = RaggedBatch(requests)
        let layout = RecurrentLayout(batch)
        let wantsMaps = requests.contains { $0.outputs.attention != nil }
        let width = Scratch.rounded(batch.rows * max(c.inputSize, c.layerSize))
        let output = c.outputSize ?? 0
        scratch.reserve(
            floats: 2 * width
                + RecurrentPass.Memory.count(
                    weights, c, rows: batch.rows, sequences: requests.count, keepsGates: wantsMaps)
                + Scratch.rounded(batch.rows * output) + Scratch.rounded(requests.count * output)
                + Scratch.rounded(requests.count * c.layerSize))
        var x = scratch.take(width)
        var y = scratch.take(width)
        let memory = RecurrentPass.Memory(
            weights, c, rows: batch.rows, sequences: requests.count, keepsGates: wantsMaps, scratch)
        let pass = RecurrentPass(configuration: c, layout: layout)

        var results = batch.emptyResults()
        var states = requests.map { $0.outputs.finalState ? emptyState : nil }
        var contributions = requests.map { WriteContribution($0, c) }
        var jacobians = requests.map { RecurrentJacobian($0, self) }
        if let embedding = weights.embedding {
            batch.gatherTokens(embedding, x)
        } else {
            batch.gatherFeatures(width: c.inputSize, x)
        }
        collect(batch, 0, x, &results)
        for layer in 0..<c.layers {
            for direction in 0..<c.directions {
                let index = layer * c.directions + direction
                pass.run(
                    weights.layers[layer][direction], reverse: direction == 1, x: x, y: y + direction * c.stateSize,
                    stride: c.layerSize, index: index, memory: memory, states: &states)
                guard wantsMaps else { continue }
                let states = y + direction * c.stateSize
                for (i, first) in batch.offsets.enumerated() {
                    contributions[i]?.add(
                        layer: layer, direction: direction, memory: memory, first: first, states: states,
                        stride: c.layerSize)
                    jacobians[i]?.add(
                        layer: layer, direction: direction, memory: memory, first: first, states: states,
                        stride: c.layerSize)
                }
            }
            collect(batch, layer + 1, y, &results)
            swap(&x, &y)
        }
        applyOutput(batch, x, scratch, &results)
        for i in requests.indices {
            results[i].finalState = states[i]
            results[i].attention = contributions[i]?.maps ?? jacobians[i]?.maps
        }
        return results
    }

    private var emptyState: RecurrentState {
        func zeros(_ columns: Int) -> Matrix {
            let rows = configuration.layers * configuration.directions
            return Matrix(rows: rows, columns: columns, values: Array(repeating: 0, count: rows * columns))
        }
        return RecurrentState(
            hidden: zeros(configuration.stateSize),
            cell: configuration.cell == .lstm ? zeros(configuration.hiddenSize) : nil)
    }

    // MARK: Outputs

    /// As `RaggedBatch.collect`, but `last` means each direction's own last step, and an embedding that the output layer
    /// makes is left to `applyOutput`.
    private func collect(
        _ batch: RaggedBatch, _ layer: Int, _ x: UnsafePointer<Float>, _ results: inout [SequenceResult]
    ) {
        let width = description.stateSizes[layer]
        batch.collect(layer, x, width: width, into: &results)
        for (i, request) in batch.requests.enumerated()
        where request.outputs.embedding == .last && request.outputs.embeddingLayer == layer && layer > 0 {
            var final = [Float](repeating: 0, count: width)
            final.withUnsafeMutableBufferPointer { final in
                if let base = final.baseAddress {
                    copyFinalStates(x + batch.offsets[i] * width, length: batch.lengths[i], base)
                }
            }
            results[i].embedding = final
        }
    }

    /// The forward direction's h at the last position, and the reverse direction's at the first.
    private func copyFinalStates(_ rows: UnsafePointer<Float>, length: Int, _ out: UnsafeMutablePointer<Float>) {
        let size = configuration.stateSize
        let width = configuration.layerSize
        out.update(from: rows + (length - 1) * width, count: size)
        if configuration.directions == 2 { (out + size).update(from: rows + size, count: size) }
    }

    /// y = activation(W h + b): of all steps where logits or a pooled output are asked for; of the final states where
    /// `last` makes the embedding.
    private func applyOutput(
        _ batch: RaggedBatch, _ x: UnsafePointer<Float>, _ scratch: Scratch, _ results: inout [SequenceResult]
    ) {
        guard let output = weights.output else { return }
        let layers = configuration.layers
        func embeds(_ request: SequenceRequest) -> Bool {
            configuration.embedsOutput && request.outputs.embedding != nil && request.outputs.embeddingLayer == layers
        }
        if batch.requests.contains(where: { $0.outputs.logits || (embeds($0) && $0.outputs.embedding != .last) }) {
            let y = scratch.take(batch.rows * output.outputs)
            project(output, x, y, rows: batch.rows)
            for (i, request) in batch.requests.enumerated() {
                let start = y + batch.offsets[i] * output.outputs
                let length = batch.lengths[i]
                if request.outputs.logits {
                    results[i].logits = Matrix(
                        rows: length, columns: output.outputs,
                        values: Array(UnsafeBufferPointer(start: start, count: length * output.outputs)))
                }
                if embeds(request), let pooling = request.outputs.embedding {
                    results[i].embedding = pooling.pool(start, length: length, width: output.outputs)
                }
            }
        }
        let lasts = batch.requests.indices.filter {
            embeds(batch.requests[$0]) && batch.requests[$0].outputs.embedding == .last
        }
        if lasts.isEmpty { return }
        let width = configuration.layerSize
        let finals = scratch.take(lasts.count * width)
        let y = scratch.take(lasts.count * output.outputs)
        for (row, i) in lasts.enumerated() {
            copyFinalStates(x + batch.offsets[i] * width, length: batch.lengths[i], finals + row * width)
        }
        project(output, finals, y, rows: lasts.count)
        for (row, i) in lasts.enumerated() {
            results[i].embedding = Array(UnsafeBufferPointer(start: y + row * output.outputs, count: output.outputs))
        }
    }

    private func project(
        _ output: PackedWeight, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, rows: Int
    ) {
        output.apply(
            x, bias: weights.outputBias, activation: configuration.outputActivation.epilogue, out: y,
            rows: rows)
        if configuration.outputActivation == .softmax { kernels.softmax(y, rows, output.outputs) }
    }
}
