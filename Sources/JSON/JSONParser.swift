import Diagnostics

extension JSONValue {
    /// Parses one JSON text strictly (RFC 8259).
    ///
    /// The text must be UTF-8 without a byte order mark. The parser rejects duplicate member names, lone surrogate
    /// escapes, NaN, Infinity, numbers outside the range of a double, and any bytes after the value.
    /// - Parameter maxDepth: The maximum nesting depth of arrays and objects; a top-level array has depth 1.
    public init(parsing bytes: UnsafeRawBufferPointer, maxDepth: Int = 64) throws(JSONError) {
        var parser = JSONParser(bytes: bytes, maxDepth: maxDepth)
        self = try parser.parseText()
    }

    /// Parses one JSON text strictly (RFC 8259), with a limit on the number of values and optional packing.
    /// - Parameters:
    ///   - maxDepth: The maximum nesting depth of arrays and objects; a top-level array has depth 1.
    ///   - maxValues: The maximum number of values in the whole tree. Each takes at least 48 bytes of memory. A packed
    ///     array (`.numbers`) counts as one value.
    ///   - packingNumbers: Whether to read arrays that contain only numbers as `.numbers`.
    public init(
        parsing bytes: [UInt8], maxDepth: Int = 64, maxValues: Int = .max, packingNumbers: Bool = false
    ) throws(JSONError) {
        let result: Result<JSONValue, JSONError> = bytes.withUnsafeBytes { buffer in
            do throws(JSONError) {
                var parser = JSONParser(bytes: buffer, maxDepth: maxDepth)
                parser.valuesLeft = maxValues
                if packingNumbers { parser.source = bytes }
                return .success(try parser.parseText())
            } catch {
                return .failure(error)
            }
        }
        self = try result.get()
    }
}

/// A recursive-descent parser over the bytes of one JSON text.
struct JSONParser {
    let bytes: UnsafeRawBufferPointer
    let maxDepth: Int
    /// The offset of the next unread byte.
    var position = 0
    /// The number of values that may still be created.
    var valuesLeft = Int.max
    /// The same text as `bytes`, retained by packed arrays; `nil` if arrays of numbers are not packed.
    var source: [UInt8]?
    /// The capacity to reserve for the next packed array, in numbers. Rows of a matrix have equal lengths, so it is the
    /// length of the last packed array.
    var packedCount = 16

    init(bytes: UnsafeRawBufferPointer, maxDepth: Int) {
        self.bytes = bytes
        self.maxDepth = maxDepth
    }

    /// Parses the whole text as one value with optional surrounding white space.
    mutating func parseText() throws(JSONError) -> JSONValue {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { throw fail("a byte order mark is not allowed") }
        skipSpace()
        let value = try parseValue(depth: 0)
        skipSpace()
        if position < bytes.count { throw fail("unexpected \(found()) after the value") }
        return value
    }

    private mutating func parseValue(depth: Int) throws(JSONError) -> JSONValue {
        guard let byte = peek() else { throw fail("expected a value, found \(found())") }
        guard valuesLeft > 0 else { throw JSONError(offset: position, message: "too many values", isTooMany: true) }
        valuesLeft -= 1
        switch byte {
        case UInt8(ascii: "{"): return try parseObject(depth: depth + 1)
        case UInt8(ascii: "["): return try parseArray(depth: depth + 1)
        case UInt8(ascii: "\""): return .string(try parseString())
        case UInt8(ascii: "t"): return try parseWord("true", .bool(true))
        case UInt8(ascii: "f"): return try parseWord("false", .bool(false))
        case UInt8(ascii: "n"): return try parseWord("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try parseNumber()
        default: throw fail("expected a value, found \(found())")
        }
    }

    private mutating func parseObject(depth: Int) throws(JSONError) -> JSONValue {
        try checkDepth(depth)
        position += 1
        var object = JSONObject()
        skipSpace()
        if take(UInt8(ascii: "}")) { return .object(object) }
        while true {
            skipSpace()
            guard peek() == UInt8(ascii: "\"") else { throw fail("expected a member name in quotes, found \(found())") }
            let start = position
            let key = try parseString()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw fail("expected ':' after a member name, found \(found())") }
            skipSpace()
            let value = try parseValue(depth: depth)
            guard object.append(key, value) else {
                throw JSONError(offset: start, message: "duplicate member \"\(key.excerpt())\"")
            }
            skipSpace()
            if take(UInt8(ascii: ",")) { continue }
            if take(UInt8(ascii: "}")) { return .object(object) }
            throw fail("expected ',' or '}' in an object, found \(found())")
        }
    }

    private mutating func parseArray(depth: Int) throws(JSONError) -> JSONValue {
        try checkDepth(depth)
        position += 1
        var values: [JSONValue] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return .array(values) }
        if source != nil, let numbers = packNumbers() { return .numbers(numbers) }
        while true {
            skipSpace()
            values.append(try parseValue(depth: depth))
            skipSpace()
            if take(UInt8(ascii: ",")) { continue }
            if take(UInt8(ascii: "]")) { return .array(values) }
            throw fail("expected ',' or ']' in an array, found \(found())")
        }
    }

    private func checkDepth(_ depth: Int) throws(JSONError) {
        if depth > maxDepth { throw fail("nested deeper than \(maxDepth) levels") }
    }

    private mutating func parseWord(_ word: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
        let end = position + word.utf8CodeUnitCount
        guard end <= bytes.count, zip(position..<end, 0...).allSatisfy({ bytes[$0] == word.utf8Start[$1] }) else {
            throw fail("expected a value, found \(found())")
        }
        position = end
        return value
    }

    // MARK: Strings

    /// Parses a string, including its quotes. A string without escapes is decoded straight from the text.
    private mutating func parseString() throws(JSONError) -> String {
        let start = position + 1
        var end = start
        while true {
            guard end < bytes.count else {
                position = start - 1
                throw fail("a string without its closing quote")
            }
            let byte = bytes[end]
            if byte == UInt8(ascii: "\"") { break }
            if byte == UInt8(ascii: "\\") { return try parseEscapedString(from: start, firstEscape: end) }
            if byte < 0x20 {
                position = end
                throw fail("a control character in a string must be escaped")
            }
            end += 1
        }
        position = end + 1
        return try decode(UnsafeRawBufferPointer(rebasing: bytes[start..<end]), at: start)
    }

    /// Parses the rest of a string that contains escapes.
    /// - Parameters:
    ///   - start: The offset of the first byte after the opening quote.
    ///   - firstEscape: The offset of the first backslash.
    private mutating func parseEscapedString(from start: Int, firstEscape: Int) throws(JSONError) -> String {
        var buffer = [UInt8](bytes[start..<firstEscape])
        position = firstEscape
        while let byte = peek() {
            if byte == UInt8(ascii: "\"") {
                position += 1
                let result: Result<String, JSONError> = buffer.withUnsafeBytes { raw in
                    do throws(JSONError) { return .success(try decode(raw, at: start)) } catch {
                        return .failure(error)
                    }
                }
                return try result.get()
            }
            if byte < 0x20 { throw fail("a control character in a string must be escaped") }
            if byte == UInt8(ascii: "\\") {
                try parseEscape(into: &buffer)
            } else {
                buffer.append(byte)
                position += 1
            }
        }
        position = start - 1
        throw fail("a string without its closing quote")
    }

    /// Parses one escape sequence, or two that form a surrogate pair, and appends its UTF-8 bytes to `buffer`.
    private mutating func parseEscape(into buffer: inout [UInt8]) throws(JSONError) {
        let start = position
        position += 1
        guard let byte = peek() else { throw fail("a string without its closing quote") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): buffer.append(byte)
        case UInt8(ascii: "b"): buffer.append(0x08)
        case UInt8(ascii: "f"): buffer.append(0x0C)
        case UInt8(ascii: "n"): buffer.append(0x0A)
        case UInt8(ascii: "r"): buffer.append(0x0D)
        case UInt8(ascii: "t"): buffer.append(0x09)
        case UInt8(ascii: "u"):
            var code = UInt32(try parseHex4())
            if (0xD800..<0xDC00).contains(code), peek() == UInt8(ascii: "\\"), position + 1 < bytes.count,
                bytes[position + 1] == UInt8(ascii: "u")
            {
                position += 2
                let low = UInt32(try parseHex4())
                if (0xDC00..<0xE000).contains(low) { code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00) }
            }
            guard let scalar = Unicode.Scalar(code) else {
                throw JSONError(offset: start, message: "a \\u escape that is half of a surrogate pair")
            }
            buffer.append(contentsOf: UTF8.encode(scalar).unsafelyUnwrapped)
        default: throw JSONError(offset: start, message: "an unknown escape in a string")
        }
    }

    private mutating func parseHex4() throws(JSONError) -> UInt16 {
        var value: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = peek(), let digit = byte.hexDigitValue else {
                throw fail("expected four hexadecimal digits")
            }
            value = value << 4 | UInt16(digit)
            position += 1
        }
        return value
    }

    private func decode(_ raw: UnsafeRawBufferPointer, at offset: Int) throws(JSONError) -> String {
        guard let text = String(validating: raw, as: UTF8.self) else {
            throw JSONError(offset: offset, message: "a string that is not valid UTF-8")
        }
        return text
    }

    // MARK: Bytes

    @inline(__always) func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

    @inline(__always) mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte else { return false }
        position += 1
        return true
    }

    @inline(__always) mutating func skipSpace() {
        while let byte = peek(), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    /// Describes the next byte, for error messages.
    func found() -> String {
        guard let byte = peek() else { return "the end of the text" }
        return (0x21..<0x7F).contains(byte)
            ? "'\(Character(Unicode.Scalar(byte)))'" : "byte 0x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }

    /// Creates an error at the current position.
    func fail(_ message: String) -> JSONError { JSONError(offset: position, message: message) }
}
