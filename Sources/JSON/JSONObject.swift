/// A JSON object that keeps its members in the order written and finds them by name in constant time.
public struct JSONObject: Sendable, Equatable, ExpressibleByDictionaryLiteral {
    /// The members in the order written. Their names are distinct.
    public private(set) var members: [(key: String, value: JSONValue)] = []
    /// The positions in `members` by name; `nil` up to `scanLimit` members.
    private var index: [Name: Int]?
    /// The largest number of members that is searched linearly instead of through `index`.
    private static let scanLimit = 12

    public init() {}

    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        for (key, value) in elements { append(key, value) }
    }

    public var keys: [String] { members.map(\.key) }
    public var isEmpty: Bool { members.isEmpty }
    public var count: Int { members.count }

    /// The value of a member; `nil` if there is none of this name.
    public subscript(key: String) -> JSONValue? {
        position(of: key).map { members[$0].value }
    }

    /// Adds a member at the end.
    /// - Returns: `false` if a member with this name exists; the object is then unchanged.
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

    /// A member name, compared code point by code point (RFC 8259, section 8.3).
    ///
    /// Swift's `String` equality would treat canonically equivalent names as duplicates. Vocabularies contain many.
    private struct Name: Hashable, Sendable {
        let text: String

        static func == (a: Name, b: Name) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }

        func hash(into hasher: inout Hasher) {
            var text = text
            text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        }
    }

    /// Compares two objects without regard to the order of their members.
    public static func == (a: JSONObject, b: JSONObject) -> Bool {
        a.count == b.count && a.members.allSatisfy { b[$0.key] == $0.value }
    }
}
