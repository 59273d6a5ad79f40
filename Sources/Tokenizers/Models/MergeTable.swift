/// The merges of BPE: an open-addressing table from pairs of ids to the merge's rank and result.
struct MergeTable: Sendable {
    struct Merge {
        /// The merge's position in the list of merges. The lowest rank comes first.
        var rank: UInt32
        var id: Int32
    }

    private struct Slot {
        /// The pair, left << 32 | right. All bits are set in a free slot, which no pair has.
        var pair: UInt64 = .max
        var rank: UInt32 = 0
        var id: Int32 = 0
    }

    /// The slots, a power of two of them, at most half of them in use.
    private var slots: [Slot]

    init(capacity: Int) {
        var size = 16
        while size < 2 * capacity { size *= 2 }
        slots = [Slot](repeating: Slot(), count: size)
    }

    /// - Precondition: the table has fewer than `capacity` merges. A merge of the same pair is replaced.
    mutating func set(_ left: Int32, _ right: Int32, to merge: Merge) {
        let pair = MergeTable.pair(left, right)
        let mask = slots.count - 1
        var slot = MergeTable.hash(pair) & mask
        while slots[slot].pair != .max, slots[slot].pair != pair { slot = (slot + 1) & mask }
        slots[slot] = Slot(pair: pair, rank: merge.rank, id: merge.id)
    }

    @inline(__always)
    func merge(_ left: Int32, _ right: Int32) -> Merge? {
        let pair = MergeTable.pair(left, right)
        let mask = slots.count - 1
        var slot = MergeTable.hash(pair) & mask
        while true {
            let found = slots[slot]
            if found.pair == pair { return Merge(rank: found.rank, id: found.id) }
            if found.pair == .max { return nil }
            slot = (slot + 1) & mask
        }
    }

    @inline(__always)
    private static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    @inline(__always)
    private static func hash(_ pair: UInt64) -> Int {
        let product = pair.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return Int(truncatingIfNeeded: (product.high ^ product.low) >> 1)
    }
}
