import Kernels
import ModelFiles

/// A module of sentence-transformers behind the pooling
/// (https://sbert.net/docs/package_reference/sentence_transformer/models.html).
struct SentenceTransformersModule: Sendable {
    private enum Kind: Sendable {
        case dense(Linear, Activation, Residual)
        case norm(Norm)
        /// Division by the L2 norm.
        case normalize
    }
    private let kind: Kind

    /// The term that Dense adds to its output.
    private enum Residual: Sendable {
        case none, input
        case projected(Linear)
    }

    /// Reads a module with its weights.
    /// - Parameter width: Width of the module's input on entry, of its output on return.
    init(_ file: SentenceTransformersConfiguration.Module, _ source: Checkpoint, width: inout Int) throws(FileError) {
        switch file {
        case .normalize: kind = .normalize
        case .dense(let directory, let settings):
            let inputs = try settings.int("in_features", in: 1...1 << 20)
            let outputs = try settings.int("out_features", in: 1...1 << 20)
            guard inputs == width else {
                throw FileError(
                    file: settings.file, "'in_features' is \(inputs), but the vectors before it have \(width) values")
            }
            for key in ["module_input_name", "module_output_name"] {
                try settings.require(key, "sentence_embedding", why: "only 'sentence_embedding' is supported")
            }
            let scope = try SentenceTransformersModule.weights(directory, source)
            var residual = Residual.none
            if try settings.bool("use_residual", default: false) {
                residual =
                    inputs == outputs
                    ? .input
                    : .projected(
                        try scope.dense("residual", outputs: outputs, inputs: inputs, bias: false, precision: .f32))
            }
            kind = .dense(
                try scope.dense(
                    "linear", outputs: outputs, inputs: inputs, bias: try settings.bool("bias", default: true),
                    precision: .f32), try settings.torchActivation("activation_function", default: "Tanh"), residual)
            width = outputs
        case .norm(let directory, let settings):
            let dimension = try settings.int("dimension", in: 1...1 << 20)
            guard dimension == width else {
                throw FileError(
                    file: settings.file, "'dimension' is \(dimension), but the vectors before it have \(width) values")
            }
            kind = .norm(
                try SentenceTransformersModule.weights(directory, source).norm("norm", width: dimension, epsilon: 1e-5))
        }
    }

    private static func weights(_ directory: String, _ source: Checkpoint) throws(FileError) -> WeightScope {
        WeightScope(
            reader: WeightReader(
                file: try WeightFiles.open(directory: directory, configured: nil), names: [:],
                kernels: source.weights.kernels), prefix: "")
    }

    func apply(_ vector: [Float], _ kernels: KernelTable) -> [Float] {
        switch kind {
        case .normalize: return L2Normalize.normalized(vector)
        case .norm(let norm):
            var out = vector
            out.withUnsafeMutableBufferPointer { out in
                guard let base = out.baseAddress else { return }
                norm.apply(kernels, base, base, rows: 1, width: vector.count)
            }
            return out
        case .dense(let layer, let activation, let residual):
            let out = SentenceTransformersModule.run(layer, activation, vector)
            switch residual {
            case .none: return out
            case .input: return zip(out, vector).map { $0 + $1 }
            case .projected(let projection):
                return zip(out, SentenceTransformersModule.run(projection, .identity, vector)).map { $0 + $1 }
            }
        }
    }

    private static func run(
        _ layer: Linear, _ activation: Activation, _ vector: [Float]
    ) -> [Float] {
        var out = [Float](repeating: 0, count: layer.weight.outputs)
        vector.withUnsafeBufferPointer { vector in
            out.withUnsafeMutableBufferPointer { out in
                guard let from = vector.baseAddress, let to = out.baseAddress else { return }
                layer.apply(from, activation: activation, out: to, rows: 1)
            }
        }
        return out
    }
}
