import Diagnostics
import ModelFiles

extension ConfigurationFile {
    /// Refuses weights whose quantization cannot be read, by `quantization_config` (older files: `compression_config`).
    /// The types of the tensors tell which ones are quantized.
    func checkQuantization() throws(FileError) {
        guard let key = ["quantization_config", "compression_config"].first(where: { (object[$0] ?? .null) != .null })
        else { return }
        guard let value = object[key], let settings = value.object else {
            throw wrong(key, object[key] ?? .null, "an object")
        }
        let c = ConfigurationFile(file: file, object: settings)
        let method = try c.string("quant_method") ?? (key == "compression_config" ? "compressed-tensors" : "nothing")
        func fail(_ name: String, _ shown: String, _ wanted: String) -> FileError {
            FileError(file: file, "'\(key).\(name)' is \(shown); \(wanted)")
        }
        switch method {
        case "bitsandbytes":
            guard try c.bool("load_in_8bit", default: false), try !c.bool("load_in_4bit", default: false) else {
                throw fail("load_in_8bit", "not true", "of bitsandbytes only weights of 8 bits are supported")
            }
        case "compressed-tensors":
            let formats = ["int-quantized", "naive-quantized", "dense"]
            let format = try c.string("format") ?? "dense"
            guard formats.contains(format) else {
                throw fail("format", quoted(format), "it should be one of \(formats.joined(separator: ", "))")
            }
            let sparsity = settings["sparsity_config"]?["format"]?.string ?? "dense"
            guard sparsity == "dense" else {
                throw fail("sparsity_config.format", quoted(sparsity), "only dense weights are supported")
            }
            for (name, group) in settings["config_groups"]?.object?.members ?? [] {
                guard let weights = group["weights"]?.object else { continue }
                let w = ConfigurationFile(file: file, object: weights)
                let bits = try w.int("num_bits", in: 1...64, default: 8)
                let type = try w.string("type") ?? "int"
                let strategy = try w.string("strategy") ?? "tensor"
                let isSymmetric = try w.bool("symmetric", default: true)
                guard bits == 8, type == "int", isSymmetric, ["tensor", "channel"].contains(strategy) else {
                    throw fail(
                        "config_groups.\(name).weights",
                        "\(type) of \(bits) bits, \(isSymmetric ? "symmetric" : "asymmetric"), by \(strategy)",
                        "supported are symmetric int of 8 bits by channel or tensor")
                }
            }
        default:
            throw fail(
                "quant_method", quoted(method),
                "weights quantized by bitsandbytes (8 bits) or compressed-tensors (int of 8 bits) can be read")
        }
    }
}
