import JSON

/// GPT-2's spelling of bytes as printable characters, one each
/// (https://github.com/openai/gpt-2/blob/master/src/encoder.py, `bytes_to_unicode`).
enum ByteCharacters {
    /// By byte.
    static let scalars: [UInt32] = {
        var scalars = [UInt32](repeating: 0, count: 256)
        var next: UInt32 = 256
        for byte in 0..<256 {
            if (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte) {
                scalars[byte] = UInt32(byte)
            } else {
                scalars[byte] = next
                next += 1
            }
        }
        return scalars
    }()

    /// By scalar, for those below 0x144; nil for characters that stand for no byte.
    private static let bytes: [UInt8?] = {
        var bytes = [UInt8?](repeating: nil, count: 0x144)
        for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar)] = UInt8(byte) }
        return bytes
    }()

    static func byte(_ scalar: UInt32) -> UInt8? { scalar < 0x144 ? bytes[Int(scalar)] : nil }

    /// Appends the spelling of a scalar's UTF-8.
    @inline(__always)
    static func append(_ scalar: UInt32, to out: inout [UInt32]) {
        if scalar < 0x80 { return out.append(scalars[Int(scalar)]) }
        if scalar < 0x800 {
            out.append(scalars[Int(0xC0 | scalar >> 6)])
        } else {
            if scalar < 0x10000 {
                out.append(scalars[Int(0xE0 | scalar >> 12)])
            } else {
                out.append(scalars[Int(0xF0 | scalar >> 18)])
                out.append(scalars[Int(0x80 | scalar >> 12 & 0x3F)])
            }
            out.append(scalars[Int(0x80 | scalar >> 6 & 0x3F)])
        }
        out.append(scalars[Int(0x80 | scalar & 0x3F)])
    }
}

/// Every byte becomes a character of its own.
struct ByteLevelNormalizer: Normalizer {
    func normalize(_ text: inout NormalizedText) { text.flatMap { ByteCharacters.append($0, to: &$1) } }
}

/// `ByteLevel`: words by GPT-2's pattern, then bytes as characters.
struct ByteLevelPreTokenizer: PreTokenizer {
    let addPrefixSpace: Bool
    let useRegex: Bool

    func split(_ text: inout NormalizedText, words: [Range<Int>]) -> [Range<Int>] {
        var out = TextBuilder(capacity: text.scalars.count + text.scalars.count / 8)
        text.scalars.withUnsafeBufferPointer { scalars in
            for word in words {
                let addsSpace = addPrefixSpace && scalars[word.lowerBound] != 0x20
                if !addsSpace, useRegex {
                    ByteLevelWords.forEach(UnsafeBufferPointer(rebasing: scalars[word])) { part in
                        out.appendBytes(
                            scalars, text.origins, part.lowerBound + word.lowerBound..<part.upperBound + word.lowerBound
                        )
                        out.endWord()
                    }
                    continue
                }
                var spaced: [UInt32] = addsSpace ? [0x20] : []
                spaced += scalars[word]
                let shift = word.lowerBound - (addsSpace ? 1 : 0)
                spaced.withUnsafeBufferPointer { spaced in
                    func add(_ part: Range<Int>) {
                        for i in part {
                            // The space shares the origin of what it stands before.
                            out.append(
                                byteSpelling: spaced[i], origin: text.origins[max(i + shift, word.lowerBound)])
                        }
                        out.endWord()
                    }
                    if useRegex { ByteLevelWords.forEach(spaced, add) } else { add(0..<spaced.count) }
                }
            }
        }
        text = out.text
        return out.words
    }
}

/// A text made anew, word by word.
struct TextBuilder {
    private(set) var text = NormalizedText(scalars: [], origins: [])
    private(set) var words: [Range<Int>] = []
    private var start = 0

    init(capacity: Int) {
        text.scalars.reserveCapacity(capacity)
        text.origins.reserveCapacity(capacity)
        words.reserveCapacity(capacity / 4)
    }

    mutating func append(_ scalar: UInt32, origin: Int32) {
        text.scalars.append(scalar)
        text.origins.append(origin)
    }

    @inline(__always)
    mutating func append(byteSpelling scalar: UInt32, origin: Int32) {
        ByteCharacters.append(scalar, to: &text.scalars)
        while text.origins.count < text.scalars.count { text.origins.append(origin) }
    }

    @inline(__always)
    mutating func appendBytes(_ scalars: UnsafeBufferPointer<UInt32>, _ origins: [Int32], _ range: Range<Int>) {
        for i in range { append(byteSpelling: scalars[i], origin: origins[i]) }
    }

    /// What was appended since the last word's end is a word, unless it is nothing.
    mutating func endWord() {
        if start < text.scalars.count { words.append(start..<text.scalars.count) }
        start = text.scalars.count
    }
}
