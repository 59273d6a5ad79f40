import Diagnostics
import Kernels
import ModelFiles

/// What many families ask of config.json.
extension Configuration {
    /// transformers' class of the model: `BertForMaskedLM`.
    var architecture: String? { (object["architectures"]?.array ?? []).compactMap(\.string).first }

    func check(_ value: Int, _ key: String, dividedBy divisor: Int, _ other: String) throws(ModelError) {
        guard value % divisor == 0 else {
            throw ModelError(file: file, "'\(key)' is \(value), which '\(other)', \(divisor), does not divide")
        }
    }

    /// Refuses any value of a key but one, which is also the default.
    func require(_ key: String, _ expected: String, why: String) throws(ModelError) {
        let found = try string(key) ?? expected
        guard found == expected else { throw ModelError(file: file, "'\(key)' is \(quoted(found)); \(why)") }
    }

    /// Refuses decoders, which look one way and at an encoder's states.
    func requireEncoder() throws(ModelError) {
        for key in ["is_decoder", "add_cross_attention"] where try bool(key, default: false) {
            throw ModelError(file: file, "'\(key)' is true; only encoders are supported, which look both ways")
        }
    }

    /// An activation function by transformers' name (ACT2FN in activations.py).
    func activation(_ key: String, default name: String) throws(ModelError) -> Activation {
        try activation(named: try string(key) ?? name, key)
    }

    /// - Parameter key: for the message.
    func activation(named name: String, _ key: String) throws(ModelError) -> Activation {
        let known: [(String, Activation)] = [
            ("gelu", .gelu), ("gelu_new", .geluTanh), ("gelu_pytorch_tanh", .geluTanh), ("relu", .relu),
            ("silu", .silu), ("swish", .silu), ("tanh", .tanh), ("sigmoid", .sigmoid), ("linear", .identity),
            ("gelu_python", .gelu), ("gelu_fast", .geluTanh), ("gelu_accurate", .geluTanh),
            ("gelu_python_tanh", .geluTanh), ("quick_gelu", .quickGelu), ("relu2", .reluSquared), ("relu6", .relu6),
            ("leaky_relu", .leakyRelu), ("mish", .mish), ("gelu_10", .clippedGelu), ("hardswish", .hardSwish),
            ("laplace", .laplace), ("sqrtsoftplus", .sqrtSoftplus),
        ]
        guard let found = known.first(where: { $0.0 == name }) else {
            let names = known.map { "'\($0.0)'" }.joined(separator: ", ")
            throw ModelError(file: file, "'\(key)' is \(quoted(name)); it should be one of \(names)")
        }
        return found.1
    }

    /// Which layers see only near tokens: `layer_types`, one a layer; older files have a rule instead.
    func slidingLayers(_ layers: Int, default rule: (Int) -> Bool) throws(ModelError) -> [Bool] {
        guard let found = object["layer_types"], found != .null else { return (0..<layers).map(rule) }
        let types = (found.array ?? []).map { $0.string ?? $0.kind }
        guard types.count >= layers else {
            throw ModelError(file: file, "'layer_types' should be an array of \(layers) names, one a layer")
        }
        let known = ["full_attention", "sliding_attention"]
        if let unknown = types.first(where: { !known.contains($0) }) {
            throw ModelError(
                file: file,
                "'layer_types' has \(quoted(unknown)); it should have 'full_attention' and 'sliding_attention'")
        }
        return types.prefix(layers).map { $0 == known[1] }
    }

    /// A key whose null means something else than its absence: nil for null, `value` where it is absent.
    func int(_ key: String, in range: ClosedRange<Int>, absent value: Int) throws(ModelError) -> Int? {
        if object[key] == .null { return nil }
        return try int(key, in: range, default: value)
    }
}
