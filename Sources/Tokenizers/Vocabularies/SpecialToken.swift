import JSON
import ModelFiles

/// The special tokens that transformers knows by a name (`SPECIAL_TOKENS_ATTRIBUTES`), in the order in which it adds them.
enum TokenRole: String, CaseIterable {
    case bos = "bos_token"
    case eos = "eos_token"
    case unk = "unk_token"
    case sep = "sep_token"
    case pad = "pad_token"
    case cls = "cls_token"
    case mask = "mask_token"
}

/// A special token as a file spells it: a string, or an `AddedToken` with its flags.
struct SpecialToken {
    var content: String
    var singleWord = false
    var lstrip = false
    var rstrip = false
    /// nil: only if it is not special.
    var normalized: Bool?
    /// nil of a string, which is special wherever it is added.
    var special: Bool?

    init(_ content: String, lstrip: Bool = false, special: Bool? = nil) {
        self.content = content
        self.lstrip = lstrip
        self.special = special
    }

    func added(id: Int32, special: Bool) -> AddedToken {
        AddedToken(
            id: id, content: content, singleWord: singleWord, lstrip: lstrip, rstrip: rstrip,
            normalized: normalized ?? !special, special: special)
    }

    /// By bytes: Swift would take canonically equivalent spellings for one.
    static func isSame(_ a: String, _ b: String) -> Bool { a.utf8.elementsEqual(b.utf8) }
}

extension TokenizerFile {
    /// - Parameter special: of an object that does not say.
    /// - Returns: nil where it is neither a string nor an object with `content`.
    func specialToken(_ value: JSONValue, special: Bool = false) throws(ModelError) -> SpecialToken? {
        if let content = value.string { return SpecialToken(content) }
        guard value.object != nil, value["content"] != nil else { return nil }
        let fields = try fields(value, at: "a special token")
        var token = SpecialToken(try fields.string("content"))
        token.singleWord = try fields.optionalBool("single_word") ?? false
        token.lstrip = try fields.optionalBool("lstrip") ?? false
        token.rstrip = try fields.optionalBool("rstrip") ?? false
        token.normalized = try fields.optionalBool("normalized")
        token.special = try fields.optionalBool("special") ?? special
        return token
    }
}

/// The added tokens of a tokenizer while it is put together, with their ids as `AddedVocabulary::add_tokens` of the
/// tokenizers library gives them: the model's where it has the token, else the next behind all there are.
struct AddedTokenList {
    private let vocabulary: Vocabulary
    private var ids: [[UInt8]: Int32] = [:]
    private var byID: [Int32: AddedToken] = [:]
    private var next: Int

    init(_ vocabulary: Vocabulary) {
        self.vocabulary = vocabulary
        next = vocabulary.count
    }

    func id(of content: String) -> Int32? { ids[Array(content.utf8)] ?? vocabulary.id(of: content) }

    /// A token that is there already takes the new flags.
    mutating func add(_ token: SpecialToken, special: Bool) {
        if token.content.isEmpty { return }
        let id = id(of: token.content) ?? Int32(truncatingIfNeeded: next)
        if Int(id) >= next { next = Int(id) + 1 }
        ids[Array(token.content.utf8)] = id
        byID[id] = token.added(id: id, special: special)
    }

    var sorted: [AddedToken] { byID.values.sorted { $0.id < $1.id } }
}
