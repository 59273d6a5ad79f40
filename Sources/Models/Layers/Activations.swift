import Diagnostics
import Kernels
import ModelFiles

/// The activation functions by the names that configurations give them.
enum ActivationNames {
    /// transformers' names (ACT2FN,
    /// https://github.com/huggingface/transformers/blob/main/src/transformers/activations.py).
    static let transformers: [(name: String, activation: Activation)] = [
        ("gelu", .gelu), ("gelu_new", .geluTanh), ("gelu_pytorch_tanh", .geluTanh), ("relu", .relu),
        ("silu", .silu), ("swish", .silu), ("tanh", .tanh), ("sigmoid", .sigmoid), ("linear", .identity),
        ("gelu_python", .gelu), ("gelu_fast", .geluTanh), ("gelu_accurate", .geluTanh),
        ("gelu_python_tanh", .geluTanh), ("quick_gelu", .quickGelu), ("relu2", .reluSquared), ("relu6", .relu6),
        ("leaky_relu", .leakyRelu), ("mish", .mish), ("gelu_10", .clippedGelu), ("hardswish", .hardSwish),
        ("laplace", .laplace), ("sqrtsoftplus", .sqrtSoftplus),
    ]

    /// Class names of torch.nn (https://docs.pytorch.org/docs/stable/nn.html#non-linear-activations-weighted-sum-nonlinearity).
    static let torch: [(name: Substring, activation: Activation)] = [
        ("Identity", .identity), ("Tanh", .tanh), ("ReLU", .relu), ("GELU", .gelu), ("Sigmoid", .sigmoid),
        ("SiLU", .silu), ("Mish", .mish), ("ELU", .elu), ("ReLU6", .relu6), ("LeakyReLU", .leakyRelu),
        ("Hardswish", .hardSwish),
    ]
}

extension ConfigurationFile {
    /// Reads an activation function by transformers' name.
    /// - Parameter allowed: The names that the key can have. `nil` allows all.
    func activation(
        _ key: String, default name: String, among allowed: [String]? = nil
    ) throws(FileError) -> Activation {
        let found = try string(key) ?? name
        if let allowed, !allowed.contains(found) {
            throw wrong(key, .string(found), "one of " + allowed.map { "'\($0)'" }.joined(separator: ", "))
        }
        return try activation(named: found, key)
    }

    /// Finds an activation function by transformers' name.
    /// - Parameter key: The key that holds the name, for the error.
    func activation(named name: String, _ key: String) throws(FileError) -> Activation {
        guard let found = ActivationNames.transformers.first(where: { $0.name == name }) else {
            let names = ActivationNames.transformers.map { "'\($0.name)'" }.joined(separator: ", ")
            throw FileError(file: file, "'\(key)' is \(quoted(name)); it should be one of \(names)")
        }
        return found.activation
    }

    /// Reads an activation function by the path of torch's class: `torch.nn.modules.activation.Tanh`.
    func torchActivation(_ key: String, default other: String) throws(FileError) -> Activation {
        let path = try string(key) ?? other
        let name = className(path)
        guard let found = ActivationNames.torch.first(where: { $0.name == name }) else {
            throw FileError(
                file: file,
                "'\(key)' is \(quoted(path)); it should end with one of "
                    + ActivationNames.torch.map(\.name).joined(separator: ", "))
        }
        return found.activation
    }
}
