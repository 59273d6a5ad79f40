extension JSONParser {
    /// A decimal number as written in the text.
    ///
    /// With up to 19 digits its magnitude is exactly `mantissa` × 10^`exponent`. With more, `mantissa` is truncated, and
    /// the magnitude is about `mantissa` × 10^(`exponent` + `digits` − 19).
    private struct Decimal {
        var isNegative = false
        /// The first 19 significant digits, as an integer.
        var mantissa: UInt64 = 0
        /// The number of significant digits in the text.
        var digits = 0
        /// The power of ten of the last digit in the text.
        var exponent = 0
        /// Whether the number has neither a fraction nor an exponent.
        var isIntegral = true
    }

    /// Parses one number as `.integer` or `.number`, correctly rounded.
    ///
    /// The fast path needs at most 18 digits, a mantissa up to 2^53 and a power of ten up to 10^22. A double holds both
    /// exactly, so one multiplication or division rounds correctly (Clinger 1990). Other numbers go through strtod.
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

    /// Parses the rest of an array, from its first element to the closing bracket, as packed f32 numbers.
    /// - Returns: `nil` unless every element is a number within the range of f32. `position` is then unchanged.
    mutating func packNumbers() -> JSONNumbers? {
        guard let source else { return nil }
        let start = position
        // Other arrays must not reserve memory for numbers.
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

    /// Rounds the number in `range` of the text to f32 with strtof.
    private func slowFloat(_ range: Range<Int>) -> Float {
        Float(String(decoding: bytes[range], as: UTF8.self)) ?? .nan
    }

    /// Rounds a decimal number to the nearest f32 through a double.
    ///
    /// The double has up to three roundings: to 19 digits, of the mantissa, and of the product. Its error is at most
    /// three units in the last place. The f32 rounded from it is correct unless the double is so close to the midpoint
    /// of two f32 numbers that this error could cross it.
    /// - Returns: `nil` if the result could be wrong or is subnormal, or the power of ten is not exact in a double.
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

    /// Returns `mantissa` × 10^`exponent`, with one rounding for `mantissa` and one for the result.
    /// - Parameter exponent: −22 … 22; a double holds these powers of ten exactly.
    @inline(__always)
    private static func scaled(_ mantissa: UInt64, _ exponent: Int) -> Double {
        exponent < 0 ? Double(mantissa) / powersOfTen[-exponent] : Double(mantissa) * powersOfTen[exponent]
    }

    /// Reads the digits of one number by the grammar of RFC 8259, section 6.
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

    /// Reads a run of digits into `number`, eight at a time while the mantissa has room for them.
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

    /// The value of the next eight bytes as a decimal number; `nil` if one of them is not a digit.
    ///
    /// Three multiplications within one 64-bit word combine digits to pairs, pairs to fours, and fours to eight digits.
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

    /// The number of decimal digits of `value`, 0 for 0.
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

    /// 10^0 … 10^22, the powers of ten that a double holds exactly.
    private static let powersOfTen: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22,
    ]
}
