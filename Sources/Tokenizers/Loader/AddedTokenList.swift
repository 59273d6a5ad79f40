/// The added tokens of a tokenizer under construction. Ids are those of `AddedVocabulary::add_tokens` of the tokenizers
/// library: the model's id if the model has the token, else the next free one.
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

    /// Adds a token. A token that exists already takes the new flags.
    mutating func add(_ token: SpecialToken, special: Bool) {
        if token.content.isEmpty { return }
        let id = id(of: token.content) ?? Int32(truncatingIfNeeded: next)
        if Int(id) >= next { next = Int(id) + 1 }
        ids[Array(token.content.utf8)] = id
        byID[id] = token.added(id: id, special: special)
    }

    var sorted: [AddedToken] { byID.values.sorted { $0.id < $1.id } }
}
