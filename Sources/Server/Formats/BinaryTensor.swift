import HTTP

/// The type of floats in a binary response.
public enum BinaryFloat: String, Sendable, CaseIterable {
    case f32, f16
}

/// A tensor of a binary response: row-major values in the machine's little-endian byte order.
public struct BinaryTensor: Sendable {
    /// The values, by type.
    public enum Values: Sendable {
        case f32([Float])
        case f16([Float16])
        case i64([Int64])
    }

    /// The name in formats that hold several tensors.
    public let name: String
    /// The sizes of the axes, outermost first.
    public let shape: [Int]
    /// The values in row-major order.
    public let values: Values

    /// Stores `floats` as they are, sharing their memory, or rounded to f16: to nearest even, beyond 65504 to infinity.
    public init(name: String, shape: [Int], floats: [Float], as type: BinaryFloat = .f32) {
        precondition(shape.reduce(1, *) == floats.count, "\(name): shape \(shape) for \(floats.count) values")
        self.name = name
        self.shape = shape
        values = type == .f32 ? .f32(floats) : .f16(floats.map { Float16($0) })
    }

    /// Stores integers as they are, sharing their memory.
    public init(name: String, shape: [Int], integers: [Int64]) {
        precondition(shape.reduce(1, *) == integers.count, "\(name): shape \(shape) for \(integers.count) values")
        self.name = name
        self.shape = shape
        values = .i64(integers)
    }

    /// The values as a segment, without a copy.
    var segment: any ByteSegment {
        switch values {
        case .f32(let values): ArraySegment(values)
        case .f16(let values): ArraySegment(values)
        case .i64(let values): ArraySegment(values)
        }
    }

    var elementWidth: Int {
        switch values {
        case .f32: 4
        case .f16: 2
        case .i64: 8
        }
    }
}
