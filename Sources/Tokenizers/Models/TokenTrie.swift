import ModelFiles

/// A trie over the bytes of a vocabulary's spellings, stored as a double array (Aoe 1989). One walk finds every token
/// that begins at a position of a text.
struct TokenTrie: Sendable {
    /// The node where a walk begins: the empty spelling.
    static let root: Int32 = 0

    private struct Cell {
        /// The index from which children are placed: the child by byte b is cell base + b, if that cell's parent is
        /// this one.
        var base: Int32 = 0
        /// The index of the parent cell; -1 if the cell is free.
        var parent: Int32 = -1
        /// The id of the token that ends here, or -1.
        var id: Int32 = -1
    }

    /// The cells, padded so that base + 255 always exists.
    private var cells: [Cell] = []

    /// - Parameter vocabulary: the tokens. The id that `id(of:)` finds counts if several have one spelling.
    init(_ vocabulary: Vocabulary, file: String) throws(FileError) {
        var builder = Builder(vocabulary)
        try builder.build(file: file)
        cells = builder.cells
    }

    /// - Returns: the child's node; a negative number if no token continues with this byte.
    @inline(__always)
    func child(of node: Int32, _ byte: UInt8) -> Int32 {
        let next = cells[Int(node)].base &+ Int32(byte)
        return cells[Int(next)].parent == node ? next : -1
    }

    /// Returns the token that ends at a node, or a negative number.
    @inline(__always)
    func id(at node: Int32) -> Int32 { cells[Int(node)].id }

    /// Returns the node of a spelling; negative if there is none.
    func node(of bytes: [UInt8]) -> Int32 {
        var node = TokenTrie.root
        for byte in bytes {
            node = child(of: node, byte)
            if node < 0 { break }
        }
        return node
    }

    /// A builder that places the children of one node after the other where all their cells are free.
    private struct Builder {
        var cells: [Cell] = []
        /// The spellings that are not empty, one after the other, and their ids.
        private var bytes: [UInt8] = []
        private var starts: [Int] = [0]
        private var ids: [Int32] = []
        /// The free cells as a ring through cell 0: `next` and `previous` by cell.
        private var next: [Int32] = []
        private var previous: [Int32] = []
        /// The first cell of the free tail of the array.
        private var top = 0
        /// The number of tries to place a node with several children before the end of the array is used.
        private static let tries = 32

        /// The tokens that share a node's spelling, `order[range]`, and its length.
        private struct Work {
            var node: Int32
            var range: Range<Int>
            var depth: Int
        }

        init(_ vocabulary: Vocabulary) {
            for id in 0..<Int32(truncatingIfNeeded: vocabulary.size) {
                guard let spelling = vocabulary.utf8(of: id), !spelling.isEmpty,
                    spelling.withUnsafeBufferPointer({ vocabulary.id(of: $0) }) == id
                else { continue }
                bytes += spelling
                starts.append(bytes.count)
                ids.append(id)
            }
        }

        mutating func build(file: String) throws(FileError) {
            // Every node has a byte of its own; a cell's number is an Int32.
            guard bytes.count < 1 << 28 else { throw FileError(file: file, "a vocabulary too large to hold") }
            grow()
            // No child below cell 256: a base below 0 would need a check at every step.
            for cell in 0..<256 { take(cell, parent: -2) }
            var order = Array(0..<ids.count)
            var scratch: [Int] = []
            var work = [Work(node: TokenTrie.root, range: order.indices, depth: 0)]
            while var item = work.popLast() {
                // The one token that is as long as the node is deep.
                if let ended = item.range.first(where: { starts[order[$0] + 1] - starts[order[$0]] == item.depth }) {
                    cells[Int(item.node)].id = ids[order[ended]]
                    order.swapAt(ended, item.range.lowerBound)
                    item.range = item.range.dropFirst()
                }
                if item.range.isEmpty { continue }
                if item.range.count > 1 { sort(&order, item.range, depth: item.depth, scratch: &scratch) }
                var children: [(byte: UInt8, range: Range<Int>)] = []
                for i in item.range {
                    let byte = bytes[starts[order[i]] + item.depth]
                    if let last = children.last, last.byte == byte {
                        children[children.count - 1].range = last.range.lowerBound..<i + 1
                    } else {
                        children.append((byte, i..<i + 1))
                    }
                }
                let base = place(children.map { Int(children[0].byte.distance(to: $0.byte)) }) - Int(children[0].byte)
                cells[Int(item.node)].base = Int32(truncatingIfNeeded: base)
                for (byte, range) in children {
                    let child = base + Int(byte)
                    take(child, parent: item.node)
                    work.append(Work(node: Int32(truncatingIfNeeded: child), range: range, depth: item.depth + 1))
                }
            }
            cells.removeSubrange(top...)
            cells += [Cell](repeating: Cell(), count: 256)
        }

        /// Sorts tokens by the byte at `depth`.
        private func sort(_ order: inout [Int], _ range: Range<Int>, depth: Int, scratch: inout [Int]) {
            if range.count < 32 {
                for i in range.dropFirst() {
                    let token = order[i]
                    let byte = bytes[starts[token] + depth]
                    var j = i
                    while j > range.lowerBound, bytes[starts[order[j - 1]] + depth] > byte {
                        order[j] = order[j - 1]
                        j -= 1
                    }
                    order[j] = token
                }
                return
            }
            var ends = [Int](repeating: 0, count: 257)
            for i in range { ends[Int(bytes[starts[order[i]] + depth]) + 1] += 1 }
            for byte in 0..<256 { ends[byte + 1] += ends[byte] }
            scratch.replaceSubrange(scratch.startIndex..<scratch.endIndex, with: order[range])
            for token in scratch {
                let byte = Int(bytes[starts[token] + depth])
                order[range.lowerBound + ends[byte]] = token
                ends[byte] += 1
            }
        }

        /// - Parameter offsets: the distances of the children's bytes from the first child's.
        /// - Returns: a free cell for the first child. The other children's cells are free too, and no base is
        ///   negative.
        private mutating func place(_ offsets: [Int]) -> Int {
            var candidate = Int(next[0])
            var left = Builder.tries
            while candidate != 0, left > 0 {
                let fits = offsets.allSatisfy { offset in
                    candidate + offset >= cells.count || cells[candidate + offset].parent == -1
                }
                if fits { break }
                left -= 1
                candidate = Int(next[candidate])
            }
            if candidate == 0 || left == 0 { candidate = top }
            while candidate + offsets[offsets.count - 1] >= cells.count { grow() }
            return candidate
        }

        private mutating func grow() {
            let first = cells.count
            let more = max(1024, first / 2)
            cells += [Cell](repeating: Cell(), count: more)
            next += (first..<first + more).map { Int32(truncatingIfNeeded: $0 + 1) }
            previous += (first..<first + more).map { Int32(truncatingIfNeeded: $0 - 1) }
            // Close the ring: … last free before, first new … last new, 0.
            let last = first == 0 ? 0 : previous[0]
            if first > 0 { previous[first] = last }
            next[Int(last)] = first == 0 ? 1 : Int32(truncatingIfNeeded: first)
            next[first + more - 1] = 0
            previous[0] = Int32(truncatingIfNeeded: first + more - 1)
        }

        private mutating func take(_ cell: Int, parent: Int32) {
            cells[cell].parent = parent
            top = max(top, cell + 1)
            if cell == 0 { return }
            next[Int(previous[cell])] = next[cell]
            previous[Int(next[cell])] = previous[cell]
        }
    }
}
