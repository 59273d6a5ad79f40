import JSON
import ModelFiles

/// The parts of a tokenizer that a class of transformers builds from a vocabulary, before special tokens are added.
/// Components have the form they have in tokenizer.json, and are read like those.
struct TokenizerParts {
    /// The special tokens around a text.
    enum Frame {
        /// The first and the last token, if `add_bos_token` and `add_eos_token` ask for them
        /// (`TokenizersBackend.update_post_processor`).
        case ends
        /// Special tokens by their roles, and the types of the two texts.
        case fixed(single: [Piece], pair: [Piece])
        /// The post-processor `RobertaProcessing`.
        case roberta(trimOffsets: Bool, addPrefixSpace: Bool)
    }

    enum Piece {
        case token(TokenRole, type: Int = 0)
        case first
        case second(type: Int = 0)
    }

    var model: any TokenModel
    var normalizer = JSONValue.null
    var preTokenizer = JSONValue.null
    var decoder = JSONValue.null
    var roles: [TokenRole: SpecialToken]
    /// The extra special tokens if tokenizer_config.json has none. `nil` for those of special_tokens_map.json.
    var extra: [SpecialToken]?
    var frame = Frame.ends
    /// Whether `add_bos_token` and `add_eos_token` override the frame, because the class sets its frame too early.
    var endsOverrideFrame = false
    /// Whether all special tokens are added once more, without flags.
    var addsPlainly = false

    /// The frame `[CLS] A [SEP]`, and `[CLS] A [SEP] B [SEP]` for a pair, whose second text has type 1.
    static let bertFrame = Frame.fixed(
        single: [.token(.cls), .first, .token(.sep)],
        pair: [.token(.cls), .first, .token(.sep), .second(type: 1), .token(.sep, type: 1)])

    func tokenizer(_ settings: TokenizerSettings, file: TokenizerFile) throws(FileError) -> PipelineTokenizer {
        let added = addedTokens(settings)
        return try PipelineTokenizer(
            model: model, normalizer: file.normalizer(normalizer, at: "normalizer"),
            preTokenizer: file.preTokenizer(preTokenizer, at: "pre_tokenizer"),
            template: file.template(processor(settings, added, file)), decoder: file.decoder(decoder),
            added: added.sorted, side: PipelineTokenizer.side(settings.options) ?? .right, file: file)
    }

    /// Returns the added tokens, in the order of `TokenizersBackend.__init__`
    /// (https://github.com/huggingface/transformers/blob/main/src/transformers/tokenization_utils_tokenizers.py).
    private func addedTokens(_ settings: TokenizerSettings) -> AddedTokenList {
        var list = AddedTokenList(model.vocabulary)
        let named = TokenRole.allCases.compactMap { roles[$0] } + settings.others
        let extra = settings.extra ?? self.extra ?? settings.additional ?? []
        func isAny(_ token: SpecialToken, of tokens: [SpecialToken]) -> Bool {
            tokens.contains { $0.content.isSpelled(like: token.content) }
        }
        let first = settings.decoder.map(\.token)
        let later = (named + extra).filter { !isAny($0, of: first) }
        for token in first + later {
            list.add(token, special: token.special ?? true || isAny(token, of: named))
        }
        if addsPlainly {
            for token in named + extra { list.add(SpecialToken(token.content), special: true) }
        }
        return list
    }

    // MARK: The frame

    private func processor(
        _ settings: TokenizerSettings, _ added: AddedTokenList, _ file: TokenizerFile
    ) throws(FileError) -> JSONValue {
        func id(_ role: TokenRole) throws(FileError) -> (id: Int, text: String) {
            guard let text = roles[role]?.content, let id = added.id(of: text) else {
                throw settings.options.file.error("\(role.rawValue) is null, but texts are framed with it")
            }
            return (Int(id), text)
        }
        let isGiven = ["add_bos_token", "add_eos_token"].contains { settings.options.object[$0] != nil }
        switch frame {
        case .fixed(let single, let pair) where !(endsOverrideFrame && isGiven):
            return try template(single, pair, id)
        case .roberta(let trim, let space):
            let (sep, cls) = (try id(.sep), try id(.cls))
            return .object([
                "type": .string("RobertaProcessing"), "sep": .array([.string(sep.text), .integer(sep.id)]),
                "cls": .array([.string(cls.text), .integer(cls.id)]), "trim_offsets": .bool(trim),
                "add_prefix_space": .bool(space),
            ])
        default:
            let bos = try settings.bool("add_bos_token", default: false) && roles[.bos] != nil
            let eos = try settings.bool("add_eos_token", default: false) && roles[.eos] != nil
            func framed(_ text: Piece, type: Int) -> [Piece] {
                (bos ? [.token(.bos, type: type)] : []) + [text] + (eos ? [.token(.eos, type: type)] : [])
            }
            let single = framed(.first, type: 0)
            return try template(single, single + framed(.second(type: 1), type: 1), id)
        }
    }

    private func template(
        _ single: [Piece], _ pair: [Piece], _ id: (TokenRole) throws(FileError) -> (id: Int, text: String)
    ) throws(FileError) -> JSONValue {
        var special = JSONObject()
        func pieces(_ list: [Piece]) throws(FileError) -> JSONValue {
            var result: [JSONValue] = []
            for piece in list {
                switch piece {
                case .first:
                    result.append(.object(["Sequence": .object(["id": .string("A"), "type_id": .integer(0)])]))
                case .second(let type):
                    result.append(.object(["Sequence": .object(["id": .string("B"), "type_id": .integer(type)])]))
                case .token(let role, let type):
                    let token = try id(role)
                    special.append(
                        token.text,
                        .object([
                            "id": .string(token.text), "ids": .array([.integer(token.id)]),
                            "tokens": .array([.string(token.text)]),
                        ]))
                    result.append(
                        .object(["SpecialToken": .object(["id": .string(token.text), "type_id": .integer(type)])]))
                }
            }
            return .array(result)
        }
        let (single, pair) = (try pieces(single), try pieces(pair))
        return .object([
            "type": .string("TemplateProcessing"), "single": single, "pair": pair, "special_tokens": .object(special),
        ])
    }
}

/// Components in the form of tokenizer.json.
enum Component {
    static func make(_ type: String, _ members: JSONObject = [:]) -> JSONValue {
        var object: JSONObject = ["type": .string(type)]
        for (key, value) in members.members { object.append(key, value) }
        return .object(object)
    }

    static func normalizers(_ list: [JSONValue]) -> JSONValue { make("Sequence", ["normalizers": .array(list)]) }
    static func preTokenizers(_ list: [JSONValue]) -> JSONValue { make("Sequence", ["pretokenizers": .array(list)]) }
    static func decoders(_ list: [JSONValue]) -> JSONValue { make("Sequence", ["decoders": .array(list)]) }

    static func replace(_ text: String, _ content: String) -> JSONValue {
        make("Replace", ["pattern": .object(["String": .string(text)]), "content": .string(content)])
    }

    static func replace(regex: String, _ content: String) -> JSONValue {
        make("Replace", ["pattern": .object(["Regex": .string(regex)]), "content": .string(content)])
    }

    static func split(_ pattern: JSONObject, _ behavior: String) -> JSONValue {
        make("Split", ["pattern": .object(pattern), "behavior": .string(behavior), "invert": .bool(false)])
    }

    static func metaspace(_ scheme: String, split: Bool = true) -> JSONValue {
        make("Metaspace", ["replacement": .string("▁"), "prepend_scheme": .string(scheme), "split": .bool(split)])
    }

    static func byteLevel(addPrefixSpace: Bool, useRegex: Bool = true) -> JSONValue {
        make(
            "ByteLevel",
            ["add_prefix_space": .bool(addPrefixSpace), "trim_offsets": .bool(true), "use_regex": .bool(useRegex)])
    }
}
