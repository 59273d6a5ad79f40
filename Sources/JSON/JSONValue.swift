/// A JSON text as a tree. Numbers keep whether they were written as integers, so that an id is never a rounded double.
public enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    /// Written without fraction or exponent, and within Int's range.
    case integer(Int)
    case number(Double)
    case string(String)
    case array([JSONValue])
    /// An array of numbers alone, at least one; only where the reader was asked to pack them.
    case numbers(JSONNumbers)
    case object(JSONObject)

    /// What to call this kind of value in a message to a person.
    public var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer, .number: "a number"
        case .string: "a string"
        case .array, .numbers: "an array"
        case .object: "an object"
        }
    }

    public var string: String? { if case .string(let value) = self { value } else { nil } }
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    public var isArray: Bool {
        switch self {
        case .array, .numbers: true
        default: false
        }
    }

    /// The elements; of `.numbers`, made anew each time, which takes many times the memory of the text: for a request's
    /// there is `elements`.
    public var array: [JSONValue]? {
        switch self {
        case .array(let values): values
        case .numbers(let numbers): numbers.values
        default: nil
        }
    }
    /// The elements, those of `.numbers` one at a time.
    public var elements: JSONElements? {
        switch self {
        case .array(let values): JSONElements(values)
        case .numbers(let numbers): JSONElements(numbers)
        default: nil
        }
    }
    public var object: JSONObject? { if case .object(let value) = self { value } else { nil } }

    /// A whole number, however written (`2`, `2.0`, `2e0`).
    public var int: Int? {
        switch self {
        case .integer(let value): value
        case .number(let value): Int(exactly: value)
        default: nil
        }
    }

    public var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    public subscript(key: String) -> JSONValue? { object?[key] }
}

/// An array of numbers as a network reads it, and as it was written.
public struct JSONNumbers: Sendable, Equatable {
    /// Each correctly rounded to f32, and finite.
    public let floats: [Float]
    /// Whether all were written as integers, of a magnitude up to 2^24, so that `floats` are those exactly.
    public let areIntegers: Bool
    /// From the first number to the closing bracket; keeps the text it was read from.
    private let text: ArraySlice<UInt8>

    init(floats: [Float], areIntegers: Bool, text: ArraySlice<UInt8>) {
        self.floats = floats
        self.areIntegers = areIntegers
        self.text = text
    }

    /// The numbers with all their digits, read once more.
    public var values: [JSONValue] { Array(self) }
}

extension JSONNumbers: Sequence {
    /// Reads the numbers once more, with all their digits, as they are asked for.
    public struct Iterator: IteratorProtocol {
        let text: ArraySlice<UInt8>
        /// Where in the text the next number begins, or the closing bracket stands.
        var position = 0
    }

    public func makeIterator() -> Iterator { Iterator(text: text) }
    public var underestimatedCount: Int { floats.count }
}

/// The elements of an array, packed or not.
public struct JSONElements: Sequence {
    public let count: Int
    private let values: [JSONValue]
    /// Where the array is packed.
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

/// A JSON object: members in the order written, found by name in constant time.
public struct JSONObject: Sendable, Equatable, ExpressibleByDictionaryLiteral {
    public private(set) var members: [(key: String, value: JSONValue)] = []
    /// Built once there are more members than a scan would like.
    private var index: [Name: Int]?
    private static let scanLimit = 12

    public init() {}

    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        for (key, value) in elements { append(key, value) }
    }

    public var keys: [String] { members.map(\.key) }
    public var isEmpty: Bool { members.isEmpty }
    public var count: Int { members.count }

    public subscript(key: String) -> JSONValue? {
        position(of: key).map { members[$0].value }
    }

    /// Adds a member; false, and nothing is added, if the name is there already.
    @discardableResult
    public mutating func append(_ key: String, _ value: JSONValue) -> Bool {
        if position(of: key) != nil { return false }
        members.append((key, value))
        if index != nil {
            index?[Name(text: key)] = members.count - 1
        } else if members.count > JSONObject.scanLimit {
            index = Dictionary(uniqueKeysWithValues: members.enumerated().map { (Name(text: $1.key), $0) })
        }
        return true
    }

    private func position(of key: String) -> Int? {
        let name = Name(text: key)
        if let index { return index[name] }
        return members.firstIndex { Name(text: $0.key) == name }
    }

    /// A member's name, compared code point by code point (RFC 8259, section 8.3). Swift's String equality would take
    /// canonically equivalent names, of which vocabularies are full, for duplicates.
    private struct Name: Hashable, Sendable {
        let text: String

        static func == (a: Name, b: Name) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }

        func hash(into hasher: inout Hasher) {
            var text = text
            text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        }
    }

    public static func == (a: JSONObject, b: JSONObject) -> Bool {
        a.count == b.count && a.members.allSatisfy { b[$0.key] == $0.value }
    }
}
