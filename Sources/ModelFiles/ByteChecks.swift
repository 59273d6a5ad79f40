extension UnsafeRawBufferPointer {
    /// The bytes `offset ..< offset + count`. `nil` if some of them lie outside.
    func slice(_ offset: Int, _ count: Int) -> UnsafeRawBufferPointer? {
        guard offset >= 0, count >= 0, offset <= self.count, count <= self.count - offset else { return nil }
        return UnsafeRawBufferPointer(rebasing: self[offset..<offset + count])
    }

    /// The little-endian integer at `offset`. `nil` if some of its bytes lie outside.
    func integer<T: FixedWidthInteger>(_ offset: Int, as type: T.Type) -> T? {
        guard let bytes = slice(offset, MemoryLayout<T>.size) else { return nil }
        return T(littleEndian: bytes.loadUnaligned(as: T.self))
    }

    /// The bytes as a string. `nil` if they are not valid UTF-8.
    var utf8: String? { String(validating: self, as: UTF8.self) }
}

/// The size of a tensor in bytes. `nil` if a dimension is negative or the product overflows.
func checkedByteCount(_ shape: [Int], _ type: DataType) -> Int? {
    var count = 1
    for dimension in shape {
        let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
        if dimension < 0 || overflow { return nil }
        count = product
    }
    let (bytes, overflow) = count.multipliedReportingOverflow(by: type.size)
    return overflow ? nil : bytes
}

/// Whether a name means a file directly inside a directory: no separator, and neither `.` nor `..`.
package func isPlainFileName(_ name: String) -> Bool {
    !name.isEmpty && name != "." && name != ".." && !name.utf8.contains(UInt8(ascii: "/")) && !name.utf8.contains(0)
}
