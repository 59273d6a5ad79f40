/// An arithmetic whose activations and weights are converted from f32 to packed elements of 32 bits: bf16 or int8.
public protocol PackedArithmetic: Arithmetic where PackedElement == UInt32 {
    /// Converts a row of activations to packed elements.
    /// - Parameters:
    ///   - x: The row [k].
    ///   - packed: Room for `packedStride(k)` elements. Only those of the k values are read later.
    ///   - scales: The memory that receives the row's scale and zero, see `ProductScales`. Untouched unless quantized.
    static func convertRow(
        _ x: UnsafePointer<Float>, _ k: Int, _ packed: UnsafeMutablePointer<UInt32>,
        _ scales: UnsafeMutablePointer<Float>)
    /// Packs the weight `w` [n, k], rows `ldw` floats apart, see `DenseKernels.pack`.
    static func pack(
        _ w: UnsafePointer<Float>, _ ldw: Int, _ n: Int, _ k: Int, _ packed: UnsafeMutablePointer<UInt32>)
    /// Runs `densePacked`, out of line.
    static func dense(_ d: DenseArguments)
}

extension PackedArithmetic {
    /// Returns the number of packed elements that hold k values.
    @export(implementation) @inline(__always)
    static func packedLength(_ k: Int) -> Int { (k + depth - 1) / depth }

    /// Returns the distance from one converted row to the next, in packed elements. Rows are stored as whole vectors of
    /// values.
    @export(implementation) @inline(__always)
    static func packedStride(_ k: Int) -> Int { roundUp(k, to: max(I.lanes, depth)) / depth }

    /// Returns the size of a packed weight [n, k] in packed elements: panels of columns, then a scale and a sum for
    /// each column if it is quantized.
    @export(implementation) @inline(__always)
    public static func packedCount(_ n: Int, _ k: Int) -> Int {
        roundUp(n, to: I.panelWidth) * (packedLength(k) + (isQuantized ? 2 : 0))
    }

    /// Returns the most rows to convert and multiply together, so that they stay in the second-level cache.
    @export(implementation) @inline(__always)
    static func mostRows(_ k: Int) -> Int {
        let limit = min(40 * I.tileRows, (48 << 10) / max(1, packedStride(k)) / I.tileRows * I.tileRows)
        return max(2 * I.tileRows, limit)
    }

    /// Returns the rows of a block where m rows are cut into blocks of nearly equal length.
    @export(implementation) @inline(__always)
    static func blockRows(_ m: Int, _ k: Int) -> Int { blockLength(m, limit: mostRows(k)) }

    /// Returns the scratch that `densePacked` needs for m rows or fewer, in floats. Fewer rows may have longer blocks.
    @export(implementation) @inline(__always)
    public static func scratchCount(_ m: Int, _ k: Int) -> Int {
        let rows = min(max(m, 1), mostRows(k))
        return roundUp(2 * rows, to: 16) + rows * packedStride(k)
    }
}
