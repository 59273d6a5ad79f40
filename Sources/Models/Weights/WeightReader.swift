import Kernels

/// A weight `[outputs, inputs]` packed once for the kernels in use.
public final class PackedWeight: @unchecked Sendable {
    public let outputs: Int
    public let inputs: Int
    /// As `KernelTable.pack` wrote it, 64-byte aligned.
    public let values: UnsafePointer<Float>
    private let storage: UnsafeMutablePointer<Float>

    init(outputs: Int, inputs: Int, storage: UnsafeMutablePointer<Float>) {
        self.outputs = outputs
        self.inputs = inputs
        self.storage = storage
        values = UnsafePointer(storage)
    }

    deinit { storage.deallocate() }
}

/// What a network's initialiser reads its weights through: names mapped by `"tensors"` of config.json, shapes checked,
/// each tensor converted to f32 at most once, and every use noted so that missing and extra tensors can be named.
public final class WeightReader {
    public let file: any WeightFile
    public let kernels: KernelTable
    /// Our name → the file's name; from `"tensors"` in config.json.
    public let names: [String: String]

    public init(file: any WeightFile, names: [String: String], kernels: KernelTable) {
        self.file = file
        self.names = names
        self.kernels = kernels
    }

    public func has(_ name: String) -> Bool { file.tensor(names[name] ?? name) != nil }

    /// The tensor's shape, without reading it; nil where there is none.
    public func shape(_ name: String) -> [Int]? { file.tensor(names[name] ?? name)?.shape }

    /// The tensor as f32, left where it is mapped when it is f32 already.
    /// - Throws: `ModelError` naming tensor, shape found and shape expected, where it is missing or does not fit.
    public func floats(_ name: String, shape: [Int]) throws(ModelError) -> FloatTensor {
        throw ModelError(file: file.path, "not implemented")
    }

    /// One or more `[outputs_i, inputs]` tensors stacked by rows (query, key and value become one) and packed. The
    /// mapped pages they came from are given back to the system.
    public func packed(_ parts: [(name: String, outputs: Int)], inputs: Int) throws(ModelError) -> PackedWeight {
        throw ModelError(file: file.path, "not implemented")
    }

    /// One-dimensional tensors joined end to end.
    public func joined(_ parts: [(name: String, count: Int)]) throws(ModelError) -> FloatTensor {
        throw ModelError(file: file.path, "not implemented")
    }

    /// The file's tensors that nothing has asked for.
    public var unused: [String] { [] }
}
