/// A writer of JSON into one growing buffer of bytes.
///
/// The writer inserts the commas. The caller must balance `begin…` and `end…` calls.
public struct JSONWriter: Sendable {
    /// The JSON text written so far, as UTF-8.
    public private(set) var bytes: [UInt8] = []
    /// Whether a comma must precede the next value or member name.
    private var needsComma = false

    public init(capacity: Int = 256) { bytes.reserveCapacity(capacity) }

    /// Writes an object with the members that `body` writes.
    public mutating func object(_ body: (inout JSONWriter) -> Void) {
        beginObject()
        body(&self)
        endObject()
    }

    /// Writes an array with the elements that `body` writes.
    public mutating func array(_ body: (inout JSONWriter) -> Void) {
        beginArray()
        body(&self)
        endArray()
    }

    public mutating func beginObject() { open(UInt8(ascii: "{")) }
    public mutating func endObject() { close(UInt8(ascii: "}")) }
    public mutating func beginArray() { open(UInt8(ascii: "[")) }
    public mutating func endArray() { close(UInt8(ascii: "]")) }

    /// Removes the bytes written so far, after the caller has sent them. Writing continues within the same document.
    public mutating func removeBytes() { bytes.removeAll(keepingCapacity: true) }

    /// Writes a member name. The next call must write its value.
    public mutating func key(_ name: String) {
        string(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    public mutating func null() { raw("null") }
    public mutating func bool(_ value: Bool) { raw(value ? "true" : "false") }

    public mutating func int(_ value: Int) {
        separate()
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        appendDigits(value.magnitude)
    }

    /// Writes the shortest decimal that reads back as the same f32. NaN and infinity, which JSON lacks, become null.
    public mutating func float(_ value: Float) {
        floats(more: CollectionOfOne(value))
    }

    /// Writes the shortest decimal that reads back as the same double. NaN and infinity become null.
    public mutating func double(_ value: Double) { number(value.isFinite ? value.description : "null") }

    /// Writes an array of numbers, each as `float` writes it.
    public mutating func floats(_ values: some Collection<Float>) {
        beginArray()
        floats(more: values)
        endArray()
    }

    /// Writes elements into an open array, after those written so far.
    public mutating func floats(more values: some Collection<Float>) {
        if values.isEmpty { return }
        separate()
        append(values)
    }

    /// Writes an array of integers.
    public mutating func ints(_ values: some Sequence<Int>) {
        array { writer in for value in values { writer.int(value) } }
    }

    /// Writes a string with the escapes that JSON requires.
    public mutating func string(_ value: String) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        var value = value
        value.withUTF8 { utf8 in
            var start = 0
            for (i, byte) in utf8.enumerated() where byte < 0x20 || byte == 0x22 || byte == 0x5C || byte == 0x7F {
                bytes.append(contentsOf: utf8[start..<i])
                start = i + 1
                escape(byte)
            }
            bytes.append(contentsOf: utf8[start...])
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// Opens a string whose content follows in pieces through `string(more:)`.
    public mutating func beginString() { open(UInt8(ascii: "\"")) }
    /// Appends ASCII characters to an open string. The caller passes only characters that need no escape.
    public mutating func string(more ascii: some Collection<UInt8>) { bytes.append(contentsOf: ascii) }
    public mutating func endString() { close(UInt8(ascii: "\"")) }

    /// Writes a value that is already JSON, unchecked.
    public mutating func raw(_ json: StaticString) {
        separate()
        bytes.append(contentsOf: UnsafeBufferPointer(start: json.utf8Start, count: json.utf8CodeUnitCount))
    }

    /// Writes a value that is already JSON, unchecked.
    public mutating func raw(_ json: some Collection<UInt8>) {
        separate()
        bytes.append(contentsOf: json)
    }

    /// Writes a tree of values. NaN and infinity become null.
    public mutating func value(_ value: JSONValue) {
        switch value {
        case .null: null()
        case .bool(let value): bool(value)
        case .integer(let value): int(value)
        case .number(let value): double(value)
        case .string(let value): string(value)
        case .array(let values): array { writer in for value in values { writer.value(value) } }
        case .numbers(let numbers): array { writer in for value in numbers { writer.value(value) } }
        case .object(let object):
            self.object { writer in
                for (key, value) in object.members {
                    writer.key(key)
                    writer.value(value)
                }
            }
        }
    }

    /// Writes the comma before a value if one is needed.
    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    private mutating func open(_ byte: UInt8) {
        separate()
        bytes.append(byte)
        needsComma = false
    }

    private mutating func close(_ byte: UInt8) {
        bytes.append(byte)
        needsComma = true
    }

    /// Appends the numbers with commas between them.
    private mutating func append(_ values: some Collection<Float>) {
        if values.withContiguousStorageIfAvailable({ append($0) }) == nil {
            Array(values).withUnsafeBufferPointer { append($0) }
        }
    }

    /// Appends the numbers in blocks of 64. Each block is formatted on the stack, so the buffer is extended once per block.
    private mutating func append(_ values: UnsafeBufferPointer<Float>) {
        let block = 64
        let powers = ShortestFloat.powers
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: block * ShortestFloat.maxBytes) { text in
            guard let start = text.baseAddress else { return }
            for first in stride(from: 0, to: values.count, by: block) {
                var end = start
                for value in values[first..<min(first + block, values.count)] {
                    if value.isFinite {
                        end += ShortestFloat.write(value, to: end, powers)
                    } else {
                        UnsafeMutableRawPointer(end).copyMemory(from: "null", byteCount: 4)
                        end += 4
                    }
                    end.pointee = UInt8(ascii: ",")
                    end += 1
                }
                let isLast = first + block >= values.count
                bytes.append(contentsOf: UnsafeBufferPointer(start: start, count: end - start - (isLast ? 1 : 0)))
            }
        }
    }

    private mutating func number(_ text: String) {
        separate()
        var text = text
        text.withUTF8 { bytes.append(contentsOf: $0) }
    }

    private mutating func appendDigits(_ value: UInt) {
        if value >= 10 { appendDigits(value / 10) }
        bytes.append(UInt8(ascii: "0") + UInt8(value % 10))
    }

    /// Appends the escape sequence of a quote, a backslash or a control character.
    private mutating func escape(_ byte: UInt8) {
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case 0x22, 0x5C: bytes.append(byte)
        case 0x0A: bytes.append(UInt8(ascii: "n"))
        case 0x0D: bytes.append(UInt8(ascii: "r"))
        case 0x09: bytes.append(UInt8(ascii: "t"))
        default:
            let hex = Array("0123456789abcdef".utf8)
            bytes.append(contentsOf: [UInt8(ascii: "u"), UInt8(ascii: "0"), UInt8(ascii: "0")])
            bytes.append(contentsOf: [hex[Int(byte >> 4)], hex[Int(byte & 15)]])
        }
    }
}
