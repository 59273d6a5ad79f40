import Kernels
import ModelFiles

/// A part of a checkpoint: the tensors whose names begin with a prefix, read as the layers of torch.nn.
struct WeightScope {
    let reader: WeightReader
    /// Empty, or ending with a dot.
    let prefix: String

    /// The scope of `name.` within this one.
    func callAsFunction(_ name: String) -> WeightScope { WeightScope(reader: reader, prefix: prefix + name + ".") }

    func has(_ name: String) -> Bool { reader.has(prefix + name) }

    /// The scope beside this one that holds `name`: what lies beside an encoder in its file, a head above all. A file may
    /// have everything under a prefix more, of a wrapper that was saved whole (`state_dict.`, `module.`), so the scopes
    /// around this one are asked from the outermost; that one, if none has it.
    func around(having name: String) -> WeightScope {
        var prefix = ""
        for part in [""] + self.prefix.split(separator: ".").map({ $0 + "." }) {
            prefix += part
            if reader.has(prefix + name) { return WeightScope(reader: reader, prefix: prefix) }
        }
        return WeightScope(reader: reader, prefix: "")
    }

    func shape(_ name: String) -> [Int]? { reader.shape(prefix + name) }

    /// torch.nn.Linear under `name`.
    /// - Parameter precision: nil: the network's.
    func dense(
        _ name: String, outputs: Int, inputs: Int, bias: Bool = true, precision: Precision? = nil
    ) throws(ModelError) -> Linear {
        try dense(joined: [(name, outputs)], inputs: inputs, bias: bias, precision: precision)
    }

    /// Several layers that read the same, stacked by rows into one.
    func dense(
        joined parts: [(name: String, outputs: Int)], inputs: Int, bias: Bool = true, precision: Precision? = nil
    ) throws(ModelError) -> Linear {
        Linear(
            weight: try reader.packed(
                parts.map { (prefix + $0.name + ".weight", $0.outputs) }, inputs: inputs, precision: precision),
            bias: bias ? try reader.joined(parts.map { (prefix + $0.name + ".bias", $0.outputs) }) : nil)
    }

    /// Gate and up projection of a gated feed-forward part, in the order that `DenseArguments.gated` wants.
    /// - Parameters:
    ///   - gate: [width, inputs]: rows of tensors, whose names lack `.weight` and `.bias`. Likewise `up`; the two may be parts
    ///     of one tensor.
    func gated(
        gate: WeightReader.Rows, up: WeightReader.Rows, width: Int, inputs: Int, bias: Bool = false
    ) throws(ModelError) -> Linear {
        func part(_ rows: WeightReader.Rows, _ suffix: String) -> WeightReader.Rows {
            WeightReader.Rows(prefix + rows.name + suffix, of: rows.count, from: rows.first)
        }
        return Linear(
            weight: try reader.packedGated(
                gate: part(gate, ".weight"), up: part(up, ".weight"), width: width, inputs: inputs),
            bias: bias
                ? try reader.joinedGated(gate: part(gate, ".bias"), up: part(up, ".bias"), width: width) : nil)
    }

    /// torch.nn.RMSNorm under `name`.
    /// - Parameter offset: added to the weight as it is stored (Gemma: 1).
    func rmsNorm(
        _ name: String, width: Int, epsilon: Float, offset: Float = 0
    ) throws(ModelError) -> Norm {
        var weight = try floats(name + ".weight", [width])
        if offset != 0 { weight = weight.mapped { $0 + offset } }
        return Norm(kind: .rms, weight: weight, epsilon: epsilon)
    }

    /// torch.nn.LayerNorm under `name`. Checkpoints converted from TensorFlow, bert-base-uncased among them, call weight
    /// and bias gamma and beta.
    func norm(_ name: String, width: Int, epsilon: Float, bias: Bool = true) throws(ModelError) -> Norm {
        let names = has(name + ".gamma") ? (".gamma", ".beta") : (".weight", ".bias")
        return Norm(
            weight: try floats(name + names.0, [width]), bias: bias ? try floats(name + names.1, [width]) : nil,
            epsilon: epsilon)
    }

    func floats(_ name: String, _ shape: [Int]) throws(ModelError) -> FloatTensor {
        try reader.floats(prefix + name, shape: shape)
    }

    func table(_ name: String, rows: Int, width: Int) throws(ModelError) -> EmbeddingTable {
        try reader.table(prefix + name, rows: rows, width: width)
    }
}

extension Checkpoint {
    /// All tensors.
    var root: WeightScope { WeightScope(reader: weights, prefix: "") }

    /// The part of the checkpoint that holds the encoder itself. A bare model has its tensors at the top, a model with a
    /// head under transformers' `base_model_prefix` (`bert.`), other tools under prefixes of their own: whichever it is,
    /// `anchor`, a tensor that every model of the family has, tells. Of several the shortest is taken; without any, the
    /// names at the top are asked for, so that the error names what is missing.
    /// - Parameter anchor: `embeddings.word_embeddings.weight`
    func base(anchor: String) -> WeightScope {
        if weights.has(anchor) { return root }
        let found = weights.file.names.filter { $0.hasSuffix("." + anchor) }.min {
            ($0.utf8.count, $0) < ($1.utf8.count, $1)
        }
        return WeightScope(reader: weights, prefix: found.map { String($0.dropLast(anchor.count)) } ?? "")
    }
}
