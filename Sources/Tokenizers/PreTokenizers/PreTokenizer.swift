import JSON
import ModelFiles

/// A split of a normalized text into words: `pre_tokenizer` of tokenizer.json.
protocol PreTokenizer: Sendable {
    /// Splits words further.
    /// - Parameters:
    ///   - text: may be rewritten, if the ranges returned are those of the new text.
    ///   - words: ranges of `text`, ascending, none empty.
    func split(_ text: inout NormalizedText, words: [Range<Int>]) -> [Range<Int>]
}

struct PreTokenizerSequence: PreTokenizer {
    let preTokenizers: [any PreTokenizer]

    func split(_ text: inout NormalizedText, words: [Range<Int>]) -> [Range<Int>] {
        var words = words
        for preTokenizer in preTokenizers { words = preTokenizer.split(&text, words: words) }
        return words
    }
}

/// The pre-tokenizer `BertPreTokenizer`: splits at white space, which it removes, and around each punctuation
/// character.
struct BertPreTokenizer: PreTokenizer {
    func split(_ text: inout NormalizedText, words: [Range<Int>]) -> [Range<Int>] {
        let classes = ScalarClass.lookup
        return splitByKind(text, words: words) { scalar in
            let scalarClass = classes[scalar]
            if scalarClass.contains(.whitespace) { return .dropped }
            return scalarClass.contains(.punctuation) ? .alone : .joined(0)
        }
    }
}

/// The pre-tokenizer `WhitespaceSplit`: splits at white space, which it removes.
struct WhitespaceSplitPreTokenizer: PreTokenizer {
    func split(_ text: inout NormalizedText, words: [Range<Int>]) -> [Range<Int>] {
        let classes = ScalarClass.lookup
        return splitByKind(text, words: words) { classes[$0].contains(.whitespace) ? .dropped : .joined(0) }
    }
}

/// The pre-tokenizer `Whitespace`: the words are the matches of `\w+|[^\w\s]+`.
struct WhitespacePreTokenizer: PreTokenizer {
    func split(_ text: inout NormalizedText, words: [Range<Int>]) -> [Range<Int>] {
        let classes = ScalarClass.lookup
        return splitByKind(text, words: words) { scalar in
            let scalarClass = classes[scalar]
            if scalarClass.contains(.word) { return .joined(0) }
            return scalarClass.contains(.whitespace) ? .dropped : .joined(1)
        }
    }
}

private enum SplitKind: Equatable {
    case dropped
    case alone
    /// The character joins neighbors of the same number.
    case joined(Int)
}

@inline(__always)
private func splitByKind(_ text: NormalizedText, words: [Range<Int>], _ kind: (UInt32) -> SplitKind) -> [Range<Int>] {
    var out: [Range<Int>] = []
    out.reserveCapacity(text.scalars.count / 4 + words.count)
    for word in words {
        var start = word.lowerBound
        var open = SplitKind.dropped
        for i in word {
            let next = kind(text.scalars[i])
            if next != open || next == .alone {
                if open != .dropped { out.append(start..<i) }
                start = i
                open = next
            }
        }
        if open != .dropped { out.append(start..<word.upperBound) }
    }
    return out
}

extension TokenizerFile {
    func preTokenizer(_ value: JSONValue?, at path: String) throws(FileError) -> (any PreTokenizer)? {
        guard let fields = try optionalFields(value, at: path) else { return nil }
        switch try fields.string("type") {
        case "BertPreTokenizer": return BertPreTokenizer()
        case "ByteLevel":
            _ = try fields.bool("trim_offsets")
            return ByteLevelPreTokenizer(
                addPrefixSpace: try fields.bool("add_prefix_space"),
                useRegex: try fields.optionalBool("use_regex") ?? true)
        case "CharDelimiterSplit", "Delimiter":
            let delimiter = try fields.scalar("delimiter")
            return ClassPreTokenizer(behavior: .removed) { $0 == delimiter }
        case "Digits":
            return ClassPreTokenizer(behavior: try fields.bool("individual_digits") ? .isolated : .contiguous) {
                ScalarClass.of($0).contains(.numeric)
            }
        case "FixedLength": return FixedLengthPreTokenizer(length: try fields.int("length", in: 1...Int(Int32.max)))
        case "Metaspace":
            let (replacement, scheme) = try metaspace(fields)
            return MetaspacePreTokenizer(
                replacement: replacement, scheme: scheme, splits: try fields.optionalBool("split") ?? true)
        case "Punctuation":
            return ClassPreTokenizer(
                behavior: try fields.object["behavior"] == nil ? .isolated : splitBehavior(fields)
            ) { ScalarClass.of($0).contains(.punctuation) }
        case "Sequence":
            var preTokenizers: [any PreTokenizer] = []
            for (i, value) in try fields.array("pretokenizers").enumerated() {
                guard let next = try preTokenizer(value, at: "\(path).pretokenizers[\(i)]") else {
                    throw error("\(path).pretokenizers[\(i)] is null; a pre-tokenizer is expected")
                }
                preTokenizers.append(next)
            }
            return PreTokenizerSequence(preTokenizers: preTokenizers)
        case "Split":
            return SplitPreTokenizer(
                pattern: try pattern(fields), behavior: try splitBehavior(fields),
                isInverted: try fields.bool("invert"))
        case "Whitespace": return WhitespacePreTokenizer()
        case "WhitespaceSplit": return WhitespaceSplitPreTokenizer()
        case let type:
            throw unknownType(
                type, at: path,
                supported: [
                    "BertPreTokenizer", "ByteLevel", "CharDelimiterSplit", "Digits", "FixedLength", "Metaspace",
                    "Punctuation", "Sequence", "Split", "Whitespace", "WhitespaceSplit",
                ])
        }
    }
}
