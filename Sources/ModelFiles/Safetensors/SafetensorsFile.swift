import Diagnostics
import JSON

/// A safetensors file: u64 header length, JSON header, tensor bytes
/// (https://github.com/huggingface/safetensors#format). The reader refuses everything that the format forbids, even
/// what it could read, so that a damaged file never yields a part of its tensors.
struct SafetensorsFile: WeightFile {
    let path: String
    let format = "safetensors"
    let names: [String]
    private let tensors: [String: Tensor]

    static let headerLimit = 100_000_000
    static let dataTypes: [String: DataType] = [
        "F64": .f64, "F32": .f32, "F16": .f16, "BF16": .bf16, "I64": .i64, "I32": .i32, "I16": .i16, "I8": .i8,
        "U8": .u8, "BOOL": .bool,
    ]

    private struct Entry {
        let name: String
        let type: DataType
        let shape: [Int]
        let begin: Int
        let end: Int
    }

    /// - Throws: `FileError` naming the tensor and which rule of the format the file breaks.
    init(_ file: MappedFile) throws(FileError) {
        path = file.path
        func fail(_ message: String) -> FileError { FileError(file: file.path, message) }
        guard let length = file.bytes.integer(0, as: UInt64.self) else {
            throw fail("holds \(file.bytes.count) bytes, fewer than the 8 of a safetensors header's length")
        }
        guard length <= UInt64(SafetensorsFile.headerLimit) else {
            throw fail("has a header of \(length) bytes; at most \(SafetensorsFile.headerLimit) are read")
        }
        guard let header = file.bytes.slice(8, Int(length)),
            let data = file.bytes.slice(8 + Int(length), file.bytes.count - 8 - Int(length))
        else { throw fail("says its header has \(length) bytes, but only \(file.bytes.count - 8) follow") }
        guard header.first == UInt8(ascii: "{") else { throw fail("has a header that does not start with '{'") }
        let json: JSONValue
        do throws(JSONError) {
            json = try JSONValue(parsing: header)
        } catch {
            throw fail("has a header that is not valid JSON: \(error)")
        }
        guard case .object(let object) = json else { throw fail("has a header that is not a JSON object") }

        var entries: [Entry] = []
        for (name, value) in object.members {
            if name == "__metadata__" {
                guard case .object(let metadata) = value, metadata.members.allSatisfy({ $0.value.string != nil }) else {
                    throw fail("has a '__metadata__' that is not an object of strings")
                }
            } else {
                do throws(Refusal) {
                    entries.append(try SafetensorsFile.entry(name, value, dataCount: data.count))
                } catch {
                    throw fail("tensor \(quoted(name)) \(error.reason)")
                }
            }
        }
        entries.sort { ($0.begin, $0.end) < ($1.begin, $1.end) }
        var position = 0
        var tensors: [String: Tensor] = [:]
        for entry in entries {
            guard entry.begin == position else {
                let fault =
                    entry.begin < position
                    ? "overlaps the tensor before it, which ends at"
                    : "leaves a hole after the tensor before it, which ends at"
                throw fail(
                    "tensor \(quoted(entry.name)) starts at byte \(entry.begin) of the data and \(fault) \(position)")
            }
            guard let bytes = data.slice(entry.begin, entry.end - entry.begin) else {
                throw fail("tensor \(quoted(entry.name)) reaches beyond the end of the file")
            }
            position = entry.end
            tensors[entry.name] = Tensor(
                name: entry.name, shape: entry.shape, dataType: entry.type, bytes: bytes, owner: file)
        }
        guard position == data.count else {
            throw fail("has \(data.count) bytes of data, but its tensors end at \(position)")
        }
        names = entries.map(\.name)
        self.tensors = tensors
    }

    func tensor(_ name: String) -> Tensor? { tensors[name] }

    private struct Refusal: Error {
        let reason: String
    }

    private static func entry(_ name: String, _ value: JSONValue, dataCount: Int) throws(Refusal) -> Entry {
        guard case .object(let object) = value else {
            throw Refusal(reason: "is described by \(value.kind), not an object")
        }
        if let extra = object.keys.first(where: { !["dtype", "shape", "data_offsets"].contains($0) }) {
            throw Refusal(reason: "has an unknown key \(quoted(extra)); dtype, shape and data_offsets are known")
        }
        guard let typeName = object["dtype"]?.string else { throw Refusal(reason: "has no 'dtype' string") }
        guard let type = dataTypes[typeName] else {
            throw Refusal(
                reason: "has dtype \(quoted(typeName)); F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL can be read")
        }
        guard let shape = object["shape"].flatMap(naturals) else {
            throw Refusal(reason: "has a 'shape' that is not an array of integers of at least 0")
        }
        guard let offsets = object["data_offsets"].flatMap(naturals), offsets.count == 2 else {
            throw Refusal(reason: "has 'data_offsets' that are not two integers of at least 0")
        }
        guard let size = checkedByteCount(shape, type) else {
            throw Refusal(reason: "has a shape \(shape) too large to count")
        }
        let (begin, end) = (offsets[0], offsets[1])
        guard begin <= end else { throw Refusal(reason: "ends at byte \(end), before it starts at \(begin)") }
        guard end <= dataCount else {
            throw Refusal(reason: "ends at byte \(end) of the data, of which the file holds \(dataCount)")
        }
        guard end - begin == size else {
            throw Refusal(reason: "has \(end - begin) bytes, but \(typeName) \(shape) needs \(size)")
        }
        return Entry(name: name, type: type, shape: shape, begin: begin, end: end)
    }

    private static func naturals(_ value: JSONValue) -> [Int]? {
        guard case .array(let items) = value else { return nil }
        var numbers: [Int] = []
        for item in items {
            guard case .integer(let number) = item, number >= 0 else { return nil }
            numbers.append(number)
        }
        return numbers
    }
}
