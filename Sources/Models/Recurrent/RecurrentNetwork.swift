import Kernels
import ModelFiles

/// A recurrent network: torch.nn.RNN, GRU or LSTM (https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html)
/// with an optional embedding before and an optional output layer behind.
///
/// The states of layer 0 are the inputs; those of layer l are h_t of its directions, joined.
struct RecurrentNetwork: Network {
    let description: ModelDescription
    let configuration: RecurrentConfiguration
    let weights: RecurrentWeights
    let kernels: KernelTable

    init(source: Checkpoint) throws(FileError) {
        let c = try RecurrentConfiguration(source.configuration)
        configuration = c
        weights = try RecurrentWeights(c, source.weights)
        kernels = source.weights.kernels
        description = ModelDescription(
            architecture: .init(
                family: c.family, input: c.input,
                stateSizes: [c.inputSize] + Array(repeating: c.layerSize, count: c.layers), heads: 0,
                directions: c.directions,
                stateShape: RecurrentStateShape(
                    rows: c.layers * c.directions, hidden: c.stateSize, cell: c.cell == .lstm ? c.hiddenSize : 0),
                parameters: weights.parameters),
            outputs: .init(
                defaultOutput: c.outputSize != nil && !c.embedsOutput ? .logits : .embedding,
                pooledWidth: c.embedsOutput ? c.outputSize ?? c.layerSize : c.layerSize, pooling: [c.pooling],
                normalize: c.normalize, logitsSize: c.outputSize, logitsPerToken: true, labels: c.labels),
            attribution: RecurrentNetwork.attributionDescription(c),
            runtime: .init(precision: source.weights.precision.rawValue, instructionSet: kernels.instructionSet))
    }

    func forward(_ requests: [SequenceRequest], scratch: Scratch) -> [SequenceResult] {
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
        var attributions = requests.map(attribution)
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
                    stride: c.layerSize, index: index, memory: memory, control: scratch.control, states: &states)
                if scratch.control.isStopped { return results }
                guard wantsMaps else { continue }
                let states = y + direction * c.stateSize
                for (i, first) in batch.offsets.enumerated() {
                    attributions[i]?.record(
                        RecurrentTrace(
                            layer: layer, direction: direction, memory: memory, firstRow: first, states: states,
                            stride: c.layerSize))
                }
            }
            collect(batch, layer + 1, y, &results)
            swap(&x, &y)
        }
        applyOutput(batch, x, scratch, &results)
        for i in requests.indices {
            results[i].finalState = states[i]
            results[i].attention = attributions[i]?.maps(scratch.control)
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

    /// Puts a layer's states and pooled vectors into the results. Above the input, `last` takes each direction's own last
    /// step. An embedding that the output layer makes is left to `applyOutput`.
    private func collect(
        _ batch: RaggedBatch, _ layer: Int, _ x: UnsafePointer<Float>, _ results: inout [SequenceResult]
    ) {
        let width = description.architecture.stateSizes[layer]
        batch.collect(
            layer, x, width: width, into: &results, pools: layer < configuration.layers || !configuration.embedsOutput,
            last: layer == 0
                ? nil
                : { sequence in
                    var final = [Float](repeating: 0, count: width)
                    final.withUnsafeMutableBufferPointer { final in
                        if let base = final.baseAddress {
                            copyFinalStates(x + batch.offsets[sequence] * width, length: batch.lengths[sequence], base)
                        }
                    }
                    return final
                })
    }

    /// Copies each direction's h after its last step: the forward one's at the last position, the reverse one's at the
    /// first.
    private func copyFinalStates(_ rows: UnsafePointer<Float>, length: Int, _ out: UnsafeMutablePointer<Float>) {
        let size = configuration.stateSize
        let width = configuration.layerSize
        out.update(from: rows + (length - 1) * width, count: size)
        if configuration.directions == 2 { (out + size).update(from: rows + size, count: size) }
    }

    /// Computes y = activation(W h + b) for logits and for embeddings that pool y: of all steps where one needs them, and of
    /// the final states where `last` is pooled.
    private func applyOutput(
        _ batch: RaggedBatch, _ x: UnsafePointer<Float>, _ scratch: Scratch, _ results: inout [SequenceResult]
    ) {
        guard let output = weights.output else { return }
        /// The ways of pooling y that a request wants.
        func pooling(_ request: SequenceRequest) -> [Pooling] {
            configuration.embedsOutput && request.outputs.embeddingLayer == configuration.layers
                ? request.outputs.pooling : []
        }
        var all: UnsafeMutablePointer<Float>?
        if batch.requests.contains(where: { $0.outputs.logits || pooling($0).contains { $0 != .last } }) {
            let y = scratch.take(batch.rows * output.outputs)
            project(output, x, y, rows: batch.rows)
            all = y
        }
        let lasts = batch.requests.indices.filter { pooling(batch.requests[$0]).contains(.last) }
        var final: [Int: [Float]] = [:]
        if !lasts.isEmpty {
            let width = configuration.layerSize
            let states = scratch.take(lasts.count * width)
            let y = scratch.take(lasts.count * output.outputs)
            for (row, i) in lasts.enumerated() {
                copyFinalStates(x + batch.offsets[i] * width, length: batch.lengths[i], states + row * width)
            }
            project(output, states, y, rows: lasts.count)
            for (row, i) in lasts.enumerated() {
                final[i] = Array(UnsafeBufferPointer(start: y + row * output.outputs, count: output.outputs))
            }
        }
        for (i, request) in batch.requests.enumerated() {
            if request.outputs.logits, let all {
                results[i].logits = Matrix(
                    rows: batch.lengths[i], columns: output.outputs,
                    values: Array(
                        UnsafeBufferPointer(
                            start: all + batch.offsets[i] * output.outputs, count: batch.lengths[i] * output.outputs)))
            }
            if !pooling(request).isEmpty {
                results[i].embedding = batch.pooled(i, all.map { UnsafePointer($0) } ?? x, width: output.outputs) {
                    final[$0] ?? []
                }
            }
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
