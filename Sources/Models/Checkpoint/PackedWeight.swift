import Kernels

/// A weight [outputs, inputs], packed once for the kernels in use. `values` is valid while this object lives.
final class PackedWeight: @unchecked Sendable {
    let outputs: Int
    let inputs: Int
    /// The kernels that packed the weight and multiply with it.
    let dense: DenseKernels
    /// The panels that `DenseKernels.pack` wrote, 64-byte aligned.
    let values: UnsafePointer<Float>
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

extension PackedWeight {
    /// Packs a weight.
    /// - Parameters:
    ///   - values: [outputs, inputs], rows `ld` floats apart.
    ///   - ld: `nil` takes `inputs`.
    convenience init(_ values: UnsafePointer<Float>, ld: Int? = nil, outputs: Int, inputs: Int, dense: DenseKernels) {
        let storage = UnsafeMutableRawPointer.allocate(
            byteCount: max(dense.packedCount(outputs, inputs), 1) * MemoryLayout<Float>.stride, alignment: 64
        ).bindMemory(to: Float.self, capacity: max(dense.packedCount(outputs, inputs), 1))
        dense.pack(values, ld ?? inputs, outputs, inputs, storage)
        self.init(outputs: outputs, inputs: inputs, dense: dense, storage: storage)
    }
}
