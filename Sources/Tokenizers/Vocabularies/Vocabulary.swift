import ModelFiles

/// The tokens of a vocabulary by spelling and by id, in flat arrays, with an open-addressing table over all spellings
/// in UTF-8.
struct Vocabulary: Sendable {
    /// The number of tokens of the file. Two of them have the same spelling only if that is allowed.
    private(set) var count = 0
    /// The spellings in UTF-8, one after the other.
    private var bytes: [UInt8] = []
    /// The start of every token's spelling in `bytes`, in the file's order: token i is bytes[starts[i]..<starts[i +
    /// 1]].
    private var starts: [UInt32] = [0]
    private var ids: [Int32] = []
    /// The token of every id, or -1 for an id that the file does not use.
    private var tokens: [Int32] = []
    /// The hash table: hash << 32 | token + 1, or 0 if free. Its size is a power of two, and at most half of it is in
    /// use.
    private var slots: [UInt64]

    private let file: String
    private let replacing: Bool
    /// The largest id allowed. Ids index arrays here and in the models, so a stray huge id must not allocate gigabytes.
    private let idLimit: Int

    /// - Parameters:
    ///   - capacity: an upper bound of the number of tokens that will be added.
    ///   - replacing: whether a later token replaces an earlier one of the same spelling (vocab.txt, Unigram). The id
    ///     of the earlier one keeps its spelling.
    /// - Throws: `FileError` if there would be too many tokens.
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

    /// Builds a vocabulary from spellings by id. The last of equal spellings counts; the ids of the others are holes.
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

    /// Begins a token with its spelling; `add(id:)` must follow.
    mutating func append(_ spelling: UnsafeBufferPointer<UInt8>) { bytes.append(contentsOf: spelling) }

    /// The spelling of the token begun.
    var appended: String { String(decoding: bytes[Int(starts[starts.count - 1])...], as: UTF8.self) }

    /// - Throws: an error for an id that is taken or out of proportion, or a spelling that exists already.
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

    /// - Returns: false if the spelling exists already and must not be replaced.
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

    /// The highest id plus one.
    var size: Int { tokens.count }

    /// The spelling of every id. `nil` for an id that the file does not use.
    var spellings: [String?] { (0..<Int32(truncatingIfNeeded: size)).map { spelling(of: $0) } }

    func spelling(of id: Int32) -> String? {
        utf8(of: id).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Returns a token's spelling in UTF-8.
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

    /// Returns the id of `<0x41>` and the like, by byte; -1 if there is none.
    func byteTokens() -> [Int32] {
        (0..<256).map { byte in
            let digits = String(byte, radix: 16, uppercase: true)
            return id(of: "<0x" + (byte < 16 ? "0" : "") + digits + ">") ?? -1
        }
    }

    private static func hash(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt32 {
        let hash = ByteHash.of(bytes)
        return UInt32(truncatingIfNeeded: hash ^ hash >> 32)
    }
}
