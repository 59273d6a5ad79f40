import JSON
import ModelFiles

extension TokenizerFile {
    /// Reads a model of `"type": "BPE"` of tokenizer.json. Settings may be absent or null, as older writers left them.
    func bpe(_ fields: TokenizerFields, _ lists: ModelLists) throws(FileError) -> BPE {
        let vocabulary = try vocabulary(fields, lists)
        if let dropout = fields.object["dropout"], dropout != .null {
            guard let value = dropout.double else { throw fields.wrong("dropout", "a number or null") }
            guard value == 0 else {
                throw error("\(fields.path).dropout is \(value): ids by chance are not supported; null or 0 is")
            }
        }
        func text(_ key: String) throws(FileError) -> String? {
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
        _ = try fields.array("merges")
        guard let list = lists.merges else { throw error("\(fields.path).merges is malformed") }
        let merges = try merges(
            list, lists, vocabulary: vocabulary, prefix: options.continuingPrefix, path: "\(fields.path).merges")
        return BPE(vocabulary: vocabulary, merges: merges, options: options)
    }

    /// Reads the merges: `["a b", …]` or `[["a", "b"], …]`.
    private func merges(
        _ list: ModelLists.List, _ lists: ModelLists, vocabulary: Vocabulary, prefix: String, path: String
    ) throws(FileError) -> MergeTable {
        var merges = MergeReader(vocabulary: vocabulary, capacity: list.most, prefix: prefix, file: self)
        var pairs: Bool?
        try lists.read(list, path: path, file: self) { (i, scanner) throws(FileError) in
            if pairs == nil { pairs = scanner.peek() == UInt8(ascii: "[") }
            if pairs == true {
                guard scanner.take(UInt8(ascii: "[")), scanner.withString({ merges.setLeft($0) }) != nil,
                    scanner.take(UInt8(ascii: ",")), scanner.withString({ merges.setRight($0) }) != nil,
                    scanner.take(UInt8(ascii: "]"))
                else { throw error("\(path)[\(i)] is not a pair of tokens, [\"a\", \"b\"], as the first is") }
                try merges.add()
            } else {
                guard let isMerge = scanner.withString({ merges.setLine($0) }) else {
                    throw error("\(path)[\(i)] is not two tokens with a space between, \"a b\"")
                }
                guard isMerge else {
                    throw error("\(path)[\(i)], \"\(merges.line.prefix(80))\", is not two tokens with a space between")
                }
                try merges.add()
            }
        }
        return merges.table
    }
}

extension BPE {
    /// Whether no character can be unknown: every byte has a token, by fallback or as a character of GPT-2's byte
    /// alphabet. The library would fail only at an unknown character.
    static func spellsAllBytes(_ vocabulary: Vocabulary, _ options: Options) -> Bool {
        guard options.continuingPrefix.isEmpty, options.wordSuffix.isEmpty else { return false }
        if options.byteFallback, vocabulary.byteTokens().allSatisfy({ $0 >= 0 }) { return true }
        let printable = Array(0x21...0x7E) + Array(0xA1...0xAC) + Array(0xAE...0xFF)
        return (printable + Array(0x100..<0x144)).allSatisfy { scalar in
            Unicode.Scalar(UInt32(scalar)).flatMap { vocabulary.id(of: String($0)) } != nil
        }
    }
}

/// A reader of a file's list of merges, from the lowest rank on.
struct MergeReader {
    private(set) var table: MergeTable
    private let vocabulary: Vocabulary
    /// The number of bytes that the right token of a merge loses.
    private let prefixLength: Int
    private let file: TokenizerFile
    private var rank: UInt32 = 0
    /// The next merge's two tokens in one array. Empty if there is none.
    private var tokens: [UInt8] = []
    private var leftLength = 0
    private var joined: [UInt8] = []

    init(vocabulary: Vocabulary, capacity: Int, prefix: String, file: TokenizerFile) {
        table = MergeTable(capacity: capacity)
        self.vocabulary = vocabulary
        prefixLength = prefix.utf8.count
        self.file = file
    }

    mutating func setLeft(_ token: UnsafeBufferPointer<UInt8>) {
        tokens.removeAll(keepingCapacity: true)
        tokens.append(contentsOf: token)
        leftLength = token.count
    }

    mutating func setRight(_ token: UnsafeBufferPointer<UInt8>) { tokens.append(contentsOf: token) }

    /// Reads a line of merges.txt: two tokens and a space between them. A line that begins with `#version` is no merge.
    /// - Returns: false if it is neither.
    mutating func setLine(_ line: UnsafeBufferPointer<UInt8>) -> Bool {
        if line.starts(with: "#version".utf8) {
            setLeft(UnsafeBufferPointer(rebasing: line[..<0]))
            return true
        }
        let space = line.firstIndex(of: UInt8(ascii: " ")) ?? line.count
        setLeft(UnsafeBufferPointer(rebasing: line[..<space]))
        if space == line.count { return false }
        setRight(UnsafeBufferPointer(rebasing: line[(space + 1)...]))
        if !tokens[space...].contains(UInt8(ascii: " ")) { return true }
        tokens.insert(UInt8(ascii: " "), at: space)
        return false
    }

    /// The line that `setLine` refused.
    var line: String { String(decoding: tokens, as: UTF8.self) }

    /// Adds the merge that was set.
    mutating func add() throws(FileError) {
        if tokens.isEmpty { return }
        let ids: (Int32?, Int32?, Int32?) = tokens.withUnsafeBufferPointer { tokens in
            let left = vocabulary.id(of: UnsafeBufferPointer(rebasing: tokens[..<leftLength]))
            let right = vocabulary.id(of: UnsafeBufferPointer(rebasing: tokens[leftLength...]))
            if prefixLength == 0 { return (left, right, vocabulary.id(of: tokens)) }
            if tokens.count - leftLength < prefixLength { return (left, right, nil) }
            joined.removeAll(keepingCapacity: true)
            joined += tokens[..<leftLength]
            joined += tokens[(leftLength + prefixLength)...]
            return (left, right, joined.withUnsafeBufferPointer { vocabulary.id(of: $0) })
        }
        guard let left = ids.0 else { throw unknown(tokens[..<leftLength]) }
        guard let right = ids.1 else { throw unknown(tokens[leftLength...]) }
        guard let id = ids.2 else {
            throw file.error("the merge of \(pair) makes a token that is not in the vocabulary")
        }
        table.set(left, right, to: MergeTable.Merge(rank: rank, id: id))
        rank += 1
    }

    private func unknown(_ token: ArraySlice<UInt8>) -> FileError {
        file.error(
            "\"\(String(decoding: token, as: UTF8.self).prefix(80))\", of the merge of \(pair), is not in the vocabulary"
        )
    }

    private var pair: String {
        let left = String(decoding: tokens[..<leftLength], as: UTF8.self)
        let right = String(decoding: tokens[leftLength...], as: UTF8.self)
        return "\"\(left.prefix(80))\" and \"\(right.prefix(80))\""
    }
}
