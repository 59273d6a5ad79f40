import Glibc

/// A `.npz` file as numpy.savez and savez_compressed write it: a zip archive of `.npy` arrays
/// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html). Names are the members' without `.npy`.
struct NumpyArchive: WeightFile {
    let path: String
    let format = "npz"
    let names: [String]
    private let tensors: [String: Tensor]

    /// - Throws: `ModelError` naming the array that cannot be read, and why. Object arrays (pickles) are refused.
    init(_ archive: ZipArchive) throws(ModelError) {
        path = archive.file.path
        var names: [String] = []
        var tensors: [String: Tensor] = [:]
        for member in archive.members where member.name.hasSuffix(".npy") {
            let name = String(member.name.dropLast(4))
            tensors[name] = try archive.read(member) { (bytes, owner) throws(ModelError) in
                do throws(NumpyHeader.Refusal) {
                    return try NumpyArchive.tensor(name, bytes, owner)
                } catch {
                    throw ModelError(file: archive.file.path, "array \(quoted(name)) \(error.reason)")
                }
            }
            names.append(name)
        }
        self.names = names
        self.tensors = tensors
    }

    func tensor(_ name: String) -> Tensor? { tensors[name] }

    /// The array in the file's own bytes, or a copy in row-major order.
    private static func tensor(
        _ name: String, _ bytes: UnsafeRawBufferPointer, _ owner: AnyObject
    ) throws(NumpyHeader.Refusal) -> Tensor {
        let header = try NumpyHeader(bytes)
        guard let data = bytes.slice(header.dataOffset, header.byteCount),
            header.dataOffset + header.byteCount == bytes.count
        else {
            throw NumpyHeader.Refusal(
                reason: "has \(bytes.count - header.dataOffset) bytes of data, but its shape \(header.shape) needs "
                    + "\(header.byteCount)")
        }
        guard header.isFortranOrder && header.shape.count > 1 else {
            return Tensor(name: name, shape: header.shape, dataType: header.dataType, bytes: data, owner: owner)
        }
        var strides: [Int] = []
        var stride = 1
        for dimension in header.shape {
            strides.append(stride)
            stride *= dimension
        }
        return stridedCopy(name: name, shape: header.shape, strides: strides, dataType: header.dataType, from: data)
    }
}

/// A row-major copy of the elements of `source` at the sums of index × stride. The caller has checked that all of them
/// lie inside `source`.
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
