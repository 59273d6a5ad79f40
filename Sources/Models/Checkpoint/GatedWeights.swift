import Kernels
import ModelFiles

/// Some rows of a tensor.
struct TensorRows {
    let name: String
    /// Rows of the whole tensor.
    let count: Int
    let first: Int

    init(_ name: String, of count: Int, from first: Int = 0) {
        self.name = name
        self.count = count
        self.first = first
    }
}

extension WeightReader {
    /// Packs the gate and up projections, [width, inputs] each, for `DenseArguments.gated`.
    func packedGated(gate: TensorRows, up: TensorRows, width: Int, inputs: Int) throws(FileError) -> PackedWeight {
        let dense = kernels.dense(precision)
        // Before memory is taken for them: sizes come out of a file, too.
        for part in [gate, up] { _ = try stored(part.name, [part.count, inputs], use: .dense) }
        let order = DenseArguments.gatedOrder(width, panelWidth: kernels.panelWidth)
        let weight = try allocate(dense, name: gate.name, outputs: order.count, inputs: inputs)
        if let pack = dense.packQuantized, isQuantized(gate.name), isQuantized(up.name) {
            var bytes = [Int8](repeating: 0, count: order.count * inputs)
            var scales = [Float](repeating: 0, count: order.count)
            for part in [gate, up] {
                let stored = try stored(part.name, [part.count, inputs], use: .dense)
                let scale = stored.scales ?? []
                let values = stored.tensor.bytes.bindMemory(to: Int8.self)
                for (i, place) in order.enumerated()
                where place.isGate == (part.name == gate.name && part.first == gate.first) {
                    guard let row = place.row else { continue }
                    for j in 0..<inputs { bytes[i * inputs + j] = values[(part.first + row) * inputs + j] }
                    scales[i] = scale[part.first + row]
                }
            }
            bytes.withUnsafeBufferPointer { bytes in
                scales.withUnsafeBufferPointer { scales in
                    if let bytes = bytes.baseAddress, let scales = scales.baseAddress {
                        pack(bytes, scales, order.count, inputs, weight.storage)
                    }
                }
            }
            return weight
        }
        let stacked = try interleaved(gate, up, order, inputs: inputs, use: .dense)
        defer { stacked.deallocate() }
        if let base = stacked.baseAddress { dense.pack(base, inputs, order.count, inputs, weight.storage) }
        return weight
    }

    /// Joins the biases of the gate and up projections, [width] each, in the order of `packedGated`.
    func joinedGated(gate: TensorRows, up: TensorRows, width: Int) throws(FileError) -> FloatTensor {
        for part in [gate, up] { _ = try stored(part.name, [part.count], use: .values) }
        let order = DenseArguments.gatedOrder(width, panelWidth: kernels.panelWidth)
        let stacked = try interleaved(gate, up, order, inputs: nil, use: .values)
        defer { stacked.deallocate() }
        return floatCopy("\(gate.name)+\(up.name)", [order.count], count: order.count) { out in
            if let base = stacked.baseAddress { out.update(from: base, count: order.count) }
        }
    }

    /// Copies the rows of both projections in a given order, with zeros for missing rows. The caller deallocates the
    /// result.
    private func interleaved(
        _ gate: TensorRows, _ up: TensorRows, _ order: [(isGate: Bool, row: Int?)], inputs: Int?, use: Use
    ) throws(FileError) -> UnsafeMutableBufferPointer<Float> {
        let width = inputs ?? 1
        func floats(_ part: TensorRows) throws(FileError) -> [Float] {
            let weight = try stored(part.name, inputs.map { [part.count, $0] } ?? [part.count], use: use)
            let values = [Float](unsafeUninitializedCapacity: weight.tensor.count) { buffer, count in
                if let base = buffer.baseAddress { weight.convert(to: base) }
                count = weight.tensor.count
            }
            (weight.tensor.owner as? MappedFile)?.release(weight.tensor.bytes)
            return values
        }
        let gates = try floats(gate)
        let ups = up.name == gate.name ? gates : try floats(up)
        let stacked = UnsafeMutableBufferPointer<Float>.allocate(capacity: order.count * width)
        for (i, place) in order.enumerated() {
            for j in 0..<width {
                guard let row = place.row else {
                    stacked[i * width + j] = 0
                    continue
                }
                stacked[i * width + j] =
                    place.isGate ? gates[(gate.first + row) * width + j] : ups[(up.first + row) * width + j]
            }
        }
        return stacked
    }
}
