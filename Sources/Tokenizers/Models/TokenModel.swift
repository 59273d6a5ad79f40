import JSON
import ModelFiles

/// A token found in a text: its id and its range. The range is in bytes of a word at first, in code points of the
/// original text afterward.
struct TextToken {
    var id: Int32
    var start: Int
    var end: Int
    /// The white space at the ends of an added token's range, if offsets are trimmed.
    var spaces: OffsetTrim.Spaces?
}

/// A model that splits a word into tokens: `model` of tokenizer.json.
protocol TokenModel: Sendable {
    /// The model's name, such as `WordPiece`.
    var name: String { get }
    var vocabulary: Vocabulary { get }
    /// Appends the tokens of one word. Their ranges are in bytes of the word.
    /// - Parameter word: the word in UTF-8, not empty.
    func tokenize(_ word: UnsafeBufferPointer<UInt8>, into tokens: inout [TextToken])
}

extension TokenModel {
    /// - Parameters:
    ///   - word: the scalars of one word; not empty.
    ///   - offset: added to the tokens' positions, which are in scalars.
    func tokenize(_ word: UnsafeBufferPointer<UInt32>, offset: Int, into tokens: inout [TextToken]) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 4 * word.count) { buffer in
            let first = tokens.count
            let count = UTF8Words.encode(word, into: buffer)
            tokenize(UnsafeBufferPointer(rebasing: buffer[..<count]), into: &tokens)
            if count > word.count {
                UTF8Words.scalarPlaces(of: &tokens, from: first, in: word)
            }
            if offset > 0 {
                for i in first..<tokens.count {
                    tokens[i].start += offset
                    tokens[i].end += offset
                }
            }
        }
    }
}

extension UTF8Words {
    /// Converts offsets in bytes, which may lie within a character, to the scalars that they touch.
    /// - Parameter first: the index of the word's first token. Starts and ends ascend from there.
    static func scalarPlaces(of tokens: inout [TextToken], from first: Int, in word: UnsafeBufferPointer<UInt32>) {
        var scalar = 0
        var end = length(of: word[0])
        func advance(to byte: Int) {
            while byte >= end, scalar < word.count - 1 {
                scalar += 1
                end += length(of: word[scalar])
            }
        }
        for i in first..<tokens.count {
            advance(to: tokens[i].start)
            let start = scalar
            let last = tokens[i].end - 1
            if i + 1 < tokens.count, tokens[i + 1].start < tokens[i].end {
                // Several tokens of one place: the next begins where this did.
                let mark = (scalar, end)
                advance(to: last)
                tokens[i].start = start
                tokens[i].end = scalar + 1
                (scalar, end) = mark
                continue
            }
            advance(to: last)
            tokens[i].start = start
            tokens[i].end = scalar + 1
        }
    }
}

extension TokenizerFile {
    /// - Parameter lists: the model's vocabulary and merges. `value` has only their kinds.
    func model(_ value: JSONValue?, _ lists: ModelLists) throws(FileError) -> any TokenModel {
        let fields = try fields(value, at: "model")
        switch try fields.object["type"] == nil ? inferredType(fields) : fields.string("type") {
        case "BPE": return try bpe(fields, lists)
        case "Unigram": return try unigram(fields, lists)
        case "WordLevel":
            return try WordLevel(
                vocabulary: vocabulary(fields, lists), unknown: fields.string("unk_token"), file: name)
        case "WordPiece":
            return try WordPiece(
                vocabulary: vocabulary(fields, lists), unknown: fields.string("unk_token"),
                continuingPrefix: fields.string("continuing_subword_prefix"),
                maxCharacters: fields.int("max_input_chars_per_word", in: 0...Int(Int32.max)), file: name)
        case let type:
            throw unknownType(type, at: "model", supported: ["BPE", "Unigram", "WordLevel", "WordPiece"])
        }
    }

    /// Returns the type of a model that names none, as in files of early versions. The library takes the first of BPE,
    /// WordPiece, WordLevel and Unigram whose members exist.
    private func inferredType(_ fields: TokenizerFields) throws(FileError) -> String {
        func has(_ keys: String...) -> Bool { keys.allSatisfy { fields.object[$0] != nil } }
        if has("merges", "vocab") { return "BPE" }
        if has("unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab") { return "WordPiece" }
        if has("unk_token", "vocab") { return "WordLevel" }
        if fields.object["vocab"]?.array != nil { return "Unigram" }
        throw error("model has no type, and its members are those of none")
    }

    /// Reads the vocabulary: `"vocab": {"a": 0, …}`.
    func vocabulary(_ fields: TokenizerFields, _ lists: ModelLists) throws(FileError) -> Vocabulary {
        _ = try fields.fields("vocab")
        let path = "\(fields.path).vocab"
        guard let list = lists.vocab else { throw error("\(path) is malformed") }
        var vocabulary = try Vocabulary(capacity: list.most, file: name)
        try lists.read(list, path: path, file: self) { (_, scanner) throws(FileError) in
            guard scanner.withString({ vocabulary.append($0) }) != nil, scanner.take(UInt8(ascii: ":")) else {
                throw error("not valid JSON: expected a token and its id in \(path) at byte \(scanner.position)")
            }
            guard let id = scanner.wholeNumber() else {
                throw error(
                    "\(path).\(vocabulary.appended.prefix(80)) is \(lists.found(scanner)); an id, a whole number from 0 on, is expected"
                )
            }
            try vocabulary.add(id: id)
        }
        return vocabulary
    }
}
