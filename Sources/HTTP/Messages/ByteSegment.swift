/// A run of bytes of a response body. It owns its memory. A body is a list of segments, which are written one after the other
/// without being copied into one buffer.
package protocol ByteSegment: Sendable {
    /// The length in bytes.
    var byteCount: Int { get }
    /// Calls `body` once with the bytes, which are valid during the call.
    func withBytes(_ body: (UnsafeRawBufferPointer) -> Void)
}

/// A segment that holds an array of fixed-width values without padding, in the byte order of the machine.
package struct ArraySegment<Element: BitwiseCopyable & Sendable>: ByteSegment {
    /// The values, in order.
    package let values: [Element]
    @inlinable package init(_ values: [Element]) { self.values = values }
    @inlinable package var byteCount: Int { values.count * MemoryLayout<Element>.stride }
    @inlinable package func withBytes(_ body: (UnsafeRawBufferPointer) -> Void) { values.withUnsafeBytes(body) }
}
