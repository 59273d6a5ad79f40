/// The kernels of dense layers, and of the steps of recurrent layers, in one precision.
public struct DenseKernels: Sendable {
    public let precision: Precision
    /// The name of the arithmetic that is used: `f32`, `AVX512_BF16`, `bf16 by f32`, `AVX512_VNNI`, `AVX-VNNI` or
    /// `16-bit`.
    public let arithmetic: String
    /// Returns the size of a packed weight [n, k] in packed elements of 32 bits.
    public let packedCount: @Sendable (_ n: Int, _ k: Int) -> Int
    /// Packs the weight `w` [n, k] (torch's [out, in]), row-major, rows `ldw` floats apart, into panels of `panelWidth`
    /// columns.
    ///
    /// With K packed elements of `depth` neighboring values along k (see `Arithmetic`), `packed[(j / width) * K * width
    /// + p * width + j % width]` holds `w[j, p * depth ..< (p + 1) * depth]`. Zeros fill the last panel and the last
    /// element of a column. In int8 a scale and a sum of each column follow the panels.
    public let pack:
        @Sendable (_ w: UnsafePointer<Float>, _ ldw: Int, _ n: Int, _ k: Int, _ packed: UnsafeMutableRawPointer) -> Void
    /// Packs a weight [n, k], contiguous, that is already quantized, with its scales [n]. `nil` if the precision is not
    /// int8.
    public let packQuantized:
        (
            @Sendable (
                _ w: UnsafePointer<Int8>, _ scales: UnsafePointer<Float>, _ n: Int, _ k: Int,
                _ packed: UnsafeMutableRawPointer
            ) -> Void
        )?
    /// Returns the scratch that `run` needs for m rows or fewer, in floats.
    public let scratchCount: @Sendable (_ m: Int, _ k: Int) -> Int
    public let run: @Sendable (DenseArguments) -> Void
    public let recurrentStep: @Sendable (RecurrentStepArguments) -> Void

    public init(
        precision: Precision, arithmetic: String, packedCount: @escaping @Sendable (Int, Int) -> Int,
        pack: @escaping @Sendable (UnsafePointer<Float>, Int, Int, Int, UnsafeMutableRawPointer) -> Void,
        packQuantized: (
            @Sendable (UnsafePointer<Int8>, UnsafePointer<Float>, Int, Int, UnsafeMutableRawPointer) -> Void
        )? = nil,
        scratchCount: @escaping @Sendable (Int, Int) -> Int, run: @escaping @Sendable (DenseArguments) -> Void,
        recurrentStep: @escaping @Sendable (RecurrentStepArguments) -> Void
    ) {
        self.precision = precision
        self.arithmetic = arithmetic
        self.packedCount = packedCount
        self.pack = pack
        self.packQuantized = packQuantized
        self.scratchCount = scratchCount
        self.run = run
        self.recurrentStep = recurrentStep
    }
}
