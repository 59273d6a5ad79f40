import Diagnostics

/// A `.npz` file as numpy.savez and savez_compressed write it: a zip archive of `.npy` arrays
/// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html). Names are the members' without `.npy`.
struct NumpyArchive: WeightFile {
    let path: String
    let format = "npz"
    let names: [String]
    private let tensors: [String: Tensor]

    /// - Throws: `FileError` naming the array that cannot be read, and why. Object arrays (pickles) are refused.
    init(_ archive: ZipArchive) throws(FileError) {
        path = archive.file.path
        var names: [String] = []
        var tensors: [String: Tensor] = [:]
        for member in archive.members where member.name.hasSuffix(".npy") {
            let name = String(member.name.dropLast(4))
            tensors[name] = try archive.read(member) { (bytes, owner) throws(FileError) in
                do throws(Refusal) {
                    return try NumpyArchive.tensor(name, bytes, owner)
                } catch {
                    throw FileError(file: archive.file.path, "array \(quoted(name)) \(error.reason)")
                }
            }
            names.append(name)
        }
        self.names = names
        self.tensors = tensors
    }

    func tensor(_ name: String) -> Tensor? { tensors[name] }

    /// The array as a tensor: in the file's own bytes, or copied into row-major order.
    private static func tensor(
        _ name: String, _ bytes: UnsafeRawBufferPointer, _ owner: AnyObject
    ) throws(Refusal) -> Tensor {
        let header = try NumpyHeader(bytes)
        guard let data = bytes.slice(header.dataOffset, header.byteCount),
            header.dataOffset + header.byteCount == bytes.count
        else {
            throw Refusal(
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
