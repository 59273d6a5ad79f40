/// Element types a weight file can hold.
public enum DataType: String, Sendable, CaseIterable {
    case f64, f32, f16, bf16, i64, i32, i16, i8, u8, bool

    /// Bytes of one element.
    public var size: Int {
        switch self {
        case .f64, .i64: 8
        case .f32, .i32: 4
        case .f16, .bf16, .i16: 2
        case .i8, .u8, .bool: 1
        }
    }
}

/// A tensor in a weight file: a view of mapped (or, for deflated archives, inflated) bytes that keeps its owner alive.
/// The bytes are `shape.product × dataType.size` long, row-major and contiguous; they may be unaligned.
public struct Tensor: @unchecked Sendable {
    public let name: String
    public let shape: [Int]
    public let dataType: DataType
    public let bytes: UnsafeRawBufferPointer
    /// Keeps `bytes` valid.
    let owner: AnyObject

    public init(name: String, shape: [Int], dataType: DataType, bytes: UnsafeRawBufferPointer, owner: AnyObject) {
        self.name = name
        self.shape = shape
        self.dataType = dataType
        self.bytes = bytes
        self.owner = owner
    }

    public var count: Int { shape.reduce(1, *) }
}

/// f32 values ready for a kernel: the file's own bytes where they are f32 and aligned, else a converted copy.
/// `values` is good only while this object lives: keep it (as a stored property) for as long as the pointer is used.
public final class FloatTensor: @unchecked Sendable {
    public let name: String
    public let shape: [Int]
    public let values: UnsafeBufferPointer<Float>
    private let owner: AnyObject

    public init(name: String, shape: [Int], values: UnsafeBufferPointer<Float>, owner: AnyObject) {
        self.name = name
        self.shape = shape
        self.values = values
        self.owner = owner
    }

    /// A copy with every value changed.
    func mapped(_ transform: (Float) -> Float) -> FloatTensor {
        let copy = OwnedBytes(count: values.count * MemoryLayout<Float>.stride)
        let floats = copy.bytes.bindMemory(to: Float.self)
        for i in 0..<values.count { floats[i] = transform(values[i]) }
        return FloatTensor(
            name: name, shape: shape, values: UnsafeBufferPointer(start: floats.baseAddress, count: values.count),
            owner: copy)
    }
}

/// The tensors of one model, from whichever file format holds them.
public protocol WeightFile: Sendable {
    /// The file (or index) read, relative to the model directory, for messages.
    var path: String { get }
    /// What `encoderd inspect` calls the format: `safetensors`, `npz`, `pytorch (zip)`, `pytorch (legacy)`.
    var format: String { get }
    /// In the file's order.
    var names: [String] { get }
    func tensor(_ name: String) -> Tensor?
}
