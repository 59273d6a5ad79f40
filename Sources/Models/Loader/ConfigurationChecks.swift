import Kernels

/// What many families ask of config.json.
extension Configuration {
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
        let known: [(String, Activation)] = [
            ("gelu", .gelu), ("gelu_new", .geluTanh), ("gelu_pytorch_tanh", .geluTanh), ("relu", .relu),
            ("silu", .silu), ("swish", .silu), ("tanh", .tanh), ("sigmoid", .sigmoid), ("linear", .identity),
        ]
        let name = try string(key) ?? name
        guard let found = known.first(where: { $0.0 == name }) else {
            let names = known.map { "'\($0.0)'" }.joined(separator: ", ")
            throw ModelError(file: file, "'\(key)' is \(quoted(name)); it should be one of \(names)")
        }
        return found.1
    }
}
