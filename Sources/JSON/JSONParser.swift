/// Where and why a text is not JSON.
public struct JSONError: Error, CustomStringConvertible, Sendable, Equatable {
    /// Byte offset into the text.
    public let offset: Int
    public let message: String
    /// It may be JSON, but has more values than the reader was to make.
    public var isTooMany = false
    public var description: String { "\(message) at byte \(offset)" }
}

extension JSONValue {
    /// Reads one JSON text (RFC 8259), strictly: UTF-8 without a byte order mark, no duplicate names, no lone surrogate
    /// escapes, no NaN or Infinity, no number beyond a double, nothing after the value.
    /// - Parameter maxDepth: how deep arrays and objects may nest.
    public init(parsing bytes: UnsafeRawBufferPointer, maxDepth: Int = 64) throws(JSONError) {
        var parser = JSONParser(bytes: bytes, maxDepth: maxDepth)
        self = try parser.parseText()
    }

    /// - Parameters:
    ///   - maxValues: how many values there may be in all, each of which takes at least 48 bytes; `.numbers` is one.
    ///   - packingNumbers: whether an array of numbers becomes `.numbers`.
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

private struct JSONParser {
    let bytes: UnsafeRawBufferPointer
    let maxDepth: Int
    var position = 0
    /// How many more values there may be.
    var valuesLeft = Int.max
    /// The text, where arrays of numbers are to be packed.
    var source: [UInt8]?
    /// How many numbers the last packed array had: most likely as many as the next.
    private var packedCount = 16

    init(bytes: UnsafeRawBufferPointer, maxDepth: Int) {
        self.bytes = bytes
        self.maxDepth = maxDepth
    }

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

    private mutating func parseString() throws(JSONError) -> String {
        let start = position + 1
        var end = start
        var ascii: UInt8 = 0
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
            ascii |= byte
            end += 1
        }
        position = end + 1
        return try decode(UnsafeRawBufferPointer(rebasing: bytes[start..<end]), at: start)
    }

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
            guard let byte = peek(), let digit = hexDigit(byte) else { throw fail("expected four hexadecimal digits") }
            value = value << 4 | UInt16(digit)
            position += 1
        }
        return value
    }

    private func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    private func decode(_ raw: UnsafeRawBufferPointer, at offset: Int) throws(JSONError) -> String {
        guard let text = String(validating: raw, as: UTF8.self) else {
            throw JSONError(offset: offset, message: "a string that is not valid UTF-8")
        }
        return text
    }

    // MARK: Numbers

    /// A number as it is written: `mantissa` × 10^`exponent`, where all its digits fit.
    private struct Decimal {
        var isNegative = false
        /// The first 19 significant digits.
        var mantissa: UInt64 = 0
        /// Significant digits in all.
        var digits = 0
        var exponent = 0
        /// Without fraction and exponent.
        var isIntegral = true
    }

    /// Up to 18 digits and a power of ten that a double holds exactly give the correctly rounded value with one
    /// multiplication or division (Clinger 1990); anything else goes through strtod.
    mutating func parseNumber() throws(JSONError) -> JSONValue {
        let start = position
        let number = try scanNumber()
        if number.digits <= 18 {
            if number.isIntegral { return .integer(number.isNegative ? -Int(number.mantissa) : Int(number.mantissa)) }
            if number.mantissa <= 1 << 53, abs(number.exponent) <= 22 {
                let value = JSONParser.scaled(number.mantissa, number.exponent)
                return .number(number.isNegative ? -value : value)
            }
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if number.isIntegral, let value = Int(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else {
            throw JSONError(offset: start, message: "a number beyond the range of a double")
        }
        return .number(value)
    }

    /// The rest of an array, from its first element, if all of it are numbers that an f32 can hold; else nothing is
    /// read.
    private mutating func packNumbers() -> JSONNumbers? {
        guard let source else { return nil }
        let start = position
        // An array of something else takes no memory for numbers.
        guard let first = peek(), isDigit(first) || first == UInt8(ascii: "-") else { return nil }
        var values: [Float] = []
        values.reserveCapacity(min(packedCount, (bytes.count - start) / 2 + 1))
        var areIntegers = true
        while let first = peek(), isDigit(first) || first == UInt8(ascii: "-") {
            let offset = position
            guard let number = try? scanNumber() else { break }
            let float = JSONParser.float(number) ?? slowFloat(offset..<position)
            guard float.isFinite else { break }
            values.append(float)
            if !number.isIntegral || number.mantissa > 1 << 24 { areIntegers = false }
            skipSpace()
            if take(UInt8(ascii: ",")) {
                skipSpace()
            } else if take(UInt8(ascii: "]")) {
                packedCount = values.count
                return JSONNumbers(floats: values, areIntegers: areIntegers, text: source[start..<position])
            } else {
                break
            }
        }
        position = start
        packedCount = 0
        return nil
    }

    private func slowFloat(_ range: Range<Int>) -> Float {
        Float(String(decoding: bytes[range], as: UTF8.self)) ?? .nan
    }

    /// Correctly rounded; nil where that takes more thought.
    ///
    /// A double of it, made with up to three roundings (of 19 digits, of the mantissa, of the product), is at most three
    /// units of its last place off. Rounded to an f32 that is the right one, unless it lies so near the middle
    /// of two of them that the error could reach over it.
    @inline(__always)
    private static func float(_ number: Decimal) -> Float? {
        if number.mantissa == 0 { return number.isNegative ? -0.0 : 0.0 }
        let exponent = number.exponent &+ max(0, number.digits &- 19)
        guard abs(exponent) <= 22 else { return nil }
        let value = scaled(number.mantissa, exponent)
        let belowFloat = value.bitPattern & 0x1FFF_FFFF
        guard abs(Int(belowFloat) &- 0x1000_0000) > 4, value >= Double(Float.leastNormalMagnitude) else { return nil }
        return Float(number.isNegative ? -value : value)
    }

    /// - Parameter exponent: −22 … 22, whose powers are exact.
    @inline(__always)
    private static func scaled(_ mantissa: UInt64, _ exponent: Int) -> Double {
        exponent < 0 ? Double(mantissa) / powersOfTen[-exponent] : Double(mantissa) * powersOfTen[exponent]
    }

    @inline(__always)
    private mutating func scanNumber() throws(JSONError) -> Decimal {
        var number = Decimal()
        number.isNegative = take(UInt8(ascii: "-"))
        guard let first = peek(), isDigit(first) else { throw fail("expected a digit, found \(found())") }
        if first == UInt8(ascii: "0") {
            position += 1
            if let next = peek(), isDigit(next) { throw fail("a number with a leading zero") }
        } else {
            takeDigits(&number)
        }
        if take(UInt8(ascii: ".")) {
            number.isIntegral = false
            let fraction = position
            takeDigits(&number)
            if position == fraction { throw fail("expected a digit after the decimal point, found \(found())") }
            number.exponent = fraction - position
        }
        if let byte = peek(), byte | 0x20 == UInt8(ascii: "e") { try scanExponent(&number) }
        return number
    }

    private mutating func scanExponent(_ number: inout Decimal) throws(JSONError) {
        number.isIntegral = false
        position += 1
        let isNegative = peek() == UInt8(ascii: "-")
        if isNegative || peek() == UInt8(ascii: "+") { position += 1 }
        let power = position
        var value = 0
        while let byte = peek(), isDigit(byte) {
            if value < 100_000 { value = value * 10 + Int(byte - UInt8(ascii: "0")) }
            position += 1
        }
        if position == power { throw fail("expected a digit in the exponent, found \(found())") }
        number.exponent += isNegative ? -value : value
    }

    @inline(__always)
    private mutating func takeDigits(_ number: inout Decimal) {
        while number.digits <= 8, bytes.count - position >= 8, let value = eightDigits() {
            number.mantissa = number.mantissa &* 100_000_000 &+ value
            // Leading zeros are not significant.
            number.digits = number.digits > 0 || value >= 10_000_000 ? number.digits &+ 8 : decimalDigits(value)
            position &+= 8
        }
        while let byte = peek(), isDigit(byte) {
            if number.digits < 19 { number.mantissa = number.mantissa &* 10 &+ UInt64(byte &- UInt8(ascii: "0")) }
            if number.mantissa != 0 { number.digits &+= 1 }
            position &+= 1
        }
    }

    /// The next eight bytes, if all are digits: pairs, fours and eights are added up side by side in one word.
    @inline(__always)
    private func eightDigits() -> UInt64? {
        var word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
        let high: UInt64 = 0xF0F0_F0F0_F0F0_F0F0
        let threes: UInt64 = 0x3030_3030_3030_3030
        let isDigits = word & high == threes && (word &+ 0x0606_0606_0606_0606) & high == threes
        guard isDigits else { return nil }
        word = ((word & 0x0F0F_0F0F_0F0F_0F0F) &* 2561) >> 8
        word = ((word & 0x00FF_00FF_00FF_00FF) &* 6_553_601) >> 16
        return ((word & 0x0000_FFFF_0000_FFFF) &* 42_949_672_960_001) >> 32
    }

    private func decimalDigits(_ value: UInt64) -> Int {
        var (value, count) = (value, 0)
        while value > 0 {
            value /= 10
            count += 1
        }
        return count
    }

    @inline(__always)
    private func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

    private static let powersOfTen: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22,
    ]

    // MARK: Bytes

    @inline(__always) private func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

    @inline(__always) mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte else { return false }
        position += 1
        return true
    }

    @inline(__always) mutating func skipSpace() {
        while let byte = peek(), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private func found() -> String {
        guard let byte = peek() else { return "the end of the text" }
        return (0x21..<0x7F).contains(byte)
            ? "'\(Character(Unicode.Scalar(byte)))'" : "byte 0x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }

    private func fail(_ message: String) -> JSONError { JSONError(offset: position, message: message) }
}
