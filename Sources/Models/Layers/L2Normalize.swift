/// Division of vectors by their L2 norm, x / max(‖x‖₂, ε), as torch.nn.functional.normalize
/// (https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.normalize.html) does. The sum of squares is kept in
/// f64.
public enum L2Normalize {
    /// Returns a vector divided by its norm.
    /// - Parameter epsilon: The least divisor.
    public static func normalized(_ vector: [Float], epsilon: Float = 1e-12) -> [Float] {
        let divisor = vector.withUnsafeBufferPointer { Self.divisor($0, epsilon: epsilon) }
        return vector.map { $0 / divisor }
    }

    /// Divides a vector by its norm, in place.
    /// - Parameters:
    ///   - vector: [count].
    ///   - epsilon: The least divisor.
    static func apply(_ vector: UnsafeMutablePointer<Float>, count: Int, epsilon: Float) {
        let divisor = Self.divisor(UnsafeBufferPointer(start: vector, count: count), epsilon: epsilon)
        for i in 0..<count { vector[i] /= divisor }
    }

    private static func divisor(_ vector: UnsafeBufferPointer<Float>, epsilon: Float) -> Float {
        max(Float(vector.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()), epsilon)
    }
}
