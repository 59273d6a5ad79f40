import Diagnostics

/// A scanner of the long lists of tokenizer.json, vocabularies and merges. Reading half a million entries as a tree of
/// values would take seconds.
///
/// It is as strict as `JSONValue(parsing:)`. The text must be valid UTF-8.
struct ListScanner {
    private let bytes: UnsafeBufferPointer<UInt8>
    private(set) var position: Int
    private let end: Int
    /// The last string that had escapes, unescaped.
    private var unescaped: [UInt8] = []

    init(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) {
        self.bytes = bytes
        position = range.lowerBound
        end = range.upperBound
    }

    @inline(__always)
    mutating func peek() -> UInt8 {
        while position < end, case let byte = bytes[position], byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 9
        {
            position += 1
        }
        return position < end ? bytes[position] : 0
    }

    /// Takes a byte and the white space before it. Returns false if another byte comes.
    @inline(__always)
    mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte else { return false }
        position += 1
        return true
    }

    /// Takes what follows an element of an array or object.
    /// - Returns: whether another element follows. `nil` if neither an element nor the closing bracket follows.
    @inline(__always)
    mutating func next(_ closing: UInt8) -> Bool? {
        if take(UInt8(ascii: ",")) { return true }
        return take(closing) ? false : nil
    }

    /// Takes a string. Its contents are valid until the next string is read. `nil`, and nothing is taken, if there is
    /// no valid string.
    @inline(__always)
    mutating func withString<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result? {
        guard peek() == UInt8(ascii: "\"") else { return nil }
        let start = position + 1
        var i = start
        while i < end {
            let byte = bytes[i]
            if byte == UInt8(ascii: "\"") {
                position = i + 1
                return body(UnsafeBufferPointer(rebasing: bytes[start..<i]))
            }
            if byte == UInt8(ascii: "\\") { break }
            if byte < 0x20 { return nil }
            i += 1
        }
        guard let stop = unescape(from: start) else { return nil }
        position = stop
        return unescaped.withUnsafeBufferPointer(body)
    }

    /// - Returns: the position after the closing quote. `nil` if the string is malformed.
    private mutating func unescape(from start: Int) -> Int? {
        unescaped.removeAll(keepingCapacity: true)
        var i = start
        while i < end {
            let byte = bytes[i]
            i += 1
            switch byte {
            case UInt8(ascii: "\""): return i
            case 0..<0x20: return nil
            case UInt8(ascii: "\\"):
                guard i < end else { return nil }
                let escape = bytes[i]
                i += 1
                switch escape {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): unescaped.append(escape)
                case UInt8(ascii: "b"): unescaped.append(0x08)
                case UInt8(ascii: "f"): unescaped.append(0x0C)
                case UInt8(ascii: "n"): unescaped.append(0x0A)
                case UInt8(ascii: "r"): unescaped.append(0x0D)
                case UInt8(ascii: "t"): unescaped.append(0x09)
                case UInt8(ascii: "u"):
                    guard var code = hex4(&i) else { return nil }
                    if (0xD800..<0xDC00).contains(code) {
                        guard i + 1 < end, bytes[i] == UInt8(ascii: "\\"), bytes[i + 1] == UInt8(ascii: "u") else {
                            return nil
                        }
                        i += 2
                        guard let low = hex4(&i), (0xDC00..<0xE000).contains(low) else { return nil }
                        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
                    }
                    guard let scalar = Unicode.Scalar(code) else { return nil }
                    unescaped.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
                default: return nil
                }
            default: unescaped.append(byte)
            }
        }
        return nil
    }

    private func hex4(_ i: inout Int) -> UInt32? {
        guard i + 4 <= end else { return nil }
        var value: UInt32 = 0
        for byte in bytes[i..<i + 4] {
            guard let digit = byte.hexDigitValue else { return nil }
            value = value << 4 | UInt32(digit)
        }
        i += 4
        return value
    }

    /// Takes a whole number from 0 on, of at most 18 digits. `nil`, and nothing is taken, if there is none.
    @inline(__always)
    mutating func wholeNumber() -> Int? {
        let first = peek()
        var value = 0
        var i = position
        while i < end, case let digit = bytes[i] &- UInt8(ascii: "0"), digit < 10 {
            value = value &* 10 &+ Int(digit)
            i += 1
        }
        guard i > position, i - position < 19, first != UInt8(ascii: "0") || i == position + 1 else { return nil }
        if i < end, case let byte = bytes[i], byte == UInt8(ascii: ".") || byte | 0x20 == UInt8(ascii: "e") {
            return nil
        }
        position = i
        return value
    }

    /// Takes a number with the value that the tokenizers library gives it. `nil`, and nothing is taken, if there is
    /// none, or none that a double can hold.
    ///
    /// serde_json does not round correctly by default (https://github.com/serde-rs/json, src/de.rs, `f64_from_parts`).
    /// It rounds as many digits as a u64 holds to f64, and multiplies or divides that by a power of ten. Scores that
    /// differ in the last bit decide between segmentations that differ only in the order of their tokens ("aaa").
    mutating func libraryNumber() -> Double? {
        let negative = peek() == UInt8(ascii: "-")
        var i = position + (negative ? 1 : 0)
        var significand: UInt64 = 0
        var exponent = 0
        var full = false
        func digit() -> UInt64? {
            guard i < end, case let digit = bytes[i] &- UInt8(ascii: "0"), digit < 10 else { return nil }
            return UInt64(digit)
        }
        func takeDigits(fraction: Bool) -> Bool {
            let start = i
            while let digit = digit() {
                let (tens, overflow) = significand.multipliedReportingOverflow(by: 10)
                let (sum, carry) = tens.addingReportingOverflow(digit)
                if full || overflow || carry {
                    full = true
                    if !fraction { exponent += 1 }
                } else {
                    significand = sum
                    if fraction { exponent -= 1 }
                }
                i += 1
            }
            return i > start
        }
        let integer = i
        guard takeDigits(fraction: false), bytes[integer] != UInt8(ascii: "0") || i == integer + 1 else { return nil }
        if i < end, bytes[i] == UInt8(ascii: ".") {
            i += 1
            guard takeDigits(fraction: true) else { return nil }
        }
        if i < end, bytes[i] | 0x20 == UInt8(ascii: "e") {
            i += 1
            var minus = false
            if i < end, bytes[i] == UInt8(ascii: "-") || bytes[i] == UInt8(ascii: "+") {
                minus = bytes[i] == UInt8(ascii: "-")
                i += 1
            }
            guard digit() != nil else { return nil }
            var power = 0
            while let digit = digit() {
                power = min(power * 10 + Int(digit), 1 << 30)
                i += 1
            }
            exponent += minus ? -power : power
        }
        var value = Double(significand)
        while exponent < -308, value != 0 {
            value /= 1e308
            exponent += 308
        }
        if value != 0 {
            guard exponent <= 308 else { return nil }
            let power = ListScanner.powersOfTen[abs(exponent)]
            value = exponent < 0 ? value / power : value * power
        }
        guard value.isFinite else { return nil }
        position = i
        return negative ? -value : value
    }

    private static let powersOfTen: [Double] = (0...308).map { Double("1e\($0)") ?? .infinity }

    /// Skips a value. Returns false if the value is malformed in a way that hides its end.
    mutating func skipValue() -> Bool {
        var depth = 0
        repeat {
            switch peek() {
            case UInt8(ascii: "\""):
                if !skipString() { return false }
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                position += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                position += 1
            case 0: return false
            case UInt8(ascii: ","), UInt8(ascii: ":"):
                if depth == 0 { return false }
                position += 1
            default:
                while position < end, case let byte = bytes[position], byte != UInt8(ascii: ","),
                    byte != UInt8(ascii: "}"), byte != UInt8(ascii: "]"), byte > 0x20
                { position += 1 }
            }
        } while depth > 0
        return depth == 0
    }

    private mutating func skipString() -> Bool {
        var i = position + 1
        while i < end {
            if bytes[i] == UInt8(ascii: "\"") {
                position = i + 1
                return true
            }
            i += bytes[i] == UInt8(ascii: "\\") ? 2 : 1
        }
        return false
    }
}
