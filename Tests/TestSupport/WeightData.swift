import Foundation
import ModelFiles

/// The bytes of a file of Tests/Reference/data/weights.
package func fileBytes(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: Folders.weights + "/" + name)))
}

/// A tensor's values as f32; NaN for an integer type.
package func floats(_ tensor: Tensor) -> [Float] {
    var values = [Float](repeating: .nan, count: tensor.count)
    values.withUnsafeMutableBufferPointer { if let base = $0.baseAddress { _ = tensor.convert(to: base) } }
    return values
}

/// A safetensors file of a header and the tensors' bytes.
package func safetensors(_ header: String, _ data: [UInt8]) -> [UInt8] {
    withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) } + Array(header.utf8) + data
}
