import Diagnostics
import ModelFiles

/// Reads and checks of config.json that several families share.
extension ConfigurationFile {
    /// The class of the model in transformers: `BertForMaskedLM`. `nil` if config.json names none.
    var architecture: String? { (object["architectures"]?.array ?? []).compactMap(\.string).first }

    func check(_ value: Int, _ key: String, dividedBy divisor: Int, _ other: String) throws(FileError) {
        guard value % divisor == 0 else {
            throw FileError(file: file, "'\(key)' is \(value), which '\(other)', \(divisor), does not divide")
        }
    }

    /// Refuses all values of a key except one, which is also the default.
    func require(_ key: String, _ expected: String, why: String) throws(FileError) {
        let found = try string(key) ?? expected
        guard found == expected else { throw FileError(file: file, "'\(key)' is \(quoted(found)); \(why)") }
    }

    /// Refuses decoders, which attend in one direction and to an encoder's states.
    func requireEncoder() throws(FileError) {
        for key in ["is_decoder", "add_cross_attention"] where try bool(key, default: false) {
            throw FileError(file: file, "'\(key)' is true; only encoders are supported, which look both ways")
        }
    }

    /// Reads which layers attend to near tokens only, [layers], from `layer_types`.
    /// - Parameter rule: The rule of older files, which lack the key.
    func slidingLayers(_ layers: Int, default rule: (Int) -> Bool) throws(FileError) -> [Bool] {
        guard let found = object["layer_types"], found != .null else { return (0..<layers).map(rule) }
        let types = (found.array ?? []).map { $0.string ?? $0.kind }
        guard types.count >= layers else {
            throw FileError(file: file, "'layer_types' should be an array of \(layers) names, one a layer")
        }
        let known = ["full_attention", "sliding_attention"]
        if let unknown = types.first(where: { !known.contains($0) }) {
            throw FileError(
                file: file,
                "'layer_types' has \(quoted(unknown)); it should have 'full_attention' and 'sliding_attention'")
        }
        return types.prefix(layers).map { $0 == known[1] }
    }

    /// Reads a key whose null has a meaning. It returns `value` if the key is absent, `nil` if it is null.
    func int(_ key: String, in range: ClosedRange<Int>, absent value: Int) throws(FileError) -> Int? {
        if object[key] == .null { return nil }
        return try int(key, in: range, default: value)
    }
}

/// Returns the name of a Python class, the end of its path: `Tanh` of `torch.nn.modules.activation.Tanh`.
func className(_ path: String) -> Substring? { path.split(separator: ".").last }
