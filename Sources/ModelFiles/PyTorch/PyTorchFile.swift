import Diagnostics

/// A checkpoint of `torch.save`: the zip archive of PyTorch 1.6 and later, or the legacy sequence of pickles
/// (torch/serialization.py: `_load`, `_legacy_load`). Nested dicts give dotted names. Values other than tensors are
/// left out.
struct PyTorchFile: WeightFile {
    let path: String
    let format: String
    private(set) var names: [String] = []
    private var tensors: [String: Tensor] = [:]

    private typealias Bytes = (bytes: UnsafeRawBufferPointer, owner: AnyObject)

    static let nodeLimit = 1 << 20
    static let depthLimit = 32
    static let nameLimit = 1024
    /// The magic number at the start of a legacy file, `0x1950a86a20f9469cfc6c`.
    static let legacyMagic: [UInt8] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]

    /// Reads the zip format: `NAME/data.pkl`, and `NAME/data/KEY` for each storage.
    init(_ archive: ZipArchive) throws(FileError) {
        path = archive.file.path
        format = "pytorch (zip)"
        guard let main = PyTorchFile.main(in: archive) else {
            throw FileError(file: path, "holds neither a data.pkl nor .npy arrays")
        }
        let prefix = String(main.name.dropLast("data.pkl".count))
        if let order = archive.member(prefix + "byteorder") {
            let isLittle = try archive.read(order) { bytes, _ in bytes.elementsEqual("little".utf8) }
            guard isLittle else {
                throw FileError(file: path, "is not little-endian; save it on a little-endian machine")
            }
        }
        let pickle = try archive.read(main) { (bytes, _) throws(FileError) in
            try PyTorchFile.pickle(bytes, archive.file.path)
        }
        var storages: [String: Bytes] = [:]
        for storage in pickle.storages where storages[storage.key] == nil {
            guard let member = archive.member(prefix + "data/" + storage.key) else {
                throw FileError(file: path, "lacks the storage \(quoted(prefix + "data/" + storage.key))")
            }
            storages[storage.key] = try archive.read(member) { ($0, $1) }
        }
        try collect(pickle, storages, limit: archive.file.bytes.count)
    }

    /// Reads the legacy format: pickles of the magic number, the protocol, the system, the object and the storages'
    /// keys. An i64 count and that many elements follow for each key.
    init(legacy file: MappedFile) throws(FileError) {
        path = file.path
        format = "pytorch (legacy)"
        var position = 0
        func next() throws(FileError) -> Pickle {
            guard let rest = file.bytes.slice(position, file.bytes.count - position) else {
                throw FileError(file: file.path, "is truncated")
            }
            let pickle = try PyTorchFile.pickle(rest, file.path)
            position += pickle.length
            return pickle
        }
        guard case .longInteger(PyTorchFile.legacyMagic) = try next().root else {
            throw FileError(file: path, "does not start with the magic number of a legacy PyTorch file")
        }
        guard case .integer(1001) = try next().root else {
            throw FileError(file: path, "is not of version 1001, the only one of legacy PyTorch files")
        }
        let system = try next()
        if case .container(let at) = system.root {
            let items = system.containers[at].items
            for (key, value) in zip(items, items.dropFirst()) {
                if case .string("little_endian") = key, case .bool(false) = value {
                    throw FileError(file: path, "is not little-endian; save it on a little-endian machine")
                }
            }
        }
        let pickle = try next()
        let keys = try next()
        guard let keyList = keys.list(keys.root) else {
            throw FileError(file: path, "has no list of storage keys")
        }
        var declared: [String: PickleStorage] = [:]
        for storage in pickle.storages { declared[storage.key] = storage }
        var storages: [String: Bytes] = [:]
        for value in keyList {
            guard case .string(let key) = value, let storage = declared[key], storages[key] == nil else {
                throw FileError(file: path, "lists a storage key that is unknown or repeated")
            }
            guard let count = file.bytes.integer(position, as: Int64.self) else {
                throw FileError(file: path, "is truncated before storage \(quoted(key))")
            }
            guard Int(count) == storage.count, let size = checkedByteCount([storage.count], storage.type) else {
                throw FileError(
                    file: path, "storage \(quoted(key)) has \(count) elements, but the pickle says \(storage.count)")
            }
            guard let data = file.bytes.slice(position + 8, size) else {
                throw FileError(file: path, "is truncated in storage \(quoted(key)), which needs \(size) bytes")
            }
            storages[key] = (data, file)
            position += 8 + size
        }
        try collect(pickle, storages, limit: file.bytes.count)
    }

    func tensor(_ name: String) -> Tensor? { tensors[name] }

    /// Finds the pickle of the saved object. `nil` if the archive is no checkpoint.
    static func main(in archive: ZipArchive) -> ZipArchive.Member? {
        archive.members.first { $0.name == "data.pkl" || $0.name.hasSuffix("/data.pkl") }
    }

    private static func pickle(_ bytes: UnsafeRawBufferPointer, _ path: String) throws(FileError) -> Pickle {
        do throws(Refusal) {
            return try Pickle(bytes)
        } catch {
            throw FileError(file: path, error.reason)
        }
    }

    /// Collects the tensors of the pickled object, in order.
    private mutating func collect(_ pickle: Pickle, _ storages: [String: Bytes], limit: Int) throws(FileError) {
        guard case .container = pickle.root else {
            throw FileError(file: path, "does not hold a dict of tensors; save a state_dict")
        }
        var pending: [(name: String, value: PickleValue, depth: Int)] = [("", pickle.root, 0)]
        var visited = 0
        var copied = 0
        while let (name, value, depth) = pending.popLast() {
            visited += 1
            guard visited <= PyTorchFile.nodeLimit, depth <= PyTorchFile.depthLimit else {
                throw FileError(
                    file: path,
                    "is nested more than \(PyTorchFile.depthLimit) deep or holds more than \(PyTorchFile.nodeLimit) values"
                )
            }
            switch value {
            case .tensor(let at):
                let tensor: Tensor
                do throws(Refusal) {
                    tensor = try PyTorchFile.view(name, pickle.tensors[at], pickle, storages, &copied, limit: limit)
                } catch {
                    throw FileError(file: path, "tensor \(quoted(name)) \(error.reason)")
                }
                guard tensors.updateValue(tensor, forKey: name) == nil else {
                    throw FileError(file: path, "holds tensor \(quoted(name)) twice")
                }
                names.append(name)
            case .container(let at):
                let container = pickle.containers[at]
                guard !PyTorchFile.isOptimizer(container) else { continue }
                guard container.items.count <= PyTorchFile.nodeLimit else {
                    throw FileError(file: path, "holds more than \(PyTorchFile.nodeLimit) values")
                }
                var children: [(String, PickleValue, Int)] = []
                for index in 0..<container.items.count {
                    var key = String(index)
                    if container.kind == .dict {
                        guard index % 2 == 1 else { continue }
                        switch container.items[index - 1] {
                        case .string(let text): key = text
                        case .integer(let number): key = String(number)
                        default: continue
                        }
                    }
                    let child = container.items[index]
                    switch child {
                    case .tensor, .container: break
                    default: continue
                    }
                    guard name.utf8.count + key.utf8.count < PyTorchFile.nameLimit else {
                        throw FileError(file: path, "has a tensor name of more than \(PyTorchFile.nameLimit) bytes")
                    }
                    children.append((name.isEmpty ? key : name + "." + key, child, depth + 1))
                }
                guard pending.count + children.count <= PyTorchFile.nodeLimit else {
                    throw FileError(file: path, "holds more than \(PyTorchFile.nodeLimit) values")
                }
                pending += children.reversed()
            default: continue
            }
        }
        guard !names.isEmpty else { throw FileError(file: path, "holds no tensors; save a state_dict") }
    }

    /// Whether a container is the state dict of a `torch.optim.Optimizer`, whose tensors are no weights.
    private static func isOptimizer(_ container: Pickle.Container) -> Bool {
        guard container.kind == .dict, container.items.count == 4 else { return false }
        var keys: Set<String> = []
        for index in [0, 2] { if case .string(let key) = container.items[index] { keys.insert(key) } }
        return keys == ["state", "param_groups"]
    }

    /// Returns a tensor of a storage: in place if it is contiguous, else copied in row-major order. Checks all bounds.
    private static func view(
        _ name: String, _ tensor: PickleTensor, _ pickle: Pickle, _ storages: [String: Bytes], _ copied: inout Int,
        limit: Int
    ) throws(Refusal) -> Tensor {
        func fail(_ reason: String) -> Refusal { Refusal(reason: reason) }
        let storage = pickle.storages[tensor.storage]
        guard let data = storages[storage.key] else {
            throw fail("is in storage \(quoted(storage.key)), which is missing")
        }
        let shape = tensor.shape
        guard let size = checkedByteCount(shape, storage.type) else { throw fail("has an impossible shape \(shape)") }
        guard tensor.strides.count == shape.count, tensor.strides.allSatisfy({ $0 >= 0 }), tensor.offset >= 0 else {
            throw fail("has strides \(tensor.strides) or an offset \(tensor.offset) that do not fit shape \(shape)")
        }
        guard let whole = checkedByteCount([storage.count], storage.type), whole == data.bytes.count else {
            throw fail(
                "is in storage \(quoted(storage.key)) of \(storage.count) elements, which has \(data.bytes.count) bytes"
            )
        }
        let count = size / storage.type.size
        // The last element's position, and whether the strides are those of row-major order.
        var last = tensor.offset
        var isContiguous = true
        var expected = 1
        for (dimension, stride) in zip(shape, tensor.strides).reversed() where count > 0 {
            let (reach, overflow) = (dimension - 1).multipliedReportingOverflow(by: stride)
            let (sum, sumOverflow) = last.addingReportingOverflow(reach)
            guard !overflow, !sumOverflow else { throw fail("has strides \(tensor.strides) beyond any storage") }
            last = sum
            if dimension != 1 && stride != expected { isContiguous = false }
            expected *= dimension
        }
        guard count == 0 || last < storage.viewCount else {
            throw fail("reaches element \(last) of storage \(quoted(storage.key)), which has \(storage.viewCount)")
        }
        let width = storage.type.size
        let start = count == 0 ? 0 : (storage.viewOffset + tensor.offset) * width
        guard !isContiguous else {
            guard let bytes = data.bytes.slice(start, size) else { throw fail("is not inside its storage") }
            return Tensor(name: name, shape: shape, dataType: storage.type, bytes: bytes, owner: data.owner)
        }
        let (total, overflow) = copied.addingReportingOverflow(size)
        guard !overflow, total <= limit else { throw fail("repeats its storage: copies would exceed the file's size") }
        copied = total
        guard let bytes = data.bytes.slice(start, data.bytes.count - start) else {
            throw fail("is not inside its storage")
        }
        return stridedCopy(name: name, shape: shape, strides: tensor.strides, dataType: storage.type, from: bytes)
    }
}
