/// Header fields in the order they came; names compare without regard to case. All of them lie in one buffer, and become
/// strings only when they are asked for.
package struct HTTPHeaders: Sendable, Equatable, ExpressibleByDictionaryLiteral {
    private struct Field: Equatable {
        var start: Int
        /// Where the name ends and the value begins.
        var middle: Int
        var end: Int
    }

    /// Names and values, one behind the other.
    private var bytes: [UInt8] = []
    private var places: [Field] = []

    package init() {}
    package init(dictionaryLiteral elements: (String, String)...) { for (name, value) in elements { add(name, value) } }

    package var count: Int { places.count }
    /// Of the buffer, in bytes.
    var capacity: Int { bytes.capacity }

    /// A copy of all of them.
    package var fields: [(name: String, value: String)] {
        places.map { (text($0.start..<$0.middle), text($0.middle..<$0.end)) }
    }

    package mutating func add(_ name: String, _ value: String) { add(name.utf8, value.utf8) }

    mutating func add(_ name: some Collection<UInt8>, _ value: some Collection<UInt8>) {
        if bytes.capacity == 0 {
            bytes.reserveCapacity(256)
            places.reserveCapacity(8)
        }
        let start = bytes.count
        bytes.append(contentsOf: name)
        let middle = bytes.count
        bytes.append(contentsOf: value)
        places.append(Field(start: start, middle: middle, end: bytes.count))
    }

    /// Puts one field in the place of all of that name.
    package mutating func set(_ name: String, _ value: String) {
        places = places.filter { !isName(name, $0) }
        add(name, value)
    }

    /// Forgets the fields, not the memory they lay in, unless somebody else still has it.
    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        places.removeAll(keepingCapacity: true)
    }

    /// The first field of that name.
    package subscript(name: String) -> String? {
        places.first { isName(name, $0) }.map { text($0.middle..<$0.end) }
    }

    /// All fields of that name.
    func values(_ name: String) -> [String] {
        places.filter { isName(name, $0) }.map { text($0.middle..<$0.end) }
    }

    /// All fields of that name as the one list they stand for (RFC 9110, section 5.3).
    package func list(_ name: String) -> String? {
        let values = values(name)
        return values.isEmpty ? nil : values.joined(separator: ",")
    }

    /// Calls `body` with the bytes of each name and value.
    func forEach(_ body: (_ name: ArraySlice<UInt8>, _ value: ArraySlice<UInt8>) -> Void) {
        for place in places { body(bytes[place.start..<place.middle], bytes[place.middle..<place.end]) }
    }

    private func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    private func isName(_ name: String, _ place: Field) -> Bool {
        let utf8 = name.utf8
        return utf8.count == place.middle - place.start
            && bytes[place.start..<place.middle].elementsEqual(utf8) { $0 | 0x20 == $1 | 0x20 }
    }
}
