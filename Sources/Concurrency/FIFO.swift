/// A first-in, first-out queue whose operations take amortized constant time.
public struct FIFO<Element> {
    @usableFromInline var items: [Element?] = []
    /// The index in `items` of the first element.
    @usableFromInline var head = 0

    /// Makes an empty queue.
    @inlinable public init() {}

    /// Whether there is no element.
    @inlinable public var isEmpty: Bool { head == items.count }
    /// The number of elements.
    @inlinable public var count: Int { items.count - head }
    /// The element that came first; `nil` if there is none.
    @inlinable public var first: Element? { isEmpty ? nil : items[head] }

    /// Adds an element at the end.
    @inlinable public mutating func append(_ item: Element) { items.append(item) }

    /// Removes and returns the element that came first; `nil` if there is none.
    @inlinable public mutating func popFirst() -> Element? {
        guard head < items.count else { return nil }
        let item = items[head]
        items[head] = nil
        head += 1
        if head == items.count {
            items.removeAll(keepingCapacity: items.capacity < 1024)
            head = 0
        } else if head > 64, head * 2 > items.count {
            items.removeFirst(head)
            head = 0
        }
        return item
    }
}

extension FIFO: Sendable where Element: Sendable {}
