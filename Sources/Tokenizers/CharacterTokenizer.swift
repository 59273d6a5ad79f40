import JSON
import ModelFiles

/// A tokenizer whose tokens are characters, for recurrent models that spell: `characters.json` of the model directory.
///
///     {"vocab": {"<pad>": 0, "<unk>": 1, "</s>": 2, "a": 3, …}, "unknown": "<unk>",
///      "prefix": [], "suffix": ["</s>"], "lowercase": true}
///
/// Each code point of the text is one token; one that `vocab` lacks is `unknown`. Entries of several code points are
/// special and never found in text. `prefix` and `suffix` surround the text and survive truncation. `lowercase`
/// lowercases every code point first. `prefix`, `suffix` and `lowercase` may be absent; other keys are refused. The
/// second text of a pair follows the suffix of the first, ends with the suffix again, and has type 1.
public struct CharacterTokenizer: Tokenizer {
    private let vocabulary: Vocabulary
    private let unknown: Int32
    private let prefix: [Int32]
    private let suffix: [Int32]
    private let lowercase: Bool
    private let specialIDs: Set<Int32>
    private let ids: [UInt32: Int32]

    public init(json: [UInt8], file name: String = "characters.json") throws(FileError) {
        let file = TokenizerFile(name: name)
        let root: JSONValue
        do throws(JSONError) { root = try JSONValue(parsing: json) } catch {
            throw file.error("not valid JSON: \(error)")
        }
        guard let object = root.object else { throw file.error("holds \(root.kind); an object is expected") }
        let known = ["vocab", "unknown", "prefix", "suffix", "lowercase"]
        if let key = object.keys.first(where: { !known.contains($0) }) {
            throw file.error("unknown member \"\(key.prefix(80))\"; known: \(known.joined(separator: ", "))")
        }
        guard let vocab = object["vocab"]?.object else {
            throw file.error("vocab should be an object of tokens and ids")
        }
        var tokens: [(spelling: String, id: Int)] = []
        var ids: [UInt32: Int32] = [:]
        var special: Set<Int32> = []
        for (spelling, value) in vocab.members {
            guard let id = value.int, let id32 = Int32(exactly: id) else {
                throw file.error(
                    "vocab[\"\(spelling.prefix(80))\"] is \(value.kind); an id, a whole number, is expected")
            }
            guard let scalar = spelling.unicodeScalars.first else { throw file.error("vocab has an empty token") }
            tokens.append((spelling, id))
            if spelling.unicodeScalars.count == 1 { ids[scalar.value] = id32 } else { special.insert(id32) }
        }
        let vocabulary = try Vocabulary(tokens, file: name)
        func templateIDs(_ key: String) throws(FileError) -> [Int32] {
            guard let value = object[key] else { return [] }
            guard let array = value.array else {
                throw file.error("\(key) is \(value.kind); an array of tokens is expected")
            }
            var found: [Int32] = []
            for value in array {
                guard let spelling = value.string, let id = vocabulary.id(of: spelling) else {
                    throw file.error("\(key) has an element that is not a token of vocab")
                }
                found.append(id)
            }
            return found
        }
        guard let unknown = object["unknown"]?.string.flatMap({ vocabulary.id(of: $0) }) else {
            throw file.error("unknown should name the token of vocab that stands for characters without an own")
        }
        guard let lowercase = (object["lowercase"] ?? .bool(false)).bool else {
            throw file.error("lowercase should be true or false")
        }
        prefix = try templateIDs("prefix")
        suffix = try templateIDs("suffix")
        self.vocabulary = vocabulary
        self.unknown = unknown
        self.lowercase = lowercase
        self.ids = ids
        specialIDs = special
    }

    public var summary: String { "characters, \(vocabularySize) tokens" }
    /// The highest id plus one.
    public var vocabularySize: Int { vocabulary.size }
    public var truncationSide: Truncation.Side { .right }

    public func token(_ id: Int32) -> String? { vocabulary.spelling(of: id) }

    public func isSpecial(_ id: Int32) -> Bool { specialIDs.contains(id) }

    public func encode(_ text: String, pair: String?, maxLength: Int?) -> Encoding {
        let first = characters(text, typeID: 0)
        let second = pair.map { characters($0, typeID: 1) }
        let added = prefix.count + suffix.count * (pair == nil ? 1 : 2)
        let total = first.count + (second?.count ?? 0) + added
        var kept = (first.count, second?.count ?? 0)
        if let maxLength, total > maxLength {
            let room = max(maxLength - added, 0)
            kept = second.map { Truncation.longestFirst((first.count, $0.count), room: room) } ?? (room, 0)
        }
        var tokens = template(prefix, typeID: 0) + first.prefix(kept.0) + template(suffix, typeID: 0)
        if let second { tokens += second.prefix(kept.1) + template(suffix, typeID: 1) }
        return Encoding(tokens: tokens, truncated: tokens.count < total, untruncatedCount: total)
    }

    private func characters(_ text: String, typeID: Int32) -> [Token] {
        var normalized = NormalizedText(text)
        if lowercase { normalized.lowercase() }
        return zip(normalized.scalars, normalized.origins).map { scalar, origin in
            let id = ids[scalar] ?? unknown
            return Token(
                id: id, text: token(id) ?? "", start: Int(origin), end: Int(origin) + 1, typeID: typeID)
        }
    }

    public func decode(_ ids: [Int32], skipSpecialTokens: Bool) -> String {
        ids.compactMap { skipSpecialTokens && isSpecial($0) ? nil : token($0) }.joined()
    }

    private func template(_ ids: [Int32], typeID: Int32) -> [Token] {
        ids.map { Token(id: $0, text: token($0) ?? "", start: 0, end: 0, typeID: typeID, special: true) }
    }
}
