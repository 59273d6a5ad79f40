import JSON

/// What happens to a text before it is split: `normalizer` of tokenizer.json.
protocol Normalizer: Sendable {
    func normalize(_ text: inout NormalizedText)
}

/// One normalizer after the other.
struct NormalizerSequence: Normalizer {
    let normalizers: [any Normalizer]

    func normalize(_ text: inout NormalizedText) {
        for normalizer in normalizers { normalizer.normalize(&text) }
    }
}

struct LowercaseNormalizer: Normalizer {
    func normalize(_ text: inout NormalizedText) { text.lowercase() }
}

struct NFDNormalizer: Normalizer {
    func normalize(_ text: inout NormalizedText) { CanonicalDecomposition.apply(to: &text) }
}

struct StripAccentsNormalizer: Normalizer {
    func normalize(_ text: inout NormalizedText) {
        text.compactMap { ScalarClass.of($0).contains(.mark) ? nil : $0 }
    }
}

extension NormalizedText {
    /// Scalar by scalar, so without the context of a final sigma, as Rust's `char::to_lowercase`.
    mutating func lowercase() {
        if scalars.allSatisfy({ $0 < 0x80 }) {
            for i in scalars.indices where scalars[i] &- 0x41 < 26 { scalars[i] |= 0x20 }
            return
        }
        flatMap { scalar, out in
            if scalar < 0x80 {
                out.append(scalar &- 0x41 < 26 ? scalar | 0x20 : scalar)
            } else if ScalarClass.of(scalar).contains(.chinese) {
                out.append(scalar)
            } else if let properties = Unicode.Scalar(scalar)?.properties {
                for lower in properties.lowercaseMapping.unicodeScalars { out.append(lower.value) }
            }
        }
    }
}

extension TokenizerFile {
    func normalizer(_ value: JSONValue?, at path: String) throws(ModelError) -> (any Normalizer)? {
        guard let fields = try optionalFields(value, at: path) else { return nil }
        switch try fields.string("type") {
        case "BertNormalizer":
            return BertNormalizer(
                cleanText: try fields.bool("clean_text"), handleChineseChars: try fields.bool("handle_chinese_chars"),
                stripAccents: try fields.optionalBool("strip_accents"), lowercase: try fields.bool("lowercase"))
        case "Lowercase": return LowercaseNormalizer()
        case "NFD": return NFDNormalizer()
        case "StripAccents": return StripAccentsNormalizer()
        case "Sequence":
            var normalizers: [any Normalizer] = []
            for (i, value) in try fields.array("normalizers").enumerated() {
                guard let next = try normalizer(value, at: "\(path).normalizers[\(i)]") else {
                    throw error("\(path).normalizers[\(i)] is null; a normalizer is expected")
                }
                normalizers.append(next)
            }
            return NormalizerSequence(normalizers: normalizers)
        case let type:
            throw unknownType(
                type, at: path, supported: ["BertNormalizer", "Lowercase", "NFD", "Sequence", "StripAccents"])
        }
    }
}
