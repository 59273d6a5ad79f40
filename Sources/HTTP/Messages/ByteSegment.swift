/// A run of bytes of a response body, kept alive while it is written. A large body is several segments, so that no second
/// copy of it is made.
package protocol ByteSegment: Sendable {
    var byteCount: Int { get }
    func withBytes(_ body: (UnsafeRawBufferPointer) -> Void)
}

/// A segment that holds an array of fixed-width values: bytes, or floats in the byte order of the machine.
package struct ArraySegment<Element: BitwiseCopyable & Sendable>: ByteSegment {
    package let values: [Element]
    @inlinable package init(_ values: [Element]) { self.values = values }
    @inlinable package var byteCount: Int { values.count * MemoryLayout<Element>.stride }
    @inlinable package func withBytes(_ body: (UnsafeRawBufferPointer) -> Void) { values.withUnsafeBytes(body) }
}
