import JSON

/// The first bytes of a safetensors file: the header's length as u64, then a JSON header padded with spaces to a multiple
/// of 8 (https://github.com/huggingface/safetensors#format). The tensors' bytes follow in the same order.
public enum SafetensorsHeader {
    public struct Entry: Sendable {
        public let name: String
        /// The element type as the format spells it: `F32`, `BF16`, `I8`.
        public let type: String
        public let shape: [Int]
        public let byteCount: Int

        public init(name: String, type: String, shape: [Int], byteCount: Int) {
            self.name = name
            self.type = type
            self.shape = shape
            self.byteCount = byteCount
        }
    }

    /// Writes the header. The names must differ, and none may be `__metadata__`. All tensors are aligned if wider types
    /// come first.
    public static func bytes(_ entries: [Entry], metadata: [(String, String)] = []) -> [UInt8] {
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
            for entry in entries {
                json.key(entry.name)
                json.object { json in
                    json.key("dtype")
                    json.string(entry.type)
                    json.key("shape")
                    json.ints(entry.shape)
                    json.key("data_offsets")
                    json.ints([offset, offset + entry.byteCount])
                }
                offset += entry.byteCount
            }
        }
        let length = (json.bytes.count + 7) & ~7
        var header = (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
        header += json.bytes
        header += [UInt8](repeating: 0x20, count: length - json.bytes.count)
        return header
    }
}
