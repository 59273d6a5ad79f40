import Diagnostics
import Kernels
import ModelFiles

/// The weights of one direction of one layer.
struct RecurrentDirection: Sendable {
    /// weight_ih, [gates · hidden, inputs].
    let input: PackedWeight
    /// weight_hh, [gates · hidden, state].
    let hidden: PackedWeight
    /// The bias of the input projection, [gates · hidden]: b_ih + b_hh, but only b_ih for the GRU's n gate. `nil` if
    /// there is none.
    let bias: FloatTensor?
    /// b_hh of the GRU's n gate, [hidden], which stays inside r ⊙ (…). `nil` if there is none.
    let hiddenBiasN: FloatTensor?
    /// weight_hr of an LSTM, [state, hidden]. `nil` if there is none.
    let projection: PackedWeight?

    /// Returns the floats of scratch in which dense layers and steps convert up to `rows` rows; 0 in f32.
    func convertedCount(rows: Int) -> Int {
        [input, hidden, projection].compactMap { $0 }.map { $0.dense.scratchCount(rows, $0.inputs) }.max() ?? 0
    }
}

/// The tensors of a recurrent model under torch.nn's names
/// (https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html) after `rnn.`: `weight_ih_l0`, `weight_hh_l0`,
/// `bias_ih_l0`, `bias_hh_l0`, `weight_hr_l0`, …, `_reverse`.
struct RecurrentWeights: Sendable {
    /// embedding.weight, [vocabulary, inputSize]. `nil` if the input is feature vectors.
    let embedding: EmbeddingTable?
    /// The weights of the layers, [layer][direction].
    let layers: [[RecurrentDirection]]
    /// output.weight, [outputSize, layerSize], and output.bias, [outputSize]. `nil` if there is none.
    let output: PackedWeight?
    let outputBias: FloatTensor?
    /// Values in the tensors above, as torch counts them.
    let parameters: Int

    func convertedCount(rows: Int) -> Int { layers.joined().map { $0.convertedCount(rows: rows) }.max() ?? 0 }

    init(_ configuration: RecurrentConfiguration, _ reader: WeightReader) throws(FileError) {
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

        // Ignoring a tensor of the network would silently make it another network.
        if let extra = reader.unused.first(where: { $0.hasPrefix("rnn.") }) {
            throw FileError(
                file: reader.file.path,
                "tensor \(quoted(extra)) is not part of the network that config.json describes; check 'num_layers', "
                    + "'bidirectional', 'bias' and 'proj_size'")
        }
    }

    private static func direction(
        _ configuration: RecurrentConfiguration, _ reader: WeightReader, _ suffix: String, inputs: Int,
        _ parameters: inout Int
    ) throws(FileError) -> RecurrentDirection {
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
