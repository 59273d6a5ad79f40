import JSON
import ModelFiles

/// A conversion of tokens to text: `decoder` of tokenizer.json.
protocol TokenDecoder: Sendable {
    /// Returns pieces of the text. The next decoder, if any, gets them.
    func decode(_ tokens: [String]) -> [String]
}

struct DecoderSequence: TokenDecoder {
    let decoders: [any TokenDecoder]
    func decode(_ tokens: [String]) -> [String] { decoders.reduce(tokens) { $1.decode($0) } }
}

/// The decoder `BPEDecoder`: words end with a suffix.
struct BPEDecoder: TokenDecoder {
    let suffix: String

    func decode(_ tokens: [String]) -> [String] {
        tokens.enumerated().map { i, token in token.replacing(suffix, by: i == tokens.count - 1 ? "" : " ") }
    }
}

/// The decoder `ByteLevel`: characters become the bytes that they stand for, and the bytes a text in UTF-8.
struct ByteLevelDecoder: TokenDecoder {
    func decode(_ tokens: [String]) -> [String] {
        var bytes: [UInt8] = []
        for token in tokens {
            let spelled = token.unicodeScalars.compactMap { ByteCharacters.byte($0.value) }
            if spelled.count == token.unicodeScalars.count { bytes += spelled } else { bytes += Array(token.utf8) }
        }
        return [String(decoding: bytes, as: UTF8.self)]
    }
}

/// The decoder `WordPiece`: tokens that begin with the prefix continue a word.
struct WordPieceDecoder: TokenDecoder {
    let prefix: String
    let cleanup: Bool

    func decode(_ tokens: [String]) -> [String] {
        tokens.enumerated().map { i, token in
            var text = token
            if i > 0 { text = token.utf8.starts(with: prefix.utf8) ? token.droppingUTF8(prefix) : " " + token }
            return cleanup ? WordPieceDecoder.cleanUp(text) : text
        }
    }

    /// Removes the space before English punctuation.
    static func cleanUp(_ text: String) -> String {
        guard text.utf8.contains(0x20) else { return text }
        let rules = [
            (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
            (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
        ]
        return rules.reduce(text) { $0.replacing($1.0, by: $1.1) }
    }
}

struct MetaspaceDecoder: TokenDecoder {
    let replacement: UInt32
    let dropsFirst: Bool

    func decode(_ tokens: [String]) -> [String] {
        tokens.enumerated().map { i, token in
            var text = String.UnicodeScalarView()
            for scalar in token.unicodeScalars {
                if scalar.value != replacement {
                    text.append(scalar)
                } else if i > 0 || !dropsFirst {
                    text.append(" ")
                }
            }
            return String(text)
        }
    }
}

/// The decoder `ByteFallback`: consecutive tokens of the form `<0x41>` become the text of their bytes, or one U+FFFD
/// each if the bytes are not valid UTF-8.
struct ByteFallbackDecoder: TokenDecoder {
    func decode(_ tokens: [String]) -> [String] {
        var out: [String] = []
        var bytes: [UInt8] = []
        func flush() {
            if bytes.isEmpty { return }
            if let text = String(validating: bytes, as: UTF8.self) {
                out.append(text)
            } else {
                out += repeatElement("\u{FFFD}", count: bytes.count)
            }
            bytes = []
        }
        for token in tokens {
            if let byte = ByteFallbackDecoder.byte(token) {
                bytes.append(byte)
            } else {
                flush()
                out.append(token)
            }
        }
        flush()
        return out
    }

    private static func byte(_ token: String) -> UInt8? {
        let utf8 = Array(token.utf8)
        guard utf8.count == 6, token.utf8.starts(with: "<0x".utf8), utf8[5] == UInt8(ascii: ">") else { return nil }
        // Rust's parser takes a sign.
        let digits = utf8[3] == UInt8(ascii: "+") ? utf8[4..<5] : utf8[3..<5]
        return UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
    }
}

struct FuseDecoder: TokenDecoder {
    func decode(_ tokens: [String]) -> [String] { [tokens.joined()] }
}

/// The decoder `Strip`: removes up to a number of one character from both ends of each token.
struct StripDecoder: TokenDecoder {
    let content: UInt32
    let start: Int
    let stop: Int

    func decode(_ tokens: [String]) -> [String] {
        tokens.map { token in
            let scalars = Array(token.unicodeScalars)
            var first = 0
            while first < min(start, scalars.count), scalars[first].value == content { first += 1 }
            var end = scalars.count
            while end > 0, scalars.count - end < stop, scalars[end - 1].value == content { end -= 1 }
            var text = String.UnicodeScalarView()
            if first < end { text.append(contentsOf: scalars[first..<end]) }
            return String(text)
        }
    }
}

struct ReplaceDecoder: TokenDecoder {
    let pattern: TextPattern
    let content: [UInt32]

    func decode(_ tokens: [String]) -> [String] {
        tokens.map { token in
            var text = NormalizedText(token)
            text.replace(pattern.matches(text.scalars), with: content)
            return text.string
        }
    }
}

/// The decoder `CTC` (connectionist temporal classification): removes repetitions of a token, then padding.
struct CTCDecoder: TokenDecoder {
    let padding: String
    let delimiter: String
    let cleanup: Bool

    func decode(_ tokens: [String]) -> [String] {
        var out: [String] = []
        var previous: String?
        for token in tokens {
            defer { previous = token }
            if let previous, previous.utf8.elementsEqual(token.utf8) { continue }
            var text = token.replacing(padding, by: "")
            if cleanup { text = WordPieceDecoder.cleanUp(text).replacing(delimiter, by: " ") }
            if !text.isEmpty { out.append(text) }
        }
        return out
    }
}

extension String {
    /// Replaces a string by code units, like Rust's `str::replace`. Swift's own compares characters.
    fileprivate func replacing(_ old: String, by new: String) -> String {
        let (text, pattern) = (Array(utf8), Array(old.utf8))
        if pattern.isEmpty {
            return new + unicodeScalars.map { String($0) + new }.joined()
        }
        guard text.count >= pattern.count else { return self }
        var out: [UInt8] = []
        out.reserveCapacity(text.count)
        var i = 0
        while i < text.count {
            if text[i] == pattern[0], text[i...].starts(with: pattern) {
                out += Array(new.utf8)
                i += pattern.count
            } else {
                out.append(text[i])
                i += 1
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    fileprivate func droppingUTF8(_ prefix: String) -> String {
        String(decoding: Array(utf8).dropFirst(prefix.utf8.count), as: UTF8.self)
    }
}

extension TokenizerFile {
    func decoder(_ value: JSONValue?, at path: String = "decoder") throws(FileError) -> (any TokenDecoder)? {
        guard let fields = try optionalFields(value, at: path) else { return nil }
        switch try fields.string("type") {
        case "BPEDecoder": return BPEDecoder(suffix: try fields.string("suffix"))
        case "ByteFallback": return ByteFallbackDecoder()
        case "ByteLevel": return ByteLevelDecoder()
        case "CTC":
            return CTCDecoder(
                padding: try fields.string("pad_token"), delimiter: try fields.string("word_delimiter_token"),
                cleanup: try fields.bool("cleanup"))
        case "Fuse": return FuseDecoder()
        case "Metaspace":
            let (replacement, scheme) = try metaspace(fields)
            return MetaspaceDecoder(replacement: replacement, dropsFirst: scheme != .never)
        case "Replace":
            return ReplaceDecoder(
                pattern: try pattern(fields), content: try fields.string("content").unicodeScalars.map(\.value))
        case "Sequence":
            var decoders: [any TokenDecoder] = []
            for (i, value) in try fields.array("decoders").enumerated() {
                guard let next = try decoder(value, at: "\(path).decoders[\(i)]") else {
                    throw error("\(path).decoders[\(i)] is null; a decoder is expected")
                }
                decoders.append(next)
            }
            return DecoderSequence(decoders: decoders)
        case "Strip":
            return StripDecoder(
                content: try fields.scalar("content"), start: try fields.int("start", in: 0...Int(Int32.max)),
                stop: try fields.int("stop", in: 0...Int(Int32.max)))
        case "WordPiece":
            return WordPieceDecoder(prefix: try fields.string("prefix"), cleanup: try fields.bool("cleanup"))
        case let type:
            throw unknownType(
                type, at: path,
                supported: [
                    "BPEDecoder", "ByteFallback", "ByteLevel", "CTC", "Fuse", "Metaspace", "Replace", "Sequence",
                    "Strip", "WordPiece",
                ])
        }
    }
}
