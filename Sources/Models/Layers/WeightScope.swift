import Kernels
import ModelFiles

/// A part of a checkpoint: the tensors whose names begin with a prefix. It reads them as layers of torch.nn.
struct WeightScope {
    let reader: WeightReader
    /// The prefix: empty, or a name with a dot at the end.
    let prefix: String

    /// Returns the scope of `name.` within this one.
    func callAsFunction(_ name: String) -> WeightScope { WeightScope(reader: reader, prefix: prefix + name + ".") }

    func has(_ name: String) -> Bool { reader.has(prefix + name) }

    /// Returns the scope around this one that holds `name`, such as a head beside the encoder. A wrapper that was saved
    /// whole puts everything under one more prefix (`state_dict.`, `module.`), so the scopes are searched from the
    /// outermost on. That one is returned if none holds the name.
    func around(having name: String) -> WeightScope {
        var prefix = ""
        for part in [""] + self.prefix.split(separator: ".").map({ $0 + "." }) {
            prefix += part
            if reader.has(prefix + name) { return WeightScope(reader: reader, prefix: prefix) }
        }
        return WeightScope(reader: reader, prefix: "")
    }

    func shape(_ name: String) -> [Int]? { reader.shape(prefix + name) }

    /// Reads torch.nn.Linear under `name`.
    /// - Parameter precision: The precision of the layer. `nil` takes the network's.
    func dense(
        _ name: String, outputs: Int, inputs: Int, bias: Bool = true, precision: Precision? = nil
    ) throws(FileError) -> Linear {
        try dense(joined: [(name, outputs)], inputs: inputs, bias: bias, precision: precision)
    }

    /// Reads several layers with the same input as one, stacked by rows.
    func dense(
        joined parts: [(name: String, outputs: Int)], inputs: Int, bias: Bool = true, precision: Precision? = nil
    ) throws(FileError) -> Linear {
        Linear(
            weight: try reader.packed(
                parts.map { (prefix + $0.name + ".weight", $0.outputs) }, inputs: inputs, precision: precision),
            bias: bias ? try reader.joined(parts.map { (prefix + $0.name + ".bias", $0.outputs) }) : nil)
    }

    /// Reads the gate and up projections of a gated feed-forward part as one layer, in the order of
    /// `DenseArguments.gated`.
    /// - Parameters:
    ///   - gate: Rows [width, inputs] of a tensor, whose name is given without `.weight` and `.bias`.
    ///   - up: Rows [width, inputs], possibly of the same tensor.
    func gated(
        gate: TensorRows, up: TensorRows, width: Int, inputs: Int, bias: Bool = false
    ) throws(FileError) -> Linear {
        func part(_ rows: TensorRows, _ suffix: String) -> TensorRows {
            TensorRows(prefix + rows.name + suffix, of: rows.count, from: rows.first)
        }
        return Linear(
            weight: try reader.packedGated(
                gate: part(gate, ".weight"), up: part(up, ".weight"), width: width, inputs: inputs),
            bias: bias
                ? try reader.joinedGated(gate: part(gate, ".bias"), up: part(up, ".bias"), width: width) : nil)
    }

    /// Reads torch.nn.RMSNorm under `name`.
    /// - Parameter offset: A number that is added to the stored weight; 1 for Gemma.
    func rmsNorm(
        _ name: String, width: Int, epsilon: Float, offset: Float = 0
    ) throws(FileError) -> Norm {
        var weight = try floats(name + ".weight", [width])
        if offset != 0 { weight = weight.mapped { $0 + offset } }
        return Norm(kind: .rms, weight: weight, epsilon: epsilon)
    }

    /// Reads torch.nn.LayerNorm under `name`. Checkpoints converted from TensorFlow, such as bert-base-uncased, call
    /// its weight and bias gamma and beta.
    func norm(_ name: String, width: Int, epsilon: Float, bias: Bool = true) throws(FileError) -> Norm {
        let names = has(name + ".gamma") ? (".gamma", ".beta") : (".weight", ".bias")
        return Norm(
            weight: try floats(name + names.0, [width]), bias: bias ? try floats(name + names.1, [width]) : nil,
            epsilon: epsilon)
    }

    func floats(_ name: String, _ shape: [Int]) throws(FileError) -> FloatTensor {
        try reader.floats(prefix + name, shape: shape)
    }

    func table(_ name: String, rows: Int, width: Int) throws(FileError) -> EmbeddingTable {
        try reader.table(prefix + name, rows: rows, width: width)
    }
}

extension Checkpoint {
    /// The scope of all tensors.
    var root: WeightScope { WeightScope(reader: weights, prefix: "") }

    /// Returns the scope of the encoder itself: the shortest prefix under which `anchor` is. A bare model has no
    /// prefix, a model with a head transformers' `base_model_prefix` (`bert.`), and other tools have their own. Without
    /// the anchor it is the scope of all tensors, so that the error names what is missing.
    /// - Parameter anchor: A tensor that every model of the family has: `embeddings.word_embeddings.weight`.
    func base(anchor: String) -> WeightScope {
        if weights.has(anchor) { return root }
        let found = weights.file.names.filter { $0.hasSuffix("." + anchor) }.min {
            ($0.utf8.count, $0) < ($1.utf8.count, $1)
        }
        return WeightScope(reader: weights, prefix: found.map { String($0.dropLast(anchor.count)) } ?? "")
    }
}
