/// A token of a word that is being merged.
struct MergeSymbol {
    var id: Int32
    /// The number of bytes of the word; 0 if the symbol was merged into the one before.
    var length: Int32
}

/// The tokens of a word, merged in place.
struct MergeSymbols {
    private let symbols: UnsafeMutableBufferPointer<MergeSymbol>
    private(set) var count = 0
    /// The number of symbols up to which scanning all pairs for every merge is faster than a queue (measured).
    private static let scanned = 48

    init(_ buffer: UnsafeMutableBufferPointer<MergeSymbol>) { symbols = buffer }

    subscript(i: Int) -> MergeSymbol { symbols[i] }

    @inline(__always)
    mutating func append(_ id: Int32, length: Int32) {
        symbols.initializeElement(at: count, to: MergeSymbol(id: id, length: length))
        count += 1
    }

    /// Merges until no neighbors have a merge.
    mutating func mergeAll(_ merges: MergeTable) {
        if count < 2 { return }
        if count <= MergeSymbols.scanned { mergeShort(merges) } else { mergeLong(merges) }
    }

    /// Merges the pair of the lowest rank among all, again and again. Symbols stay contiguous.
    private mutating func mergeShort(_ merges: MergeTable) {
        let none = MergeTable.Merge(rank: .max, id: -1)
        withUnsafeTemporaryAllocation(of: MergeTable.Merge.self, capacity: count) { pairs in
            for i in 0..<count - 1 {
                pairs.initializeElement(at: i, to: merges.merge(symbols[i].id, symbols[i + 1].id) ?? none)
            }
            while count > 1 {
                var best = 0
                for i in 0..<count - 1 where pairs[i].rank < pairs[best].rank { best = i }
                if pairs[best].rank == .max { return }
                symbols[best].id = pairs[best].id
                symbols[best].length += symbols[best + 1].length
                count -= 1
                if best + 1 < count {
                    for i in best + 1..<count {
                        symbols[i] = symbols[i + 1]
                        pairs[i - 1] = pairs[i]
                    }
                }
                if best > 0 { pairs[best - 1] = merges.merge(symbols[best - 1].id, symbols[best].id) ?? none }
                if best + 1 < count { pairs[best] = merges.merge(symbols[best].id, symbols[best + 1].id) ?? none }
            }
        }
    }

    /// Merges with a queue of pairs and symbols linked to their neighbors, in O(n log n).
    private mutating func mergeLong(_ merges: MergeTable) {
        var queue = MinHeap()
        var next = (0..<count).map { Int32(truncatingIfNeeded: $0 + 1) }
        var previous = (0..<count).map { Int32(truncatingIfNeeded: $0 - 1) }
        var start: [UInt64] = []
        for i in 0..<count - 1 {
            if let merge = merges.merge(symbols[i].id, symbols[i + 1].id) {
                start.append(UInt64(merge.rank) << 32 | UInt64(i))
            }
        }
        queue.fill(start)
        while let top = queue.popMin() {
            let i = Int(top & 0xFFFF_FFFF)
            let j = Int(next[i])
            // Of a pair that is no longer there, or no longer the same.
            guard symbols[i].length > 0, j < count, let merge = merges.merge(symbols[i].id, symbols[j].id),
                UInt64(merge.rank) == top >> 32
            else { continue }
            symbols[i].id = merge.id
            symbols[i].length += symbols[j].length
            symbols[j].length = 0
            next[i] = next[j]
            if Int(next[i]) < count { previous[Int(next[i])] = Int32(truncatingIfNeeded: i) }
            if previous[i] >= 0, case let before = Int(previous[i]),
                let merge = merges.merge(symbols[before].id, symbols[i].id)
            {
                queue.push(UInt64(merge.rank) << 32 | UInt64(before))
            }
            if Int(next[i]) < count, let merge = merges.merge(symbols[i].id, symbols[Int(next[i])].id) {
                queue.push(UInt64(merge.rank) << 32 | UInt64(i))
            }
        }
    }
}

/// A binary heap with the smallest number first.
struct MinHeap {
    private var values: [UInt64] = []

    /// - Precondition: empty.
    mutating func fill(_ start: [UInt64]) {
        values = start
        for i in (0..<values.count / 2).reversed() { sink(i) }
    }

    mutating func push(_ value: UInt64) {
        values.append(value)
        var i = values.count - 1
        while i > 0, case let parent = (i - 1) / 2, values[parent] > value {
            values[i] = values[parent]
            i = parent
        }
        values[i] = value
    }

    mutating func popMin() -> UInt64? {
        guard let min = values.first, let last = values.popLast() else { return nil }
        if !values.isEmpty {
            values[0] = last
            sink(0)
        }
        return min
    }

    private mutating func sink(_ start: Int) {
        var i = start
        let value = values[i]
        while case var child = 2 * i + 1, child < values.count {
            if child + 1 < values.count, values[child + 1] < values[child] { child += 1 }
            if values[child] >= value { break }
            values[i] = values[child]
            i = child
        }
        values[i] = value
    }
}
