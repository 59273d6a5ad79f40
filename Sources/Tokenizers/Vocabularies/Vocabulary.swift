import ModelFiles

/// Tokens by their spelling and by their id, in flat arrays: an open-addressing table over all spellings in UTF-8.
struct Vocabulary: Sendable {
    /// Tokens of the file; two of them are of the same spelling only where that is allowed.
    private(set) var count = 0
    /// Spellings one after the other, in UTF-8.
    private var bytes: [UInt8] = []
    /// Token i, in the file's order, is bytes[starts[i]..<starts[i + 1]].
    private var starts: [UInt32] = [0]
    private var ids: [Int32] = []
    /// By id: its token, or -1 where the file left a hole.
    private var tokens: [Int32] = []
    /// hash << 32 | token + 1, or 0; a power of two, at most half full.
    private var slots: [UInt64]

    private let file: String
    private let replacing: Bool
    /// Ids index arrays, here and in the models: a stray huge one must not allocate gigabytes.
    private let idLimit: Int

    /// - Parameters:
    ///   - capacity: at least as many as will be added.
    ///   - replacing: a later token of the same spelling takes the place of the earlier (vocab.txt, Unigram), which
    ///     keeps its id's spelling.
    /// - Throws: more tokens than there may be.
    init(capacity: Int, file: String, replacing: Bool = false) throws(FileError) {
        guard capacity < 1 << 24 else {
            throw FileError(file: file, "a vocabulary of \(capacity) tokens; at most \(1 << 24) are supported")
        }
        var size = 16
        while size < 2 * capacity { size *= 2 }
        slots = [UInt64](repeating: 0, count: size)
        starts.reserveCapacity(capacity + 1)
        ids.reserveCapacity(capacity)
        tokens.reserveCapacity(capacity)
        bytes.reserveCapacity(8 * capacity)
        idLimit = 2 * capacity + 65536
        self.file = file
        self.replacing = replacing
    }

    init(_ list: [(spelling: String, id: Int)], file: String, replacing: Bool = false) throws(FileError) {
        try self.init(capacity: list.count, file: file, replacing: replacing)
        for (spelling, id) in list { try add(spelling, id: id) }
    }

    /// Spellings by their ids, of which the last counts where two are alike: the others' ids are holes.
    init(lastOfEach spellings: [ArraySlice<UInt8>], file: String) throws(FileError) {
        var all = try Vocabulary(capacity: spellings.count, file: file, replacing: true)
        for (id, spelling) in spellings.enumerated() {
            spelling.withUnsafeBufferPointer { all.append($0) }
            try all.add(id: id)
        }
        func isLast(_ id: Int) -> Bool {
            spellings[id].withUnsafeBufferPointer { all.id(of: $0) }.map { Int($0) } == id
        }
        let last = spellings.indices.filter { isLast($0) }
        if last.count == spellings.count {
            self = all
            return
        }
        try self.init(capacity: spellings.count, file: file)
        for id in last {
            spellings[id].withUnsafeBufferPointer { append($0) }
            try add(id: id)
        }
    }

    mutating func add(_ spelling: String, id: Int) throws(FileError) {
        var spelling = spelling
        spelling.withUTF8 { append($0) }
        try add(id: id)
    }

    /// Begins a token by its spelling; `add(id:)` must follow.
    mutating func append(_ spelling: UnsafeBufferPointer<UInt8>) { bytes.append(contentsOf: spelling) }

    /// The spelling of the token begun.
    var appended: String { String(decoding: bytes[Int(starts[starts.count - 1])...], as: UTF8.self) }

    /// - Throws: an id that is taken or out of proportion; a spelling that is there already.
    mutating func add(id: Int) throws(FileError) {
        guard id >= 0, id < idLimit else {
            throw FileError(
                file: file,
                "the id \(id) of token \"\(appended.prefix(80))\" is out of proportion to the number of tokens")
        }
        while id >= tokens.count { tokens.append(-1) }
        if tokens[id] >= 0 {
            let other = spelling(of: Int32(truncatingIfNeeded: id)) ?? ""
            throw FileError(
                file: file, "tokens \"\(other.prefix(80))\" and \"\(appended.prefix(80))\" share the id \(id)")
        }
        guard let end = UInt32(exactly: bytes.count), 2 * ids.count < slots.count else {
            throw FileError(file: file, "a vocabulary too large to hold")
        }
        let start = Int(starts[starts.count - 1])
        let hash = bytes.withUnsafeBufferPointer { bytes in
            Vocabulary.hash(UnsafeBufferPointer(rebasing: bytes[start...]))
        }
        starts.append(end)
        ids.append(Int32(truncatingIfNeeded: id))
        if !insert(hash, token: ids.count - 1) {
            starts.removeLast()
            throw FileError(file: file, "the token \"\(appended.prefix(80))\" is there twice")
        }
        tokens[id] = Int32(truncatingIfNeeded: ids.count - 1)
        count += 1
    }

    /// - Returns: false if the spelling is there already and must not be replaced.
    private mutating func insert(_ hash: UInt32, token: Int) -> Bool {
        let mask = slots.count - 1
        var slot = Int(hash) & mask
        while slots[slot] != 0 {
            let other = Int(slots[slot] & 0xFFFF_FFFF) - 1
            if slots[slot] >> 32 == UInt64(hash), spelling(ofToken: other).elementsEqual(spelling(ofToken: token)) {
                if !replacing { return false }
                break
            }
            slot = (slot + 1) & mask
        }
        slots[slot] = UInt64(hash) << 32 | UInt64(token + 1)
        return true
    }

    private func spelling(ofToken token: Int) -> ArraySlice<UInt8> {
        bytes[Int(starts[token])..<Int(starts[token + 1])]
    }

    // MARK: By id

    /// The highest id and one.
    var size: Int { tokens.count }

    /// By id; nil where the file left a hole.
    var spellings: [String?] { (0..<Int32(truncatingIfNeeded: size)).map { spelling(of: $0) } }

    func spelling(of id: Int32) -> String? {
        utf8(of: id).map { String(decoding: $0, as: UTF8.self) }
    }

    /// A token's spelling in UTF-8.
    func utf8(of id: Int32) -> ArraySlice<UInt8>? {
        guard id >= 0, id < tokens.count, tokens[Int(id)] >= 0 else { return nil }
        return spelling(ofToken: Int(tokens[Int(id)]))
    }

    // MARK: By spelling

    func id(of spelling: String) -> Int32? {
        var spelling = spelling
        return spelling.withUTF8 { id(of: $0) }
    }

    func id(of spelling: UnsafeBufferPointer<UInt8>) -> Int32? {
        let hash = Vocabulary.hash(spelling)
        let mask = slots.count - 1
        var slot = Int(hash) & mask
        while slots[slot] != 0 {
            if slots[slot] >> 32 == UInt64(hash) {
                let token = Int(slots[slot] & 0xFFFF_FFFF) - 1
                let start = Int(starts[token])
                if Int(starts[token + 1]) - start == spelling.count,
                    bytes.withUnsafeBufferPointer({ bytes in
                        ByteHash.equal(bytes, start, spelling)
                    })
                {
                    return ids[token]
                }
            }
            slot = (slot + 1) & mask
        }
        return nil
    }

    private static func hash(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt32 {
        let hash = ByteHash.of(bytes)
        return UInt32(truncatingIfNeeded: hash ^ hash >> 32)
    }
}
