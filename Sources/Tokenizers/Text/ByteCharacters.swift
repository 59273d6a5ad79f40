/// GPT-2's alphabet for bytes: one printable character for each byte
/// (https://github.com/openai/gpt-2/blob/master/src/encoder.py, `bytes_to_unicode`).
enum ByteCharacters {
    /// The character of every byte.
    private static let scalars: [UInt32] = {
        var scalars = [UInt32](repeating: 0, count: 256)
        var next: UInt32 = 256
        for byte in 0..<256 {
            if (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte) {
                scalars[byte] = UInt32(byte)
            } else {
                scalars[byte] = next
                next += 1
            }
        }
        return scalars
    }()

    /// The byte of every scalar below 0x144. `nil` if the character stands for no byte.
    private static let bytes: [UInt8?] = {
        var bytes = [UInt8?](repeating: nil, count: 0x144)
        for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar)] = UInt8(byte) }
        return bytes
    }()

    static func byte(_ scalar: UInt32) -> UInt8? { scalar < 0x144 ? bytes[Int(scalar)] : nil }

    /// The spelling of UTF-8 by the alphabet. A loop fetches it once, like `ScalarClass.lookup`.
    struct Spelling {
        fileprivate let scalars: [UInt32]

        /// Appends the spelling of a scalar's UTF-8.
        @inline(__always)
        func append(_ scalar: UInt32, to out: inout [UInt32]) {
            if scalar < 0x80 { return out.append(scalars[Int(scalar)]) }
            if scalar < 0x800 {
                out.append(scalars[Int(0xC0 | scalar >> 6)])
            } else {
                if scalar < 0x10000 {
                    out.append(scalars[Int(0xE0 | scalar >> 12)])
                } else {
                    out.append(scalars[Int(0xF0 | scalar >> 18)])
                    out.append(scalars[Int(0x80 | scalar >> 12 & 0x3F)])
                }
                out.append(scalars[Int(0x80 | scalar >> 6 & 0x3F)])
            }
            out.append(scalars[Int(0x80 | scalar & 0x3F)])
        }
    }

    static var spelling: Spelling { Spelling(scalars: scalars) }
}
