import JSON
import ModelFiles

/// The special tokens around the texts, and the type ids: `post_processor` of tokenizer.json.
struct Template: Sendable {
    enum Piece: Sendable {
        /// The place of the first text, or of the second one of a pair.
        case sequence(second: Bool, typeID: Int32)
        case special(id: Int32, text: String, typeID: Int32)
    }

    let single: [Piece]
    let pair: [Piece]
    /// The steps that trim white space off token offsets: `ByteLevel` and `RobertaProcessing` with `trim_offsets`.
    var trims: [OffsetTrim] = []

    /// The template without a post-processor: the texts one after the other.
    static let plain = Template(
        single: [.sequence(second: false, typeID: 0)],
        pair: [.sequence(second: false, typeID: 0), .sequence(second: true, typeID: 1)])

    /// Returns the template [CLS] A [SEP], and [CLS] A [SEP] B [SEP] for a pair, where everything after the first [SEP]
    /// has type 1.
    static func bert(cls: (id: Int32, text: String), sep: (id: Int32, text: String)) -> Template {
        let head: [Piece] = [
            .special(id: cls.id, text: cls.text, typeID: 0), .sequence(second: false, typeID: 0),
            .special(id: sep.id, text: sep.text, typeID: 0),
        ]
        let tail: [Piece] = [
            .sequence(second: true, typeID: 1), .special(id: sep.id, text: sep.text, typeID: 1),
        ]
        return Template(single: head, pair: head + tail)
    }

    /// Returns the template <s> A </s>, and <s> A </s></s> B </s> for a pair, all of type 0.
    static func roberta(cls: (id: Int32, text: String), sep: (id: Int32, text: String)) -> Template {
        func special(_ token: (id: Int32, text: String)) -> Piece {
            .special(id: token.id, text: token.text, typeID: 0)
        }
        let head = [special(cls), .sequence(second: false, typeID: 0), special(sep)]
        return Template(
            single: head, pair: head + [special(sep), .sequence(second: true, typeID: 0), special(sep)])
    }

    /// The number of special tokens among `pieces`.
    static func added(_ pieces: [Piece]) -> Int {
        pieces.count { if case .special = $0 { true } else { false } }
    }
}

extension TokenizerFile {
    func template(_ value: JSONValue?, at path: String = "post_processor") throws(FileError) -> Template {
        guard let fields = try optionalFields(value, at: path) else { return .plain }
        func trim(_ template: Template) throws(FileError) -> Template {
            var template = template
            let addsSpace = try fields.bool("add_prefix_space")
            if try fields.bool("trim_offsets") { template.trims.append(OffsetTrim(addPrefixSpace: addsSpace)) }
            return template
        }
        switch try fields.string("type") {
        case "TemplateProcessing":
            let special = try fields.fields("special_tokens")
            return Template(
                single: try pieces(fields, "single", special: special, pair: false),
                pair: try pieces(fields, "pair", special: special, pair: true))
        case "BertProcessing":
            return .bert(cls: try namedToken(fields, "cls"), sep: try namedToken(fields, "sep"))
        case "RobertaProcessing":
            return try trim(.roberta(cls: try namedToken(fields, "cls"), sep: try namedToken(fields, "sep")))
        case "ByteLevel": return try trim(.plain)
        case "Sequence":
            var all = Template.plain
            var named: String?
            for (i, value) in try fields.array("processors").enumerated() {
                let next = try template(value, at: "\(path).processors[\(i)]")
                let type = value["type"]?.string ?? ""
                if type != "ByteLevel", type != "Sequence" || Template.added(next.single) > 0 {
                    if let named {
                        throw error("\(path).processors has \(named) and \(type); one that adds tokens is supported")
                    }
                    named = type
                    all = Template(single: next.single, pair: next.pair, trims: all.trims)
                }
                all.trims += next.trims
            }
            return all
        case let type:
            throw unknownType(
                type, at: path,
                supported: ["BertProcessing", "ByteLevel", "RobertaProcessing", "Sequence", "TemplateProcessing"])
        }
    }

    /// Reads a token: `["[SEP]", 102]`.
    private func namedToken(_ fields: TokenizerFields, _ key: String) throws(FileError) -> (id: Int32, text: String) {
        let array = try fields.array(key)
        guard array.count == 2, let text = array[0].string, let id = array[1].int.flatMap({ Int32(exactly: $0) }),
            id >= 0
        else { throw fields.wrong(key, "a token and its id") }
        return (id, text)
    }

    private func pieces(
        _ fields: TokenizerFields, _ key: String, special: TokenizerFields, pair: Bool
    ) throws(FileError) -> [Template.Piece] {
        var pieces: [Template.Piece] = []
        var sequences: [String] = []
        for (i, value) in try fields.array(key).enumerated() {
            let path = "\(fields.path).\(key)[\(i)]"
            let outer = try self.fields(value, at: path)
            let kind = outer.object.keys.first ?? ""
            guard outer.object.count == 1, kind == "Sequence" || kind == "SpecialToken" else {
                throw error("\(path) should be either a Sequence or a SpecialToken")
            }
            let piece = try outer.fields(kind)
            let id = try piece.string("id")
            let typeID = Int32(truncatingIfNeeded: try piece.int("type_id", in: 0...Int(Int32.max)))
            if kind == "Sequence" {
                guard id == "A" || id == "B", pair || id == "A", !sequences.contains(id) else {
                    throw error("\(path) is the sequence \"\(id)\"; expected is \(pair ? "A and B, each" : "A,") once")
                }
                sequences.append(id)
                pieces.append(.sequence(second: id == "B", typeID: typeID))
            } else {
                pieces += try specialPieces(special.fields(id), typeID: typeID)
            }
        }
        guard sequences.count == (pair ? 2 : 1) else {
            throw error("\(fields.path).\(key) lacks a sequence; expected is \(pair ? "A and B, each" : "A,") once")
        }
        return pieces
    }

    private func specialPieces(_ token: TokenizerFields, typeID: Int32) throws(FileError) -> [Template.Piece] {
        let ids = try token.array("ids")
        let texts = try token.array("tokens")
        guard ids.count == texts.count else {
            throw error("\(token.path) has \(ids.count) ids, but \(texts.count) tokens")
        }
        var pieces: [Template.Piece] = []
        for (id, text) in zip(ids, texts) {
            guard let id = id.int.flatMap({ Int32(exactly: $0) }), id >= 0, let text = text.string else {
                throw error("\(token.path) should hold ids, whole numbers, and tokens, strings")
            }
            pieces.append(.special(id: id, text: text, typeID: typeID))
        }
        return pieces
    }
}
