/// A queue whose first element has the smallest key; of equal keys, the one that was inserted first. A binary heap: inserting
/// and removing the first take a time logarithmic in the number of elements.
public struct PriorityQueue<Key: Comparable, Element> {
    @usableFromInline
    struct Entry {
        @usableFromInline let key: Key
        /// The number of the insertion.
        @usableFromInline let number: UInt64
        @usableFromInline let element: Element

        @inlinable
        init(key: Key, number: UInt64, element: Element) {
            self.key = key
            self.number = number
            self.element = element
        }

        @inlinable
        func precedes(_ other: Entry) -> Bool {
            key < other.key || (key == other.key && number < other.number)
        }
    }

    @usableFromInline var entries: [Entry] = []
    @usableFromInline var insertions: UInt64 = 0

    @inlinable public init() {}

    @inlinable public var isEmpty: Bool { entries.isEmpty }
    @inlinable public var count: Int { entries.count }
    @inlinable public var first: Element? { entries.first?.element }
    @inlinable public var firstKey: Key? { entries.first?.key }

    @inlinable
    public mutating func insert(_ element: Element, key: Key) {
        entries.append(Entry(key: key, number: insertions, element: element))
        insertions += 1
        var place = entries.count - 1
        while place > 0 {
            let parent = (place - 1) / 2
            guard entries[place].precedes(entries[parent]) else { break }
            entries.swapAt(place, parent)
            place = parent
        }
    }

    @inlinable
    public mutating func popFirst() -> Element? {
        guard let first = entries.first, let last = entries.popLast() else { return nil }
        guard !entries.isEmpty else { return first.element }
        entries[0] = last
        var place = 0
        while true {
            var least = place
            let children = 2 * place + 1..<min(2 * place + 3, max(2 * place + 1, entries.count))
            for child in children where entries[child].precedes(entries[least]) { least = child }
            if least == place { return first.element }
            entries.swapAt(place, least)
            place = least
        }
    }

    /// Removes the elements for which `isUnwanted` holds, and sorts the rest.
    @inlinable
    public mutating func removeAll(where isUnwanted: (Element) -> Bool) {
        entries.removeAll { isUnwanted($0.element) }
        // A sorted array is a heap.
        entries.sort { $0.precedes($1) }
    }
}

extension PriorityQueue.Entry: Sendable where Key: Sendable, Element: Sendable {}
extension PriorityQueue: Sendable where Key: Sendable, Element: Sendable {}
