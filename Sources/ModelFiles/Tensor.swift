/// A tensor in a weight file: a view of mapped or inflated bytes that keeps their owner alive. The bytes are
/// `shape.product × dataType.size` long, row-major and contiguous. They may be unaligned.
public struct Tensor: @unchecked Sendable {
    public let name: String
    public let shape: [Int]
    public let dataType: DataType
    public let bytes: UnsafeRawBufferPointer
    /// Keeps `bytes` valid.
    package let owner: AnyObject

    public init(name: String, shape: [Int], dataType: DataType, bytes: UnsafeRawBufferPointer, owner: AnyObject) {
        self.name = name
        self.shape = shape
        self.dataType = dataType
        self.bytes = bytes
        self.owner = owner
    }

    public var count: Int { shape.reduce(1, *) }
}
