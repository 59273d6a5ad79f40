/// The kernels of scaled dot-product attention of one head, in one precision.
public struct AttentionKernels: Sendable {
    public let precision: Precision
    /// Returns the scratch that `run` and `weights` need, in floats.
    ///
    /// In f32 it grows with the queries alone once there are more keys than one block holds (1,024). In bf16 it grows
    /// with the keys. It never grows with queries × keys.
    public let scratchCount: @Sendable (_ queries: Int, _ keys: Int, _ headDim: Int, _ valueDim: Int) -> Int
    public let run: @Sendable (AttentionArguments) -> Void
    public let weights: @Sendable (AttentionWeightsArguments) -> Void

    public init(
        precision: Precision, scratchCount: @escaping @Sendable (Int, Int, Int, Int) -> Int,
        run: @escaping @Sendable (AttentionArguments) -> Void,
        weights: @escaping @Sendable (AttentionWeightsArguments) -> Void
    ) {
        self.precision = precision
        self.scratchCount = scratchCount
        self.run = run
        self.weights = weights
    }
}
