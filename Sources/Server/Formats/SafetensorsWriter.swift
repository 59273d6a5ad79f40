import HTTP
import ModelFiles

/// A writer of named tensors in the safetensors format (see `SafetensorsHeader`).
public enum SafetensorsWriter {
    /// The value of Content-Type. There is no registered one.
    public static let mediaType = "application/vnd.safetensors"

    /// Returns the header, then each tensor's own memory. Wider types come first, so that every tensor is aligned to its type;
    /// tensors of one width keep their order. Names must differ, and none may be `__metadata__`.
    package static func segments(_ tensors: [BinaryTensor], metadata: [(String, String)] = []) -> [any ByteSegment] {
        let ordered = [8, 4, 2].flatMap { width in tensors.filter { $0.elementWidth == width } }
        let segments = ordered.map(\.segment)
        let header = SafetensorsHeader.bytes(
            zip(ordered, segments).map { tensor, segment in
                SafetensorsHeader.Entry(
                    name: tensor.name, type: tensor.typeName, shape: tensor.shape, byteCount: segment.byteCount)
            }, metadata: metadata)
        return [ArraySegment(header)] + segments
    }
}

extension BinaryTensor {
    fileprivate var typeName: String {
        switch values {
        case .f32: "F32"
        case .f16: "F16"
        case .i64: "I64"
        }
    }
}
