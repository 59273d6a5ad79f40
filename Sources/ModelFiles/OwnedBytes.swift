/// Heap memory that a `Tensor` or `FloatTensor` can own: what was inflated, transposed or converted.
package final class OwnedBytes: @unchecked Sendable {
    package let bytes: UnsafeMutableRawBufferPointer

    package init(count: Int) {
        bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: max(count, 1), alignment: 64)
    }

    deinit { bytes.deallocate() }
}
