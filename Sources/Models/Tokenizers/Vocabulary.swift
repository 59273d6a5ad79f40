import JSON

/// Tokens by their spelling, without making a String for every try: an open-addressing table over flat arrays of scalars.
struct Vocabulary: Sendable {
    /// A spelling's hash while it is being read, scalar by scalar, so that all prefixes of a word are hashed in one pass.
    struct Hash: Sendable {
        private var state: UInt64 = 0x243F_6A88_85A3_08D3

        @inline(__always) mutating func combine(_ scalar: UInt32) {
            state = (state ^ UInt64(scalar)) &* 0x9E37_79B9_7F4A_7C15
            state ^= state >> 29
        }

        @inline(__always) var value: UInt32 { UInt32(truncatingIfNeeded: state ^ state >> 32) }
    }

    /// By id; nil where the file left a hole.
    private(set) var spellings: [String?] = []
    /// Scalars of the longest token.
    private(set) var longest = 0

    private var scalars: [UInt32] = []
    /// Token i is scalars[starts[i]..<starts[i + 1]].
    private var starts: [Int32] = [0]
    private var ids: [Int32] = []
    /// hash << 32 | token + 1, or 0; a power of two, at most half full.
    private var slots: [UInt64] = []

    /// - Parameter replacing: a later token of the same spelling takes the place of the earlier (vocab.txt), which keeps
    ///   its id's spelling.
    init(_ tokens: [(spelling: String, id: Int)], file: String, replacing: Bool = false) throws(ModelError) {
        guard tokens.count < 1 << 24 else {
            throw ModelError(file: file, "a vocabulary of \(tokens.count) tokens; at most \(1 << 24) are supported")
        }
        // Ids index arrays, here and in the model: a stray huge one must not allocate gigabytes.
        let limit = 2 * tokens.count + 65536
        slots = [UInt64](repeating: 0, count: Vocabulary.tableSize(tokens.count))
        spellings = [String?](repeating: nil, count: tokens.count)
        ids.reserveCapacity(tokens.count)
        starts.reserveCapacity(tokens.count + 1)
        for (spelling, id) in tokens {
            guard id >= 0, id < limit else {
                throw ModelError(
                    file: file,
                    "the id \(id) of token \"\(spelling.prefix(80))\" is out of proportion to the \(tokens.count) tokens there are"
                )
            }
            while id >= spellings.count { spellings.append(nil) }
            if let other = spellings[id] {
                throw ModelError(
                    file: file, "tokens \"\(other.prefix(80))\" and \"\(spelling.prefix(80))\" share the id \(id)")
            }
            spellings[id] = spelling
            var hash = Hash()
            for scalar in spelling.unicodeScalars {
                scalars.append(scalar.value)
                hash.combine(scalar.value)
            }
            guard let end = Int32(exactly: scalars.count) else {
                throw ModelError(file: file, "a vocabulary of more than \(Int32.max) characters")
            }
            let start = Int(starts[starts.count - 1])
            longest = max(longest, scalars.count - start)
            starts.append(end)
            ids.append(Int32(truncatingIfNeeded: id))
            insert(hash.value, token: ids.count - 1, replacing: replacing)
        }
        while spellings.last == .some(nil) { spellings.removeLast() }
    }

    private static func tableSize(_ count: Int) -> Int {
        var size = 16
        while size < 2 * count { size *= 2 }
        return size
    }

    private mutating func insert(_ hash: UInt32, token: Int, replacing: Bool) {
        let mask = slots.count - 1
        var slot = Int(hash) & mask
        while slots[slot] != 0 {
            let other = Int(slots[slot] & 0xFFFF_FFFF) - 1
            if replacing, slots[slot] >> 32 == UInt64(hash), scalars(of: other).elementsEqual(scalars(of: token)) {
                break
            }
            slot = (slot + 1) & mask
        }
        slots[slot] = UInt64(hash) << 32 | UInt64(token + 1)
    }

    private func scalars(of token: Int) -> ArraySlice<UInt32> { scalars[Int(starts[token])..<Int(starts[token + 1])] }

    func id(of spelling: String) -> Int32? {
        let scalars = spelling.unicodeScalars.map(\.value)
        var hash = Hash()
        for scalar in scalars { hash.combine(scalar) }
        return scalars.withUnsafeBufferPointer { id(hash: hash, prefix: [], $0[...]) }
    }

    /// The id of the token spelled `prefix` + `word`, whose hash the caller has.
    @inline(__always)
    func id(hash: Hash, prefix: [UInt32], _ word: Slice<UnsafeBufferPointer<UInt32>>) -> Int32? {
        let value = hash.value
        let mask = slots.count - 1
        var slot = Int(value) & mask
        while slots[slot] != 0 {
            if slots[slot] >> 32 == UInt64(value) {
                let token = Int(slots[slot] & 0xFFFF_FFFF) - 1
                let start = Int(starts[token])
                if Int(starts[token + 1]) - start == prefix.count + word.count,
                    scalars[start..<start + prefix.count].elementsEqual(prefix),
                    scalars[start + prefix.count..<Int(starts[token + 1])].elementsEqual(word)
                {
                    return ids[token]
                }
            }
            slot = (slot + 1) & mask
        }
        return nil
    }
}
