import JSON

extension PipelineTokenizer {
    /// The tokenizer of a `vocab.txt`, one token a line: what transformers' `BertTokenizer` makes of it.
    /// - Parameter configuration: tokenizer_config.json, for `do_lower_case`, `strip_accents`,
    ///   `tokenize_chinese_chars` and the spelling of the special tokens.
    public init(vocabulary bytes: [UInt8], configuration: [UInt8]?) throws(ModelError) {
        let file = TokenizerFile(name: "vocab.txt")
        guard let text = String(validating: bytes, as: UTF8.self) else { throw file.error("not valid UTF-8") }
        var tokens: [(spelling: String, id: Int)] = []
        for (id, line) in text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
        {
            let spelling = line.last == UInt8(ascii: "\r") ? Substring(line.dropLast()) : Substring(line)
            tokens.append((String(spelling), id))
        }
        if tokens.last?.spelling == "" { tokens.removeLast() }

        let settings = TokenizerFile(name: "tokenizer_config.json")
        var object = JSONObject()
        if let configuration {
            let root: JSONValue
            do throws(JSONError) { root = try JSONValue(parsing: configuration) } catch {
                throw settings.error("not valid JSON: \(error)")
            }
            object = try settings.fields(root, at: "the file").object
        }
        let fields = TokenizerFields(file: settings, path: "the file", object: object)
        let vocabulary = try Vocabulary(tokens, file: file.name, replacing: true)

        func special(_ key: String, _ spelling: String) throws(ModelError) -> (id: Int32, text: String)? {
            // Either the spelling or an added token with its flags.
            let text = object[key]?.string ?? object[key]?["content"]?.string ?? spelling
            return vocabulary.id(of: text).map { ($0, text) }
        }
        func required(_ key: String, _ spelling: String) throws(ModelError) -> (id: Int32, text: String) {
            guard let token = try special(key, spelling) else {
                throw file.error(
                    "\(key), \(spelling) unless tokenizer_config.json says otherwise, is not in the vocabulary")
            }
            return token
        }
        let unknown = try required("unk_token", "[UNK]")
        let cls = try required("cls_token", "[CLS]")
        let sep = try required("sep_token", "[SEP]")
        var added: [AddedToken] = []
        for token in [unknown, cls, sep, try special("pad_token", "[PAD]"), try special("mask_token", "[MASK]")] {
            guard let token, !added.contains(where: { $0.id == token.id }) else { continue }
            added.append(AddedToken(id: token.id, content: token.text, special: true))
        }
        try self.init(
            model: WordPiece(
                vocabulary: vocabulary, unknown: unknown.text, continuingPrefix: "##", maxCharacters: 100,
                file: file.name),
            normalizer: BertNormalizer(
                cleanText: true, handleChineseChars: fields.optionalBool("tokenize_chinese_chars") ?? true,
                stripAccents: fields.optionalBool("strip_accents"),
                lowercase: fields.optionalBool("do_lower_case") ?? true),
            preTokenizer: BertPreTokenizer(), template: .bert(cls: cls, sep: sep),
            decoder: WordPieceDecoder(prefix: "##", cleanup: true), added: added,
            side: PipelineTokenizer.side(settings, JSONObject(), configuration), file: file)
    }
}
