import JSON

/// A token found in a text: an id and the scalars it covers. First of the normalised text, then of the text sent.
struct TextToken {
    var id: Int32
    var start: Int
    var end: Int
}

/// How a word becomes tokens: `model` of tokenizer.json.
protocol TokenModel: Sendable {
    /// `WordPiece`.
    var name: String { get }
    var vocabulary: Vocabulary { get }
    /// - Parameters:
    ///   - word: the scalars of one word; not empty.
    ///   - offset: added to the tokens' positions.
    func tokenize(_ word: UnsafeBufferPointer<UInt32>, offset: Int, into tokens: inout [TextToken])
}

extension TokenizerFile {
    func model(_ value: JSONValue?) throws(ModelError) -> any TokenModel {
        let fields = try fields(value, at: "model")
        switch try fields.string("type") {
        case "WordPiece":
            var tokens: [(spelling: String, id: Int)] = []
            let vocabulary = try fields.fields("vocab")
            tokens.reserveCapacity(vocabulary.object.count)
            for (spelling, id) in vocabulary.object.members {
                guard let id = id.int else { throw vocabulary.wrong(spelling, "an id, a whole number,") }
                tokens.append((spelling, id))
            }
            return try WordPiece(
                vocabulary: Vocabulary(tokens, file: name), unknown: fields.string("unk_token"),
                continuingPrefix: fields.string("continuing_subword_prefix"),
                maxCharacters: fields.int("max_input_chars_per_word", in: 0...Int(Int32.max)), file: name)
        case let type:
            throw unknownType(type, at: "model", supported: ["WordPiece"])
        }
    }
}
