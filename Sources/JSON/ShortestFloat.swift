/// The shortest decimal that reads back as the same f32, and of those the nearest, in the form of Swift's
/// `Float.description`: `0.1`, `16777216.0`, `1e-05`. No String is made and nothing allocated.
///
/// Raffaele Giulietti, "The Schubfach way to render doubles" (2021), sections 9.8 and 9.9, for binary32:
/// https://drive.google.com/file/d/1IEeATSVnEE6TkrHlCYNY2GjaraBjOT4f
enum ShortestFloat {
    /// Bytes that `write` may touch, of which a number and a comma take at most 17.
    static let maxBytes = 24

    /// - Parameters:
    ///   - value: finite.
    ///   - text: has room for `maxBytes`.
    /// - Returns: how many bytes the number takes.
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

    /// `digits` × 10^`exponent`, without trailing zeros.
    @inline(__always)
    private static func decimal(_ bits: UInt32, _ powers: UnsafePointer<UInt64>) -> (digits: UInt32, exponent: Int) {
        let fraction = bits & 0x7F_FFFF
        let biased = Int(bits >> 23)
        let c = biased == 0 ? fraction : fraction | 0x80_0000
        let q = max(biased, 1) - 150
        // At a power of two the neighbor below is half as far away.
        let isUneven = fraction == 0 && biased > 1
        // floor(log10(2^q)), or of 3/4 of that
        let k = (q &* 1_262_611 &- (isUneven ? 524_031 : 0)) >> 22
        let h = UInt32(truncatingIfNeeded: q &+ log2OfPower(-k) &+ 1)
        let power = powers[smallestPower.distance(to: -k)]
        // In quarters of 10^k: the number, and the bounds of what rounds to it; bounds belong to it when c is even.
        let number = scaled(power, (4 &* c) &<< h)
        let lower = scaled(power, (4 &* c &- (isUneven ? 1 : 2)) &<< h) &+ (c & 1)
        let upper = scaled(power, (4 &* c &+ 2) &<< h) &- (c & 1)

        // Which digits are needed is as good as random, so this is arithmetic and not branches.
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

    @inline(__always)
    private static func withoutZeros(_ digits: UInt32, _ exponent: Int) -> (digits: UInt32, exponent: Int) {
        var (digits, exponent) = (digits, exponent)
        while digits % 10 == 0 {
            digits /= 10
            exponent &+= 1
        }
        return (digits, exponent)
    }

    /// `power` × `factor` / 2^64, rounded to odd: the lowest bit also says that something was cut off.
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

    /// 10^e for e in −31 … 45, each as the next larger 64-bit number with its highest bit set; then 1, 10, … 10^9.
    nonisolated(unsafe) static let powers: UnsafePointer<UInt64> = {
        let table = UnsafeMutablePointer<UInt64>.allocate(capacity: wholePowers + 10)
        for e in smallestPower...largestPower {
            // 10^e is 5^e but for a power of two. 5^45 < 2^105.
            let five = (0..<abs(e)).reduce(UInt128(1)) { power, _ in power * 5 }
            var mantissa: UInt128 = 0
            var exact = true
            if e >= 0 {
                let shift = (128 - five.leadingZeroBitCount) - 64
                mantissa = shift > 0 ? five >> UInt128(shift) : five << UInt128(-shift)
                exact = shift <= 0 || five.trailingZeroBitCount >= shift
            } else {
                // 64 bits of 1 / 5^-e by long division, from the first that is set.
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

    /// - Parameter isLarge: beyond 2^24, where not every whole number is a float.
    @inline(__always)
    private static func layOut(
        _ digits: UInt32, _ exponent: Int, _ text: UnsafeMutablePointer<UInt8>, isLarge: Bool,
        _ powers: UnsafePointer<UInt64>
    ) -> Int {
        let count = digitCount(digits, powers)
        // How many digits stand before the point.
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

    @inline(__always)
    private static func digitCount(_ n: UInt32, _ powers: UnsafePointer<UInt64>) -> Int {
        // 1233 / 4096 is a little more than log10(2).
        let guess = ((32 &- n.leadingZeroBitCount) &* 1233) >> 12
        return guess &+ Int(one(UInt64(n) >= powers[wholePowers &+ guess]))
    }

    /// Up to nine digits; touches nine bytes.
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

    /// A number below 10^8 as eight characters, the first in the lowest byte: halves of four digits, then pairs, then
    /// digits, side by side in one word.
    @inline(__always)
    private static func eightDigits(_ n: UInt32) -> UInt64 {
        let halves = UInt64(n / 10_000) | UInt64(n % 10_000) << 32
        let hundreds = ((halves &* 10_486) >> 20) & 0x7F_0000_007F
        let pairs = hundreds | (halves &- 100 &* hundreds) &<< 16
        let tens = ((pairs &* 103) >> 10) & 0x0F_000F_000F_000F
        return (tens | (pairs &- 10 &* tens) << 8) &+ 0x3030_3030_3030_3030
    }

    @inline(__always)
    private static func put(_ characters: UInt64, _ text: UnsafeMutablePointer<UInt8>) {
        UnsafeMutableRawPointer(text).storeBytes(of: characters.littleEndian, as: UInt64.self)
    }
}
