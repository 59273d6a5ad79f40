/// The 64-bit FNV-1a hash, with which the scripts of Tests/Reference shorten long expected values.
package struct FNV1a {
    package private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    package init() {}

    package init(_ values: some Sequence<UInt64>) {
        for value in values { combine(value) }
    }

    /// Hashes a value as one unit, whatever its size. The hash of bytes takes one byte at a time.
    package mutating func combine(_ value: UInt64) { self.value = (self.value ^ value) &* 0x100_0000_01B3 }

    /// The hash as 16 hexadecimal digits.
    package var hex: String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
