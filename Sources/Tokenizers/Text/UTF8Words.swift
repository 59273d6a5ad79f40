/// Conversions between scalars and the UTF-8 that models read.
enum UTF8Words {
    /// - Returns: the number of bytes written, at most four for each scalar.
    @inline(__always)
    static func encode(_ word: UnsafeBufferPointer<UInt32>, into bytes: UnsafeMutableBufferPointer<UInt8>) -> Int {
        var count = 0
        for scalar in word {
            if scalar < 0x80 {
                bytes[count] = UInt8(truncatingIfNeeded: scalar)
                count += 1
                continue
            }
            let length = length(of: scalar)
            var rest = scalar
            for i in stride(from: length - 1, to: 0, by: -1) {
                bytes[count + i] = UInt8(truncatingIfNeeded: rest & 0x3F | 0x80)
                rest >>= 6
            }
            bytes[count] = UInt8(truncatingIfNeeded: rest | (0xF00 >> UInt32(length)) & 0xFF)
            count += length
        }
        return count
    }

    @inline(__always)
    static func length(of scalar: UInt32) -> Int {
        scalar < 0x80 ? 1 : scalar < 0x800 ? 2 : scalar < 0x10000 ? 3 : 4
    }

    /// The length of a character in bytes, by its first byte.
    @inline(__always)
    static func length(ofLeading byte: UInt8) -> Int {
        byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
    }
}
