import Glibc

extension DataType {
    package var isFloating: Bool { [.f64, .f32, .f16, .bf16].contains(self) }
}

extension Tensor {
    /// The tensor's own bytes as floats. `nil` if they are not f32, or not aligned for it.
    package var floatsInPlace: UnsafeBufferPointer<Float>? {
        guard dataType == .f32, let base = bytes.baseAddress, Int(bitPattern: base) % 4 == 0 else { return nil }
        return UnsafeBufferPointer(start: base.assumingMemoryBound(to: Float.self), count: bytes.count / 4)
    }

    /// Writes the `count` values as f32, rounding f64 to the nearest. Returns false, and writes nothing, for an integer
    /// type.
    package func convert(to out: UnsafeMutablePointer<Float>) -> Bool {
        guard let base = bytes.baseAddress else { return dataType.isFloating }
        let count = bytes.count / dataType.size
        switch dataType {
        case .f32: memcpy(out, base, bytes.count)
        case .f64:
            for i in 0..<count { out[i] = Float(base.loadUnaligned(fromByteOffset: i * 8, as: Double.self)) }
        case .f16:
            for i in 0..<count {
                out[i] = Float(Float16(bitPattern: base.loadUnaligned(fromByteOffset: i * 2, as: UInt16.self)))
            }
        case .bf16:
            for i in 0..<count {
                out[i] = Float(
                    bitPattern: UInt32(base.loadUnaligned(fromByteOffset: i * 2, as: UInt16.self)) << 16)
            }
        case .i64, .i32, .i16, .i8, .u8, .bool: return false
        }
        return true
    }
}
