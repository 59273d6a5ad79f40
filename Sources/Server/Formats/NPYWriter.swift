import HTTP

/// A writer of one array in NumPy's `.npy` format, version 1.0, byte for byte as `numpy.save` writes it
/// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
public enum NPYWriter {
    /// The value of Content-Type. There is no registered one.
    public static let mediaType = "application/x-npy"

    /// Returns the header, then the tensor's own memory. The format has no place for the tensor's name.
    package static func segments(_ tensor: BinaryTensor) -> [any ByteSegment] {
        let type =
            switch tensor.values {
            case .f32: "<f4"
            case .f16: "<f2"
            case .i64: "<i8"
            }
        return [ArraySegment(header(type: type, shape: tensor.shape)), tensor.segment]
    }

    /// Returns magic, version, length and the Python dictionary, padded with spaces so that the values start at a multiple of
    /// 64 bytes.
    static func header(type: String, shape: [Int]) -> [UInt8] {
        let sizes = shape.map(String.init)
        let tuple = sizes.count == 1 ? "(\(sizes[0]),)" : "(\(sizes.joined(separator: ", ")))"
        var text = "{'descr': '\(type)', 'fortran_order': False, 'shape': \(tuple), }"
        // numpy leaves room for the first axis to grow to 21 digits, so that a file can be appended to in place.
        if let first = sizes.first { text += String(repeating: " ", count: 21 - first.utf8.count) }
        let prefix = 10
        let padding = 64 - (prefix + text.utf8.count + 1) % 64
        text += String(repeating: " ", count: padding) + "\n"
        let length = text.utf8.count
        return [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(truncatingIfNeeded: length), UInt8(length >> 8)]
            + Array(text.utf8)
    }
}
