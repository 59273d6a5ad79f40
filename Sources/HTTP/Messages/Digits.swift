extension [UInt8] {
    /// Appends a number in decimal digits.
    package mutating func append(decimal number: Int) {
        if number < 0 { append(0x2D) }
        append(digitsOf: number.magnitude)
    }

    private mutating func append(digitsOf number: UInt) {
        if number >= 10 { append(digitsOf: number / 10) }
        append(0x30 + UInt8(truncatingIfNeeded: number % 10))
    }

    /// Appends a number below 16 as an upper-case hex digit.
    @inlinable package mutating func append(hexDigit number: UInt8) {
        append(number < 10 ? 0x30 + number : 0x37 + number)
    }
}
