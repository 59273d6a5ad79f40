/// Formatting of an f32 as the shortest decimal that reads back as the same f32, without allocation.
///
/// Among decimals of the shortest length it chooses the nearest. The format is that of Swift's `Float.description`:
/// `0.1`, `16777216.0`, `1e-05`.
///
/// Source of the algorithm, for binary32: Raffaele Giulietti, "The Schubfach way to render doubles" (2021),
/// sections 9.8 and 9.9, https://drive.google.com/file/d/1IEeATSVnEE6TkrHlCYNY2GjaraBjOT4f
enum ShortestFloat {
    /// The number of bytes that `write` may overwrite. The number itself and a comma take at most 17.
    static let maxBytes = 24

    /// Writes a number as ASCII text.
    /// - Parameters:
    ///   - value: A finite number.
    ///   - text: A buffer with room for `maxBytes`.
    ///   - powers: `ShortestFloat.powers`, passed in so that a loop loads it only once.
    /// - Returns: The length of the text in bytes.
    @inline(__always)
    static func write(_ value: Float, to text: UnsafeMutablePointer<UInt8>, _ powers: UnsafePointer<UInt64>) -> Int {
        let bits = value.bitPattern
        text[0] = UInt8(ascii: "-")
        let sign = Int(bits >> 31)
        let magnitude = bits & 0x7FFF_FFFF
        if magnitude == 0 {
            put(0x30_2E30, text + sign)
            return sign + 3
        }
        let (digits, exponent) = decimal(magnitude, powers)
        return sign + layOut(digits, exponent, text + sign, isLarge: magnitude > 0x4B80_0000, powers)
    }

    // MARK: Digits

    /// Returns the shortest decimal `digits` × 10^`exponent` of a float, with no trailing zeros in `digits`.
    /// - Parameter bits: The bit pattern of a positive finite float. Names below are those of the paper: the float is
    ///   `c` × 2^`q`, and `k` is the exponent of the decimal before trailing zeros are removed.
    @inline(__always)
    private static func decimal(_ bits: UInt32, _ powers: UnsafePointer<UInt64>) -> (digits: UInt32, exponent: Int) {
        let fraction = bits & 0x7F_FFFF
        let biased = Int(bits >> 23)
        let c = biased == 0 ? fraction : fraction | 0x80_0000
        let q = max(biased, 1) - 150
        // At a power of two the next smaller float is half as far away as the next larger one.
        let isUneven = fraction == 0 && biased > 1
        // floor(log10(2^q)), or floor(log10(3/4 × 2^q)) at a power of two
        let k = (q &* 1_262_611 &- (isUneven ? 524_031 : 0)) >> 22
        let h = UInt32(truncatingIfNeeded: q &+ log2OfPower(-k) &+ 1)
        let power = powers[smallestPower.distance(to: -k)]
        // The float and the bounds of its rounding interval, in quarters of 10^k. The interval includes its bounds if c
        // is even.
        let number = scaled(power, (4 &* c) &<< h)
        let lower = scaled(power, (4 &* c &- (isUneven ? 1 : 2)) &<< h) &+ (c & 1)
        let upper = scaled(power, (4 &* c &+ 2) &<< h) &- (c & 1)

        // Branch predictors cannot guess which candidate wins, so the selection is arithmetic without branches.
        let s = number / 4
        let tens = s / 10
        let tensDown = one(lower <= 40 &* tens)
        let isTens = (tensDown ^ one(40 &* tens &+ 40 <= upper)) & one(s >= 10)
        let down = one(lower <= 4 &* s)
        let isDecided = down ^ one(4 &* s &+ 4 <= upper)
        let isNearerUp = one(number > 4 &* s &+ 2) | (one(number == 4 &* s &+ 2) & s)
        let up = isNearerUp & 1 ^ (isDecided & (isNearerUp ^ down ^ 1))
        let ones = s &+ up
        let digits = ones ^ ((ones ^ (tens &+ (tensDown ^ 1))) & (0 &- isTens))
        return withoutZeros(digits, k &+ Int(isTens))
    }

    @inline(__always)
    private static func one(_ condition: Bool) -> UInt32 { condition ? 1 : 0 }

    /// Moves trailing zeros of `digits` into `exponent`.
    @inline(__always)
    private static func withoutZeros(_ digits: UInt32, _ exponent: Int) -> (digits: UInt32, exponent: Int) {
        var (digits, exponent) = (digits, exponent)
        while digits % 10 == 0 {
            digits /= 10
            exponent &+= 1
        }
        return (digits, exponent)
    }

    /// Returns `power` × `factor` / 2^64, rounded to odd: the lowest bit is set if nonzero bits were cut off.
    @inline(__always)
    private static func scaled(_ power: UInt64, _ factor: UInt32) -> UInt32 {
        let product = power.multipliedFullWidth(by: UInt64(factor))
        return UInt32(truncatingIfNeeded: product.high) | one(product.low >> 32 > 1)
    }

    /// floor(log2(10^e))
    @inline(__always)
    private static func log2OfPower(_ e: Int) -> Int { (e &* 1_741_647) >> 19 }

    private static let smallestPower = -31
    private static let largestPower = 45
    private static let wholePowers = largestPower - smallestPower + 1

    /// A table of powers of ten in two parts.
    ///
    /// The first 77 entries are 10^e for e in −31 … 45. Each is scaled by a power of two to 64 bits with the highest bit
    /// set, and rounded up. The last 10 entries are the integers 10^0 … 10^9.
    nonisolated(unsafe) static let powers: UnsafePointer<UInt64> = {
        let table = UnsafeMutablePointer<UInt64>.allocate(capacity: wholePowers + 10)
        for e in smallestPower...largestPower {
            // 10^e and 5^e differ by a power of two only, which the scaling removes. 5^45 < 2^105.
            let five = (0..<abs(e)).reduce(UInt128(1)) { power, _ in power * 5 }
            var mantissa: UInt128 = 0
            var exact = true
            if e >= 0 {
                let shift = (128 - five.leadingZeroBitCount) - 64
                mantissa = shift > 0 ? five >> UInt128(shift) : five << UInt128(-shift)
                exact = shift <= 0 || five.trailingZeroBitCount >= shift
            } else {
                // The first 64 significant bits of 1 / 5^-e, by long division.
                var rest: UInt128 = 1
                while mantissa.leadingZeroBitCount > 64 {
                    rest <<= 1
                    mantissa <<= 1
                    if rest >= five {
                        rest -= five
                        mantissa |= 1
                    }
                }
                exact = false
            }
            table[e - smallestPower] = UInt64(mantissa) + (exact ? 0 : 1)
        }
        for e in 0..<10 { table[wholePowers + e] = (0..<e).reduce(1) { power, _ in power * 10 } }
        return UnsafePointer(table)
    }()

    // MARK: Text

    /// Writes `digits` × 10^`exponent` with a decimal point, in positional or scientific notation.
    /// - Parameter isLarge: Whether the number exceeds 2^24, above which not every integer is a float. Such numbers use
    ///   scientific notation.
    /// - Returns: The length of the text in bytes.
    @inline(__always)
    private static func layOut(
        _ digits: UInt32, _ exponent: Int, _ text: UnsafeMutablePointer<UInt8>, isLarge: Bool,
        _ powers: UnsafePointer<UInt64>
    ) -> Int {
        let count = digitCount(digits, powers)
        // The number of digits before the decimal point.
        let point = count &+ exponent
        if isLarge || point < -3 {
            // d.ddde±xx
            putDigits(digits, count, text + 1)
            text[0] = text[1]
            text[1] = UInt8(ascii: ".")
            let end = count == 1 ? 1 : count &+ 1
            let power = point &- 1
            text[end] = UInt8(ascii: "e")
            text[end + 1] = power < 0 ? UInt8(ascii: "-") : UInt8(ascii: "+")
            let size = UInt8(truncatingIfNeeded: abs(power))
            text[end + 2] = UInt8(ascii: "0") &+ size / 10
            text[end + 3] = UInt8(ascii: "0") &+ size % 10
            return end &+ 4
        }
        if point <= 0 {
            put(0x3030_3030_302E_30, text)
            putDigits(digits, count, text + (2 &- point))
            return 2 &- point &+ count
        }
        if exponent >= 0 {
            putDigits(digits, count, text)
            put(0x3030_3030_3030_3030, text + count)
            put(0x302E, text + point)
            return point &+ 2
        }
        putDigits(digits, count, text + 1)
        for i in 0..<point { text[i] = text[i + 1] }
        text[point] = UInt8(ascii: ".")
        return count &+ 1
    }

    /// The number of decimal digits of `n`.
    @inline(__always)
    private static func digitCount(_ n: UInt32, _ powers: UnsafePointer<UInt64>) -> Int {
        // 1233 / 4096 is a little more than log10(2).
        let guess = ((32 &- n.leadingZeroBitCount) &* 1233) >> 12
        return guess &+ Int(one(UInt64(n) >= powers[wholePowers &+ guess]))
    }

    /// Writes `count` decimal digits, at most nine. It overwrites nine bytes.
    @inline(__always)
    private static func putDigits(_ digits: UInt32, _ count: Int, _ text: UnsafeMutablePointer<UInt8>) {
        let top = digits / 100_000_000
        text[0] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: top)
        // 1 for nine digits, else 0
        let isNine = count & (count >> 3)
        put(
            eightDigits(digits &- top &* 100_000_000) &>> UInt64(truncatingIfNeeded: 8 &* (8 &+ isNine &- count)),
            text + isNine)
    }

    /// Returns a number below 10^8 as eight ASCII digits, with the first digit in the lowest byte.
    ///
    /// The number is split into two halves of four digits, then into pairs, then into digits, all within one word.
    @inline(__always)
    private static func eightDigits(_ n: UInt32) -> UInt64 {
        let halves = UInt64(n / 10_000) | UInt64(n % 10_000) << 32
        let hundreds = ((halves &* 10_486) >> 20) & 0x7F_0000_007F
        let pairs = hundreds | (halves &- 100 &* hundreds) &<< 16
        let tens = ((pairs &* 103) >> 10) & 0x0F_000F_000F_000F
        return (tens | (pairs &- 10 &* tens) << 8) &+ 0x3030_3030_3030_3030
    }

    /// Stores eight characters, the first in the lowest byte.
    @inline(__always)
    private static func put(_ characters: UInt64, _ text: UnsafeMutablePointer<UInt8>) {
        UnsafeMutableRawPointer(text).storeBytes(of: characters.littleEndian, as: UInt64.self)
    }
}
