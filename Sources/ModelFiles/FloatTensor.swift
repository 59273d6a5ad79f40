/// The f32 values of a tensor: the file's own bytes if they are f32 and aligned, else a converted copy. `values` is
/// valid only while this object lives, so whoever uses the pointer keeps the object.
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

    /// Returns a copy with every value transformed.
    package func mapped(_ transform: (Float) -> Float) -> FloatTensor {
        let copy = OwnedBytes(count: values.count * MemoryLayout<Float>.stride)
        let floats = copy.bytes.bindMemory(to: Float.self)
        for i in 0..<values.count { floats[i] = transform(values[i]) }
        return FloatTensor(
            name: name, shape: shape, values: UnsafeBufferPointer(start: floats.baseAddress, count: values.count),
            owner: copy)
    }
}
