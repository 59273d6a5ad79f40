import Diagnostics
import ModelFiles

/// A dense layer's weight [outputs, inputs] as its file holds it: in floating point, or as bytes with one factor a row.
struct StoredWeight {
    let tensor: Tensor
    /// The factors [outputs] of value = byte · factor. `nil` if the tensor is in floating point.
    let scales: [Float]?

    /// Writes the values as f32.
    func convert(to out: UnsafeMutablePointer<Float>) {
        guard let scales else { return _ = tensor.convert(to: out) }
        let bytes = tensor.bytes.bindMemory(to: Int8.self)
        let width = scales.isEmpty ? 0 : bytes.count / scales.count
        for (row, scale) in scales.enumerated() {
            for i in row * width..<(row + 1) * width { out[i] = Float(bytes[i]) * scale }
        }
    }
}

/// Weights that are stored as bytes: beside NAME.weight, i8 [outputs, inputs], the file has factors in one of these
/// forms.
///
/// - NAME.weight_scale [outputs], as `encoderd quantize` writes them;
/// - NAME.weight_scale [outputs, 1], or [1] or [] for all rows: compressed-tensors' strategies `channel` and `tensor`,
///   symmetric (https://github.com/vllm-project/compressed-tensors);
/// - NAME.SCB [outputs], 127 times the factors, with NAME.weight_format 0: LLM.int8() as bitsandbytes' Linear8bitLt saves
///   it (https://github.com/bitsandbytes-foundation/bitsandbytes/blob/main/bitsandbytes/nn/modules.py).
extension WeightReader {
    /// Whether the file holds the weight as bytes.
    func isQuantized(_ name: String) -> Bool { file.tensor(names[name] ?? name)?.dataType == .i8 }

    func stored(_ name: String, _ shape: [Int], use: Use) throws(FileError) -> StoredWeight {
        guard isQuantized(name) else { return StoredWeight(tensor: try find(name, shape, use: use), scales: nil) }
        let tensor = try find(name, shape, types: [.i8], use: use)
        return StoredWeight(tensor: tensor, scales: try scales(of: tensor, rows: shape[0]))
    }

    private func scales(of weight: Tensor, rows: Int) throws(FileError) -> [Float] {
        func fail(_ message: String) -> FileError {
            FileError(file: file.path, "tensor \(quoted(weight.name)) holds i8 values, " + message)
        }
        let scale = weight.name + "_scale"
        let module = weight.name.hasSuffix("weight") ? String(weight.name.dropLast("weight".count)) : nil
        if file.tensor(scale) != nil {
            let point = weight.name + "_zero_point"
            if let tensor = file.tensor(point) {
                guard tensor.bytes.allSatisfy({ $0 == 0 }) else {
                    throw fail("but \(quoted(point)) is not 0; only symmetric quantization is supported")
                }
                noteCompanion(point)
            }
            return try scales(scale, rows: rows) { $0 }
        }
        guard let module, file.tensor(module + "SCB") != nil else {
            throw fail(
                "which need a factor a row: there is no \(quoted(scale))"
                    + (module.map { " or \(quoted($0 + "SCB"))" } ?? ""))
        }
        let format = module + "weight_format"
        if let tensor = file.tensor(format) {
            guard tensor.bytes.allSatisfy({ $0 == 0 }) else {
                throw fail("but \(quoted(format)) is not 0: rows in the order of a GPU's tiles are not supported")
            }
            noteCompanion(format)
        }
        return try scales(module + "SCB", rows: rows) { $0 / 127 }
    }

    /// Reads the factors of a weight, [rows].
    private func scales(_ name: String, rows: Int, _ factor: (Float) -> Float) throws(FileError) -> [Float] {
        let shape = file.tensor(name)?.shape ?? []
        guard [[rows], [rows, 1], [1], [1, 1], []].contains(shape) else {
            throw FileError(
                file: file.path,
                "tensor \(quoted(name)) is \(shape) but should be [\(rows)], [\(rows), 1] or [1]: a factor a row, or one for all"
            )
        }
        noteCompanion(name)
        // `find` would take `name` for one of ours, which "tensors" of config.json may map.
        guard let tensor = file.tensor(name), tensor.dataType.isFloating else {
            throw FileError(file: file.path, "tensor \(quoted(name)) should hold f64, f32, f16 or bf16 values")
        }
        let values = [Float](unsafeUninitializedCapacity: tensor.count) { buffer, count in
            if let base = buffer.baseAddress { _ = tensor.convert(to: base) }
            count = tensor.count
        }.map(factor)
        return values.count == rows ? values : Array(repeating: values[0], count: rows)
    }
}
