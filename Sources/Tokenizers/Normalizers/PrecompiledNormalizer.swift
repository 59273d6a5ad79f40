import FoundationEssentials
import ModelFiles

/// SentencePiece's table of replacements: a double-array trie over UTF-8, and the strings that it refers to. It is
/// applied like the spm_precompiled crate does (https://github.com/huggingface/spm_precompiled). A grapheme of fewer
/// than six bytes is looked up whole: the *shortest* of its prefixes in the trie replaces all of it. Otherwise its
/// characters are looked up one by one.
struct PrecompiledNormalizer: Normalizer {
    private let units: [UInt32]
    /// The replacements, each terminated by NUL.
    private let strings: [UInt8]
    /// For every scalar below 0x20000, whether the trie has the character, or may have a grapheme that begins with it.
    private let begins: [Bool]

    init(_ fields: TokenizerFields) throws(FileError) {
        let text = try fields.string("precompiled_charsmap")
        guard let data = Data(base64Encoded: text), data.count >= 4 else {
            throw fields.wrong("precompiled_charsmap", "base64 of a table")
        }
        let bytes = [UInt8](data)
        func unit(_ place: Int) -> UInt32 {
            UInt32(bytes[place]) | UInt32(bytes[place + 1]) << 8 | UInt32(bytes[place + 2]) << 16
                | UInt32(bytes[place + 3]) << 24
        }
        let size = Int(unit(0))
        guard size % 4 == 0, size >= 4, size <= bytes.count - 4 else {
            throw fields.wrong("precompiled_charsmap", "a table whose trie lies within it")
        }
        units = (0..<size / 4).map { unit(4 + 4 * $0) }
        strings = Array(bytes[(4 + size)...])
        guard String(validating: strings, as: UTF8.self) != nil else {
            throw fields.wrong("precompiled_charsmap", "a table of UTF-8 strings")
        }
        var begins = [Bool](repeating: false, count: 0x20000)
        var scratch: [UInt8] = []
        for scalar in 0..<UInt32(0x20000) where !(0xD800...0xDFFF).contains(scalar) {
            scratch.removeAll(keepingCapacity: true)
            PrecompiledNormalizer.append(scalar, to: &scratch)
            if case .none = PrecompiledNormalizer.find(scratch, units) { continue }
            begins[Int(scalar)] = true
        }
        self.begins = begins
    }

    private enum Found {
        /// No key begins with these bytes.
        case none
        /// A longer key may begin with these bytes.
        case beginning
        case value(Int)
    }

    /// Returns the value of the shortest prefix of `key` that is a key.
    private static func find(_ key: [UInt8], _ units: [UInt32]) -> Found {
        func offset(_ unit: UInt32) -> Int { Int(unit >> 10) << Int((unit & 1 << 9) >> 6) }
        guard let root = units.first else { return .none }
        var place = offset(root)
        for byte in key {
            if byte == 0 { return .none }
            place ^= Int(byte)
            guard place < units.count, units[place] & (1 << 31 | 0xFF) == UInt32(byte) else { return .none }
            let unit = units[place]
            place ^= offset(unit)
            if unit >> 8 & 1 == 1 {
                guard place < units.count else { return .none }
                return .value(Int(units[place] & (1 << 31 - 1)))
            }
        }
        return .beginning
    }

    private static func append(_ scalar: UInt32, to bytes: inout [UInt8]) {
        guard let scalar = Unicode.Scalar(scalar) else { return }
        bytes.append(contentsOf: UTF8.encode(scalar)?.map { $0 } ?? [])
    }

    /// Returns the replacement of some characters. `nil` if there is none.
    private func replacement(_ scalars: ArraySlice<UInt32>) -> [UInt32]? {
        guard let first = scalars.first, first >= 0x20000 || begins[Int(first)] else { return nil }
        var key: [UInt8] = []
        for scalar in scalars { PrecompiledNormalizer.append(scalar, to: &key) }
        guard case .value(let start) = PrecompiledNormalizer.find(key, units), start <= strings.count else {
            return nil
        }
        let end = strings[start...].firstIndex(of: 0) ?? strings.count
        return String(decoding: strings[start..<end], as: UTF8.self).unicodeScalars.map(\.value)
    }

    func normalize(_ text: inout NormalizedText) {
        let scalars = text.scalars
        guard scalars.contains(where: { $0 >= 0x20000 || begins[Int($0)] }) else { return }
        var changes: [(scalar: UInt32, change: Int)] = []
        changes.reserveCapacity(scalars.count)
        var isModified = false
        func replace(_ old: ArraySlice<UInt32>, _ new: [UInt32]) {
            isModified = true
            let kept = min(old.count, new.count)
            for (i, scalar) in new.enumerated() { changes.append((scalar, i < kept ? 0 : 1)) }
            if new.count < old.count, !changes.isEmpty { changes[changes.count - 1].change -= old.count - new.count }
        }
        Graphemes.forEach(scalars) { grapheme in
            let part = scalars[grapheme]
            let size = part.reduce(0) { $0 + ($1 < 0x80 ? 1 : $1 < 0x800 ? 2 : $1 < 0x10000 ? 3 : 4) }
            if size < 6, let new = replacement(part) { return replace(part, new) }
            for i in grapheme {
                if let new = replacement(scalars[i..<i + 1]) {
                    replace(scalars[i..<i + 1], new)
                } else {
                    changes.append((scalars[i], 0))
                }
            }
        }
        if isModified { text.transform(changes) }
    }
}
