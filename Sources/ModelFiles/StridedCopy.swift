import Glibc

/// Copies a strided tensor into row-major order. Element `index` lies at the sum of index × stride, in elements. The
/// caller has checked that all elements lie inside `source`.
func stridedCopy(
    name: String, shape: [Int], strides: [Int], dataType: DataType, from source: UnsafeRawBufferPointer
) -> Tensor {
    let size = dataType.size
    let count = shape.reduce(1, *)
    let owner = OwnedBytes(count: count * size)
    if count > 0, let base = source.baseAddress, let out = owner.bytes.baseAddress {
        var position = [Int](repeating: 0, count: shape.count)
        var from = 0
        for i in 0..<count {
            memcpy(out + i * size, base + from * size, size)
            var axis = shape.count - 1
            while axis >= 0 {
                position[axis] += 1
                from += strides[axis]
                if position[axis] < shape[axis] { break }
                from -= strides[axis] * shape[axis]
                position[axis] = 0
                axis -= 1
            }
        }
    }
    let bytes = UnsafeRawBufferPointer(start: owner.bytes.baseAddress, count: count * size)
    return Tensor(name: name, shape: shape, dataType: dataType, bytes: bytes, owner: owner)
}
