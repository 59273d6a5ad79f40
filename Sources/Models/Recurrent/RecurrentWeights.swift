import Diagnostics
import Kernels
import ModelFiles

/// One direction of one layer.
struct RecurrentDirection: Sendable {
    /// weight_ih [gates·hidden, inputs]
    let input: PackedWeight
    /// weight_hh [gates·hidden, state]
    let hidden: PackedWeight
    /// [gates·hidden] of the input projection: b_ih + b_hh, but only b_ih for the GRU's n gate.
    let bias: FloatTensor?
    /// GRU: b_hh of the n gate, [hidden], which stays inside r ⊙ (…).
    let hiddenBiasN: FloatTensor?
    /// LSTM: weight_hr [state, hidden]
    let projection: PackedWeight?

    /// Floats in which dense layers and steps convert rows, for at most `rows` of them; 0 in f32.
    func wordCount(rows: Int) -> Int {
        [input, hidden, projection].compactMap { $0 }.map { $0.dense.scratchCount(rows, $0.inputs) }.max() ?? 0
    }
}

/// All tensors of a recurrent model, under torch.nn's names (https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html)
/// after `rnn.`: `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, `weight_hr_l0`, …, `_reverse`.
struct RecurrentWeights: Sendable {
    /// [vocabulary, inputSize]
    let embedding: EmbeddingTable?
    /// [layer][direction]
    let layers: [[RecurrentDirection]]
    /// output.weight [outputSize, layerSize], output.bias [outputSize]; no `output.bias` in the file: none.
    let output: PackedWeight?
    let outputBias: FloatTensor?
    /// Numbers in the tensors above, as torch counts them.
    let parameters: Int

    func wordCount(rows: Int) -> Int { layers.joined().map { $0.wordCount(rows: rows) }.max() ?? 0 }

    init(_ configuration: RecurrentConfiguration, _ reader: WeightReader) throws(ModelError) {
        var parameters = 0
        if let size = configuration.vocabularySize {
            embedding = try reader.table(
                "embedding.weight", rows: size, width: configuration.inputSize)
            parameters += size * configuration.inputSize
        } else {
            embedding = nil
        }
        var layers: [[RecurrentDirection]] = []
        for layer in 0..<configuration.layers {
            let inputs = layer == 0 ? configuration.inputSize : configuration.layerSize
            var directions: [RecurrentDirection] = []
            for direction in 0..<configuration.directions {
                let suffix = "_l\(layer)" + (direction == 1 ? "_reverse" : "")
                directions.append(try Self.direction(configuration, reader, suffix, inputs: inputs, &parameters))
            }
            layers.append(directions)
        }
        self.layers = layers
        if let size = configuration.outputSize {
            output = try reader.packed([("output.weight", size)], inputs: configuration.layerSize, precision: .f32)
            outputBias = reader.has("output.bias") ? try reader.floats("output.bias", shape: [size]) : nil
            parameters += size * (configuration.layerSize + (outputBias == nil ? 0 : 1))
        } else {
            output = nil
            outputBias = nil
        }
        self.parameters = parameters

        // A tensor of the network that the configuration leaves out would silently make another network of it.
        if let extra = reader.unused.first(where: { $0.hasPrefix("rnn.") }) {
            throw ModelError(
                file: reader.file.path,
                "tensor \(quoted(extra)) is not part of the network that config.json describes; check 'num_layers', "
                    + "'bidirectional', 'bias' and 'proj_size'")
        }
    }

    private static func direction(
        _ configuration: RecurrentConfiguration, _ reader: WeightReader, _ suffix: String, inputs: Int,
        _ parameters: inout Int
    ) throws(ModelError) -> RecurrentDirection {
        let gateSize = configuration.gateSize
        let stateSize = configuration.stateSize
        let hiddenSize = configuration.hiddenSize
        let input = try reader.packed([("rnn.weight_ih" + suffix, gateSize)], inputs: inputs)
        let hidden = try reader.packed([("rnn.weight_hh" + suffix, gateSize)], inputs: stateSize)
        parameters += gateSize * (inputs + stateSize)
        var projection: PackedWeight?
        if configuration.projectionSize != nil {
            projection = try reader.packed([("rnn.weight_hr" + suffix, stateSize)], inputs: hiddenSize)
            parameters += stateSize * hiddenSize
        }
        guard configuration.bias else {
            return RecurrentDirection(
                input: input, hidden: hidden, bias: nil, hiddenBiasN: nil, projection: projection)
        }
        let inputBias = try reader.floats("rnn.bias_ih" + suffix, shape: [gateSize])
        let hiddenBias = try reader.floats("rnn.bias_hh" + suffix, shape: [gateSize])
        parameters += 2 * gateSize
        // The GRU's n gate is the last third.
        let folded = configuration.cell == .gru ? 2 * hiddenSize : gateSize
        return RecurrentDirection(
            input: input, hidden: hidden,
            bias: floats("bias" + suffix, count: gateSize) { i in
                inputBias.values[i] + (i < folded ? hiddenBias.values[i] : 0)
            },
            hiddenBiasN: folded == gateSize
                ? nil : floats("bias_hn" + suffix, count: hiddenSize) { hiddenBias.values[folded + $0] },
            projection: projection)
    }

    private static func floats(_ name: String, count: Int, _ value: (Int) -> Float) -> FloatTensor {
        let owner = OwnedBytes(count: count * MemoryLayout<Float>.stride)
        let values = owner.bytes.bindMemory(to: Float.self)
        for i in 0..<count { values[i] = value(i) }
        return FloatTensor(
            name: name, shape: [count], values: UnsafeBufferPointer(rebasing: values[0..<count]), owner: owner)
    }
}
