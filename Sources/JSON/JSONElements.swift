/// The elements of an array, packed or not, as one type of sequence.
public struct JSONElements: Sequence {
    /// The number of elements.
    public let count: Int
    /// The elements of an array that is not packed; empty otherwise.
    private let values: [JSONValue]
    /// The elements of a packed array; `nil` otherwise.
    private let numbers: JSONNumbers?

    public init(_ values: [JSONValue]) {
        count = values.count
        self.values = values
        numbers = nil
    }

    public init(_ numbers: JSONNumbers) {
        count = numbers.floats.count
        values = []
        self.numbers = numbers
    }

    public struct Iterator: IteratorProtocol {
        fileprivate var values: IndexingIterator<[JSONValue]>
        fileprivate var numbers: JSONNumbers.Iterator?

        public mutating func next() -> JSONValue? { values.next() ?? numbers?.next() }
    }

    public func makeIterator() -> Iterator {
        Iterator(values: values.makeIterator(), numbers: numbers?.makeIterator())
    }
    public var underestimatedCount: Int { count }
}
