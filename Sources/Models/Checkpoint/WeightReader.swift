import Diagnostics
import Kernels
import ModelFiles

/// The reader of a network's weights. It maps names by `"tensors"` of config.json, checks shapes, and converts each tensor
/// to f32 at most once. It notes every use, so that errors can name missing and extra tensors.
final class WeightReader {
    let file: any WeightFile
    let kernels: KernelTable
    /// The precision of the network's dense layers.
    let precision: Precision
    /// The file's name of a tensor by the network's name (`"tensors"` of config.json).
    let names: [String: String]

    /// The use that a network makes of a tensor.
    enum Use: Sendable {
        /// Values in f32.
        case values
        /// A table whose rows are looked up.
        case table
        /// A dense layer's weight in the precision of the network.
        case dense
    }

    /// The uses of the tensors that were asked for, by the file's names; of several uses, the one that needs most
    /// digits.
    private(set) var uses: [String: Use] = [:]
    /// The names of tensors that say how others are quantized.
    private var companions: Set<String> = []
    /// Copies of tensors in f32, by the file's names. Tensors that are read in place have none.
    private var converted: [String: FloatTensor] = [:]

    init(file: any WeightFile, names: [String: String], kernels: KernelTable, precision: Precision = .f32) {
        self.file = file
        self.names = names
        self.kernels = kernels
        self.precision = precision
    }

    func has(_ name: String) -> Bool { file.tensor(names[name] ?? name) != nil }

    /// Returns the tensor's shape without reading it. `nil` if there is no such tensor.
    func shape(_ name: String) -> [Int]? { file.tensor(names[name] ?? name)?.shape }

    /// Returns the tensor in f32. It stays where it is mapped if it is f32 already.
    /// - Throws: `FileError` with the tensor and the shapes found and expected, if it is missing or does not fit.
    func floats(_ name: String, shape: [Int], use: Use = .values) throws(FileError) -> FloatTensor {
        let tensor = try find(name, shape, use: use)
        if let values = tensor.floatsInPlace {
            return FloatTensor(name: name, shape: shape, values: values, owner: tensor.owner)
        }
        if let copy = converted[tensor.name] { return copy }
        let copy = floatCopy(name, shape, count: tensor.count) { out in _ = tensor.convert(to: out) }
        converted[tensor.name] = copy
        return copy
    }

    /// Packs tensors [outputs_i, inputs], stacked by rows, into one weight, and gives their mapped pages back to the
    /// system.
    ///
    /// Weights that the file holds as bytes (`StoredWeight`) are taken as they are if the precision is int8.
    /// - Parameter precision: The precision of the weight. `nil` takes the network's.
    func packed(
        _ parts: [(name: String, outputs: Int)], inputs: Int, precision: Precision? = nil
    ) throws(FileError) -> PackedWeight {
        let dense = kernels.dense(precision ?? self.precision)
        // Before memory is taken for them: sizes come out of a file, too.
        let use: Use = dense.precision == self.precision ? .dense : .values
        var tensors: [StoredWeight] = []
        for part in parts { tensors.append(try stored(part.name, [part.outputs, inputs], use: use)) }
        let outputs = parts.reduce(0) { $0 + $1.outputs }
        let weight = try allocate(dense, name: parts.first?.name ?? "", outputs: outputs, inputs: inputs)
        let storage = weight.storage
        if let pack = dense.packQuantized, parts.allSatisfy({ isQuantized($0.name) }) {
            packBytes(tensors, count: outputs * inputs) { pack($0, $1, outputs, inputs, storage) }
        } else if tensors.count == 1, let values = tensors[0].tensor.floatsInPlace?.baseAddress {
            dense.pack(values, inputs, outputs, inputs, storage)
        } else {
            // A panel may span two parts, so they are packed from one stacked copy.
            let stacked = UnsafeMutablePointer<Float>.allocate(capacity: max(outputs * inputs, 1))
            defer { stacked.deallocate() }
            var row = 0
            for weight in tensors {
                weight.convert(to: stacked + row * inputs)
                row += weight.tensor.shape[0]
            }
            dense.pack(stacked, inputs, outputs, inputs, storage)
        }
        for weight in tensors { (weight.tensor.owner as? MappedFile)?.release(weight.tensor.bytes) }
        return weight
    }

    /// Allocates a weight that is still to be packed.
    func allocate(
        _ dense: DenseKernels, name: String, outputs: Int, inputs: Int
    ) throws(FileError) -> PackedWeight {
        guard dense.precision != .int8 || inputs <= WeightReader.int8Inputs else {
            throw FileError(
                file: file.path,
                "tensor \(quoted(name)) has rows of \(inputs) values; int8 sums at most "
                    + "\(WeightReader.int8Inputs) in 32 bits: use bf16 or f32")
        }
        let storage = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(dense.packedCount(outputs, inputs), 1) * MemoryLayout<Float>.stride, alignment: 64
        ).bindMemory(to: Float.self).baseAddress
        guard let storage else { throw FileError(file: file.path, "weights could not be given memory") }
        return PackedWeight(outputs: outputs, inputs: inputs, dense: dense, storage: storage)
    }

    /// The largest number of products of 255 and −128 whose sum fits into 32 bits.
    static let int8Inputs = Int(Int32.max) / (255 * 128)

    /// Stacks quantized parts by rows, and their scales.
    /// - Parameter count: Values of all parts.
    private func packBytes(
        _ parts: [StoredWeight], count: Int, _ pack: (UnsafePointer<Int8>, UnsafePointer<Float>) -> Void
    ) {
        var bytes: [Int8] = []
        var scales: [Float] = []
        bytes.reserveCapacity(count)
        for weight in parts {
            bytes.append(contentsOf: weight.tensor.bytes.bindMemory(to: Int8.self))
            scales.append(contentsOf: weight.scales ?? [])
        }
        bytes.withUnsafeBufferPointer { bytes in
            scales.withUnsafeBufferPointer { scales in
                if let bytes = bytes.baseAddress, let scales = scales.baseAddress { pack(bytes, scales) }
            }
        }
    }

    /// Joins one-dimensional tensors end to end.
    func joined(_ parts: [(name: String, count: Int)]) throws(FileError) -> FloatTensor {
        if parts.count == 1 { return try floats(parts[0].name, shape: [parts[0].count]) }
        var tensors: [Tensor] = []
        for part in parts { tensors.append(try find(part.name, [part.count], use: .values)) }
        let count = tensors.reduce(0) { $0 + $1.count }
        return floatCopy(parts.map(\.name).joined(separator: "+"), [count], count: count) { out in
            var position = 0
            for tensor in tensors {
                _ = tensor.convert(to: out + position)
                position += tensor.count
            }
        }
    }

    /// The names of the file's tensors that nothing has asked for.
    var unused: [String] { file.names.filter { uses[$0] == nil } }

    /// Values in all tensors in use, without those that say how others are quantized.
    var parameters: Int {
        uses.keys.reduce(0) { $0 + (companions.contains($1) ? 0 : file.tensor($1)?.count ?? 0) }
    }

    /// Notes that a tensor is used which says how another is quantized.
    func noteCompanion(_ fileName: String) {
        companions.insert(fileName)
        uses[fileName] = .values
    }

    func floatCopy(
        _ name: String, _ shape: [Int], count: Int, fill: (UnsafeMutablePointer<Float>) -> Void
    ) -> FloatTensor {
        let owner = OwnedBytes(count: count * MemoryLayout<Float>.stride)
        let floats = owner.bytes.bindMemory(to: Float.self)
        if let base = floats.baseAddress { fill(base) }
        return FloatTensor(
            name: name, shape: shape, values: UnsafeBufferPointer(start: floats.baseAddress, count: count), owner: owner
        )
    }

    /// Finds a tensor, checks that it has this shape, one of the types, and values, and notes its use.
    func find(
        _ name: String, _ shape: [Int], types: [DataType] = [.f64, .f32, .f16, .bf16], use: Use
    ) throws(FileError) -> Tensor {
        let fileName = names[name] ?? name
        let shown = fileName == name ? quoted(name) : "\(quoted(fileName)) (mapped from \(quoted(name)))"
        guard let tensor = file.tensor(fileName) else {
            let close = SimilarNames.suggestions(for: fileName, among: file.names).map(quoted).joined(separator: ", ")
            throw FileError(
                file: file.path,
                "has no tensor \(shown), which should be \(shape)" + (close.isEmpty ? "" : "; similar names: \(close)"))
        }
        guard tensor.shape == shape else {
            throw FileError(file: file.path, "tensor \(shown) is \(tensor.shape) but should be \(shape)")
        }
        guard types.contains(tensor.dataType) else {
            let quantized = tensor.dataType == .i8 && file.tensor(fileName + "_scale") != nil
            let wanted = types.count == 1 ? types[0].rawValue : "f64, f32, f16 or bf16"
            throw FileError(
                file: file.path,
                "tensor \(shown) holds \(tensor.dataType.rawValue) values, but "
                    + (quantized
                        ? "only the weights of dense layers may be quantized" : "weights must be \(wanted)"))
        }
        guard !tensor.bytes.isEmpty else { throw FileError(file: file.path, "tensor \(shown) is empty: \(shape)") }
        switch (uses[fileName], use) {
        case (nil, _), (.dense, _), (.table, .values): uses[fileName] = use
        default: break
        }
        return tensor
    }
}
