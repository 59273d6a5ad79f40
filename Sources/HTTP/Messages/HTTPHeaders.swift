/// Header fields in order of arrival, with case-insensitive names. One buffer holds them all; strings are made only on access.
package struct HTTPHeaders: Sendable, Equatable, ExpressibleByDictionaryLiteral {
    private struct Field: Equatable {
        var start: Int
        /// The end of the name and start of the value.
        var middle: Int
        var end: Int
    }

    /// The names and values, without separators.
    private var bytes: [UInt8] = []
    private var places: [Field] = []

    /// Makes a list without fields.
    package init() {}
    package init(dictionaryLiteral elements: (String, String)...) { for (name, value) in elements { add(name, value) } }

    /// The number of fields.
    package var count: Int { places.count }
    /// The capacity of the buffer in bytes.
    var capacity: Int { bytes.capacity }

    /// The fields as strings.
    package var fields: [(name: String, value: String)] {
        places.map { (text($0.start..<$0.middle), text($0.middle..<$0.end)) }
    }

    /// Adds a field at the end.
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

    /// Replaces all fields of a name by one.
    package mutating func set(_ name: String, _ value: String) {
        places = places.filter { !isName(name, $0) }
        add(name, value)
    }

    /// Removes all fields and keeps their memory, unless a copy still uses it.
    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        places.removeAll(keepingCapacity: true)
    }

    /// The value of the first field of a name.
    package subscript(name: String) -> String? {
        places.first { isName(name, $0) }.map { text($0.middle..<$0.end) }
    }

    /// Returns the values of all fields of a name.
    func values(_ name: String) -> [String] {
        places.filter { isName(name, $0) }.map { text($0.middle..<$0.end) }
    }

    /// Returns the values of all fields of a name as one list (RFC 9110, section 5.3); `nil` if there are none.
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
