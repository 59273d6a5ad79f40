/// Heap memory, 64-byte aligned, that a `Tensor` or `FloatTensor` owns: inflated, transposed or converted data.
package final class OwnedBytes: @unchecked Sendable {
    package let bytes: UnsafeMutableRawBufferPointer

    package init(count: Int) {
        bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: max(count, 1), alignment: 64)
    }

    deinit { bytes.deallocate() }
}
