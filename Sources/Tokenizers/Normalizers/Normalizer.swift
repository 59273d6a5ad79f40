import JSON
import ModelFiles

/// A change of the text before it is split: `normalizer` of tokenizer.json.
protocol Normalizer: Sendable {
    func normalize(_ text: inout NormalizedText)
}

/// A sequence of normalizers.
struct NormalizerSequence: Normalizer {
    let normalizers: [any Normalizer]

    func normalize(_ text: inout NormalizedText) {
        for normalizer in normalizers { normalizer.normalize(&text) }
    }
}

struct LowercaseNormalizer: Normalizer {
    func normalize(_ text: inout NormalizedText) { text.lowercase() }
}

struct FormNormalizer: Normalizer {
    let form: UnicodeForms.Form
    func normalize(_ text: inout NormalizedText) { UnicodeForms.apply(form, to: &text) }
}

/// The normalizer `Strip`: removes white space at the ends.
struct StripNormalizer: Normalizer {
    let left: Bool
    let right: Bool

    func normalize(_ text: inout NormalizedText) {
        let classes = ScalarClass.lookup
        func isSpace(_ scalar: UInt32) -> Bool { classes[scalar].contains(.whitespace) }
        let first = left ? text.scalars.firstIndex { !isSpace($0) } ?? text.scalars.count : 0
        let last = right ? (text.scalars.lastIndex { !isSpace($0) } ?? -1) + 1 : text.scalars.count
        if first > 0 || last < text.scalars.count { text = text.slice(first..<max(first, last)) }
    }
}

struct ReplaceNormalizer: Normalizer {
    let pattern: TextPattern
    let content: [UInt32]

    func normalize(_ text: inout NormalizedText) { text.replace(pattern.matches(text.scalars), with: content) }
}

struct PrependNormalizer: Normalizer {
    let prefix: [UInt32]
    func normalize(_ text: inout NormalizedText) { text.prepend(prefix) }
}

/// The normalizer `Nmt`: Google's NMT pipeline drops some characters, and makes spaces of others.
struct NmtNormalizer: Normalizer {
    func normalize(_ text: inout NormalizedText) {
        text.compactMap { scalar in
            switch scalar {
            case 0x1...0x8, 0xB, 0xE...0x1F, 0x7F, 0x8F, 0x9F: nil
            case 0x9, 0xA, 0xC, 0xD, 0x1680, 0x200B...0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD: 0x20
            default: scalar
            }
        }
    }
}

struct StripAccentsNormalizer: Normalizer {
    func normalize(_ text: inout NormalizedText) {
        let classes = ScalarClass.lookup
        text.compactMap { classes[$0].contains(.mark) ? nil : $0 }
    }
}

extension NormalizedText {
    /// Lowercases the text scalar by scalar, without the context of a final sigma, like Rust's `char::to_lowercase`.
    mutating func lowercase() {
        if scalars.allSatisfy({ $0 < 0x80 }) {
            for i in scalars.indices where scalars[i] &- 0x41 < 26 { scalars[i] |= 0x20 }
            return
        }
        let classes = ScalarClass.lookup
        flatMap { scalar, out in
            if scalar < 0x80 {
                out.append(scalar &- 0x41 < 26 ? scalar | 0x20 : scalar)
            } else if classes[scalar].contains(.chinese) {
                out.append(scalar)
            } else if let properties = Unicode.Scalar(scalar)?.properties {
                for lower in properties.lowercaseMapping.unicodeScalars { out.append(lower.value) }
            }
        }
    }
}

extension TokenizerFile {
    func normalizer(_ value: JSONValue?, at path: String) throws(FileError) -> (any Normalizer)? {
        guard let fields = try optionalFields(value, at: path) else { return nil }
        switch try fields.string("type") {
        case "BertNormalizer":
            return BertNormalizer(
                cleanText: try fields.bool("clean_text"), handleChineseChars: try fields.bool("handle_chinese_chars"),
                stripAccents: try fields.optionalBool("strip_accents"), lowercase: try fields.bool("lowercase"))
        case "ByteLevel": return ByteLevelNormalizer()
        case "Lowercase": return LowercaseNormalizer()
        case "NFC": return FormNormalizer(form: .nfc)
        case "NFD": return FormNormalizer(form: .nfd)
        case "NFKC": return FormNormalizer(form: .nfkc)
        case "NFKD": return FormNormalizer(form: .nfkd)
        case "Nmt": return NmtNormalizer()
        case "Precompiled": return try PrecompiledNormalizer(fields)
        case "Prepend":
            return PrependNormalizer(prefix: try fields.string("prepend").unicodeScalars.map(\.value))
        case "Replace":
            return ReplaceNormalizer(
                pattern: try pattern(fields), content: try fields.string("content").unicodeScalars.map(\.value))
        case "Strip":
            return StripNormalizer(left: try fields.bool("strip_left"), right: try fields.bool("strip_right"))
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
                type, at: path,
                supported: [
                    "BertNormalizer", "ByteLevel", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Nmt", "Precompiled",
                    "Prepend", "Replace", "Sequence", "Strip", "StripAccents",
                ])
        }
    }
}
