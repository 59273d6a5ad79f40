import JSON

/// Writes named tensors as safetensors: the header's length as u64, a JSON header padded with spaces to a multiple of
/// 8, then the values (https://github.com/huggingface/safetensors#format).
public enum SafetensorsWriter {
    public static let mediaType = "application/vnd.safetensors"

    /// The header, then each tensor's own memory. Wider types come first, so that every tensor is aligned to its type;
    /// tensors of one width keep their order. Names must differ, and none may be `__metadata__`.
    public static func segments(_ tensors: [BinaryTensor], metadata: [(String, String)] = []) -> [any ByteSegment] {
        let ordered = [8, 4, 2].flatMap { width in tensors.filter { $0.elementWidth == width } }
        let segments = ordered.map(\.segment)
        var json = JSONWriter()
        json.object { json in
            if !metadata.isEmpty {
                json.key("__metadata__")
                json.object { json in
                    for (key, value) in metadata {
                        json.key(key)
                        json.string(value)
                    }
                }
            }
            var offset = 0
            for (tensor, segment) in zip(ordered, segments) {
                json.key(tensor.name)
                json.object { json in
                    json.key("dtype")
                    json.string(tensor.typeName)
                    json.key("shape")
                    json.ints(tensor.shape)
                    json.key("data_offsets")
                    json.ints([offset, offset + segment.byteCount])
                }
                offset += segment.byteCount
            }
        }
        let length = (json.bytes.count + 7) & ~7
        var header = (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
        header += json.bytes
        header += [UInt8](repeating: 0x20, count: length - json.bytes.count)
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
