import JSON

extension TokenizerFile {
    /// `"type": "BPE"` of tokenizer.json. Settings may be absent or null, as older writers left them.
    func bpe(_ fields: TokenizerFields) throws(ModelError) -> BPE {
        let vocabulary = try vocabulary(fields)
        if let dropout = fields.object["dropout"], dropout != .null {
            guard let value = dropout.double else { throw fields.wrong("dropout", "a number or null") }
            guard value == 0 else {
                throw error("\(fields.path).dropout is \(value): ids by chance are not supported; null or 0 is")
            }
        }
        func text(_ key: String) throws(ModelError) -> String? {
            fields.object[key] == nil || fields.object[key] == .null ? nil : try fields.string(key)
        }
        var options = BPE.Options()
        options.fuseUnknown = try fields.optionalBool("fuse_unk") ?? false
        options.byteFallback = try fields.optionalBool("byte_fallback") ?? false
        options.ignoreMerges = try fields.optionalBool("ignore_merges") ?? false
        options.continuingPrefix = try text("continuing_subword_prefix") ?? ""
        options.wordSuffix = try text("end_of_word_suffix") ?? ""
        if let unknown = try text("unk_token") {
            options.unknown = vocabulary.id(of: unknown)
            guard options.unknown != nil || BPE.spellsAllBytes(vocabulary, options) else {
                throw error("the unknown token \"\(unknown.prefix(80))\" is not in the vocabulary")
            }
        }
        let merges = try merges(
            fields.array("merges"), vocabulary: vocabulary, prefix: options.continuingPrefix,
            path: "\(fields.path).merges")
        return BPE(vocabulary: vocabulary, merges: merges, options: options)
    }

    /// Either `["a b", …]` or `[["a", "b"], …]`.
    private func merges(
        _ list: [JSONValue], vocabulary: Vocabulary, prefix: String, path: String
    ) throws(ModelError) -> MergeTable {
        var merges = MergeReader(vocabulary: vocabulary, capacity: list.count, prefix: prefix, file: self)
        let pairs = list.first?.array != nil
        for (i, value) in list.enumerated() {
            if pairs {
                guard let pair = value.array, pair.count == 2, let left = pair[0].string, let right = pair[1].string
                else { throw error("\(path)[\(i)] is not a pair of tokens, [\"a\", \"b\"], as the first is") }
                try merges.add(left, right)
            } else {
                guard let line = value.string else {
                    throw error("\(path)[\(i)] is not two tokens with a space between, \"a b\"")
                }
                try merges.add(line: line, path: "\(path)[\(i)]")
            }
        }
        return merges.table
    }
}

extension BPE {
    /// No character can be unknown: every byte has a token, either by fallback or as a character of GPT-2's alphabet
    /// for bytes. The library would only fail at a character that is.
    static func spellsAllBytes(_ vocabulary: Vocabulary, _ options: Options) -> Bool {
        guard options.continuingPrefix.isEmpty, options.wordSuffix.isEmpty else { return false }
        if options.byteFallback, vocabulary.byteTokens().allSatisfy({ $0 >= 0 }) { return true }
        let printable = Array(0x21...0x7E) + Array(0xA1...0xAC) + Array(0xAE...0xFF)
        return (printable + Array(0x100..<0x144)).allSatisfy { scalar in
            Unicode.Scalar(UInt32(scalar)).flatMap { vocabulary.id(of: String($0)) } != nil
        }
    }
}

/// Merges as a file lists them, from the lowest rank on.
struct MergeReader {
    private(set) var table: MergeTable
    private let vocabulary: Vocabulary
    /// Bytes that the right token of a merge loses.
    private let prefixLength: Int
    private let file: TokenizerFile
    private var rank: UInt32 = 0
    private var joined: [UInt8] = []

    init(vocabulary: Vocabulary, capacity: Int, prefix: String, file: TokenizerFile) {
        table = MergeTable(capacity: capacity)
        self.vocabulary = vocabulary
        prefixLength = prefix.utf8.count
        self.file = file
    }

    /// A line of merges.txt. Lines that begin with `#version` are skipped.
    mutating func add(line: String, path: String) throws(ModelError) {
        if line.utf8.starts(with: "#version".utf8) { return }
        let parts = line.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard parts.count == 2, let left = String(parts[0]), let right = String(parts[1]) else {
            throw file.error("\(path), \"\(line.prefix(80))\", is not two tokens with a space between")
        }
        try add(left, right)
    }

    mutating func add(_ left: String, _ right: String) throws(ModelError) {
        let leftID = try id(left, of: left, right)
        let rightID = try id(right, of: left, right)
        joined.removeAll(keepingCapacity: true)
        joined += left.utf8
        joined += right.utf8.dropFirst(prefixLength)
        guard right.utf8.count >= prefixLength, let id = joined.withUnsafeBufferPointer({ vocabulary.id(of: $0) })
        else {
            throw file.error(
                "the merge of \"\(left.prefix(80))\" and \"\(right.prefix(80))\" makes a token that is not in the vocabulary"
            )
        }
        table.set(leftID, rightID, to: MergeTable.Merge(rank: rank, id: id))
        rank += 1
    }

    private func id(_ token: String, of left: String, _ right: String) throws(ModelError) -> Int32 {
        guard let id = vocabulary.id(of: token) else {
            throw file.error(
                "\"\(token.prefix(80))\", of the merge of \"\(left.prefix(80))\" and \"\(right.prefix(80))\", is not in the vocabulary"
            )
        }
        return id
    }
}
