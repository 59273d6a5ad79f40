/// A hash of short byte strings, eight bytes at a time: the folded product of Wang Yi's wyhash
/// (https://github.com/wangyi-fudan/wyhash).
enum ByteHash {
    @inline(__always)
    static func of(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt64 {
        guard let base = UnsafeRawPointer(bytes.baseAddress) else { return 0 }
        let count = bytes.count
        var hash = UInt64(truncatingIfNeeded: count) ^ 0x2D35_8DCC_AA6C_78A5
        var i = 0
        while count - i > 8 {
            hash = mix(hash ^ base.loadUnaligned(fromByteOffset: i, as: UInt64.self))
            i += 8
        }
        return mix(hash ^ tail(base + i, count - i))
    }

    /// Returns up to eight bytes as a number, different for different bytes of the same length.
    @inline(__always)
    static func tail(_ base: UnsafeRawPointer, _ count: Int) -> UInt64 {
        if count == 8 { return base.loadUnaligned(as: UInt64.self) }
        if count >= 4 {
            let low = base.loadUnaligned(as: UInt32.self)
            let high = base.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self)
            return UInt64(high) << 32 | UInt64(low)
        }
        if count == 0 { return 0 }
        let first = UInt64(base.load(as: UInt8.self))
        let middle = UInt64(base.load(fromByteOffset: count >> 1, as: UInt8.self))
        let last = UInt64(base.load(fromByteOffset: count - 1, as: UInt8.self))
        return first << 16 | middle << 8 | last
    }

    @inline(__always)
    private static func mix(_ value: UInt64) -> UInt64 {
        let product = value.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return product.high ^ product.low
    }

    /// Whether `bytes` continue with `other` at `start`.
    @inline(__always)
    static func equal(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, _ other: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let a = bytes.baseAddress, let b = other.baseAddress else { return other.isEmpty }
        return equal(UnsafeRawPointer(a + start), UnsafeRawPointer(b), other.count)
    }

    @inline(__always)
    static func equal(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ count: Int) -> Bool {
        var i = 0
        while count - i > 8 {
            if a.loadUnaligned(fromByteOffset: i, as: UInt64.self)
                != b.loadUnaligned(fromByteOffset: i, as: UInt64.self)
            {
                return false
            }
            i += 8
        }
        return tail(a + i, count - i) == tail(b + i, count - i)
    }
}
