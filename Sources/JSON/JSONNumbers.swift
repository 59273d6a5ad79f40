/// A packed array of numbers: rounded to f32 for a network, with its text for exact values.
public struct JSONNumbers: Sendable, Equatable {
    /// The numbers, each correctly rounded to f32 and finite.
    public let floats: [Float]
    /// Whether every number is written as an integer with a magnitude up to 2^24. `floats` is then exact.
    public let areIntegers: Bool
    /// The text from the first number to the closing bracket, as a slice that keeps the whole text in memory.
    private let text: ArraySlice<UInt8>

    init(floats: [Float], areIntegers: Bool, text: ArraySlice<UInt8>) {
        self.floats = floats
        self.areIntegers = areIntegers
        self.text = text
    }

    /// The exact numbers, parsed again from the text at each access.
    public var values: [JSONValue] { Array(self) }
}

extension JSONNumbers: Sequence {
    /// An iterator that parses the exact numbers from the text, one per call.
    public struct Iterator: IteratorProtocol {
        let text: ArraySlice<UInt8>
        /// The offset in `text` of the next number, or of the closing bracket after the last one.
        var position = 0
    }

    public func makeIterator() -> Iterator { Iterator(text: text) }
    public var underestimatedCount: Int { floats.count }
}

extension JSONNumbers.Iterator {
    public mutating func next() -> JSONValue? {
        let start = position
        let (value, end) = text.withUnsafeBytes { bytes -> (JSONValue?, Int) in
            var parser = JSONParser(bytes: bytes, maxDepth: 0)
            parser.position = start
            if parser.take(UInt8(ascii: "]")) { return (nil, start) }
            let value = try? parser.parseNumber()
            parser.skipSpace()
            if parser.take(UInt8(ascii: ",")) { parser.skipSpace() }
            return (value, parser.position)
        }
        position = end
        return value
    }
}
