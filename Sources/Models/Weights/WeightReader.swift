import Diagnostics
import Kernels
import ModelFiles

/// A weight `[outputs, inputs]` packed once for the kernels in use. `values` is good only while this object lives.
public final class PackedWeight: @unchecked Sendable {
    public let outputs: Int
    public let inputs: Int
    /// What packed it and multiplies with it.
    public let dense: DenseKernels
    /// As `DenseKernels.pack` wrote it, 64-byte aligned.
    public let values: UnsafePointer<Float>
    let storage: UnsafeMutablePointer<Float>

    init(outputs: Int, inputs: Int, dense: DenseKernels, storage: UnsafeMutablePointer<Float>) {
        self.outputs = outputs
        self.inputs = inputs
        self.dense = dense
        self.storage = storage
        values = UnsafePointer(storage)
    }

    deinit { storage.deallocate() }
}

/// What a network's initializer reads its weights through: names mapped by `"tensors"` of config.json, shapes checked,
/// each tensor converted to f32 at most once, and every use noted so that missing and extra tensors can be named.
public final class WeightReader {
    public let file: any WeightFile
    public let kernels: KernelTable
    /// Of the network's dense layers.
    public let precision: Precision
    /// Our name → the file's name; from `"tensors"` in config.json.
    public let names: [String: String]

    /// What a network does with a tensor.
    public enum Use: Sendable {
        /// Its values as f32.
        case values
        /// A table that rows are looked up in.
        case table
        /// A dense layer's weight in the precision of the network.
        case dense
    }

    /// The file's names that something has asked for, and the use that needs them most exactly.
    public private(set) var uses: [String: Use] = [:]
    /// Those of them that are factors, and the like, of quantized weights.
    private var companions: Set<String> = []
    /// Converted copies by the file's name; tensors read in place are not kept here.
    private var converted: [String: FloatTensor] = [:]

    public init(file: any WeightFile, names: [String: String], kernels: KernelTable, precision: Precision = .f32) {
        self.file = file
        self.names = names
        self.kernels = kernels
        self.precision = precision
    }

    public func has(_ name: String) -> Bool { file.tensor(names[name] ?? name) != nil }

    /// The tensor's shape, without reading it; nil where there is none.
    public func shape(_ name: String) -> [Int]? { file.tensor(names[name] ?? name)?.shape }

    /// The tensor as f32, left where it is mapped when it is f32 already.
    /// - Throws: `ModelError` naming tensor, shape found and shape expected, where it is missing or does not fit.
    public func floats(_ name: String, shape: [Int], use: Use = .values) throws(ModelError) -> FloatTensor {
        let tensor = try find(name, shape, use: use)
        if let values = tensor.floatsInPlace {
            return FloatTensor(name: name, shape: shape, values: values, owner: tensor.owner)
        }
        if let copy = converted[tensor.name] { return copy }
        let copy = floatCopy(name, shape, count: tensor.count) { out in _ = tensor.convert(to: out) }
        converted[tensor.name] = copy
        return copy
    }

    /// One or more `[outputs_i, inputs]` tensors stacked by rows (query, key and value become one) and packed. The
    /// mapped pages they came from are given back to the system.
    ///
    /// Weights that the file holds as bytes (`StoredWeight`) are taken as they are where the precision is int8.
    /// - Parameter precision: the network's own unless told.
    public func packed(
        _ parts: [(name: String, outputs: Int)], inputs: Int, precision: Precision? = nil
    ) throws(ModelError) -> PackedWeight {
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

    /// A weight to be packed.
    func allocate(
        _ dense: DenseKernels, name: String, outputs: Int, inputs: Int
    ) throws(ModelError) -> PackedWeight {
        guard dense.precision != .int8 || inputs <= WeightReader.int8Inputs else {
            throw ModelError(
                file: file.path,
                "tensor \(quoted(name)) has rows of \(inputs) values; int8 sums at most "
                    + "\(WeightReader.int8Inputs) in 32 bits: use bf16 or f32")
        }
        let storage = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(dense.packedCount(outputs, inputs), 1) * MemoryLayout<Float>.stride, alignment: 64
        ).bindMemory(to: Float.self).baseAddress
        guard let storage else { throw ModelError(file: file.path, "weights could not be given memory") }
        return PackedWeight(outputs: outputs, inputs: inputs, dense: dense, storage: storage)
    }

    /// So many products of 255 and -128 fit into 32 bits.
    static let int8Inputs = Int(Int32.max) / (255 * 128)

    /// Stacks quantized parts, by rows, and their scales.
    /// - Parameter count: of all their values.
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

    /// One-dimensional tensors joined end to end.
    public func joined(_ parts: [(name: String, count: Int)]) throws(ModelError) -> FloatTensor {
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

    /// The file's tensors that nothing has asked for.
    public var unused: [String] { file.names.filter { uses[$0] == nil } }

    /// Values of all tensors in use but those that say how others are quantized.
    public var parameters: Int {
        uses.keys.reduce(0) { $0 + (companions.contains($1) ? 0 : file.tensor($1)?.count ?? 0) }
    }

    /// Notes a tensor as used that says how another is quantized.
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

    /// The tensor, noted as used, once it is known to be a floating-point tensor of this shape with values in it.
    func find(
        _ name: String, _ shape: [Int], types: [DataType] = [.f64, .f32, .f16, .bf16], use: Use
    ) throws(ModelError) -> Tensor {
        let fileName = names[name] ?? name
        let shown = fileName == name ? quoted(name) : "\(quoted(fileName)) (mapped from \(quoted(name)))"
        guard let tensor = file.tensor(fileName) else {
            let close = SimilarNames.suggestions(for: fileName, among: file.names).map(quoted).joined(separator: ", ")
            throw ModelError(
                file: file.path,
                "has no tensor \(shown), which should be \(shape)" + (close.isEmpty ? "" : "; similar names: \(close)"))
        }
        guard tensor.shape == shape else {
            throw ModelError(file: file.path, "tensor \(shown) is \(tensor.shape) but should be \(shape)")
        }
        guard types.contains(tensor.dataType) else {
            let quantized = tensor.dataType == .i8 && file.tensor(fileName + "_scale") != nil
            let wanted = types.count == 1 ? types[0].rawValue : "f64, f32, f16 or bf16"
            throw ModelError(
                file: file.path,
                "tensor \(shown) holds \(tensor.dataType.rawValue) values, but "
                    + (quantized
                        ? "only the weights of dense layers may be quantized" : "weights must be \(wanted)"))
        }
        guard !tensor.bytes.isEmpty else { throw ModelError(file: file.path, "tensor \(shown) is empty: \(shape)") }
        switch (uses[fileName], use) {
        case (nil, _), (.dense, _), (.table, .values): uses[fileName] = use
        default: break
        }
        return tensor
    }
}
