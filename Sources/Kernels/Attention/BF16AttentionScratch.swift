/// The layout of the scratch of bf16 attention: the offset of each part, in floats or packed elements of 32 bits. It
/// grows with the keys, never with queries × keys.
public struct BF16AttentionScratch {
    /// Kᵀ in panels of packed elements, [⌈keys / width⌉, headDim / 2, width].
    @export(implementation) @inline(__always) public var keyPanels: Int { 0 }
    /// V in panels of packed elements, pairs of keys, [⌈valueDim / width⌉, keys / 2, width].
    public let valuePanels: Int
    /// The converted keys [keys, headDim / 2], before they are packed.
    public let keys: Int
    /// The converted queries of a block [block, headDim / 2].
    public let queries: Int
    /// The scores of a block of query rows with all keys in floats, [block, stride].
    public let scores: Int
    /// The exponentials as packed elements, [block, stride / 2].
    public let weights: Int
    /// The reciprocal of each row's sum, [block].
    public let inverseSums: Int
    /// The size of the scratch in floats.
    public let total: Int
    /// The distance from one row of scores to the next, in floats: whole panels.
    public let stride: Int
    /// The distance from one row of queries or keys to the next, in packed elements.
    public let packedStride: Int
    /// The length of a row of queries or keys in packed elements.
    public let packedLength: Int
    /// The number of query rows that go through scores, softmax and values together.
    public let block: Int

    @export(implementation) @inline(__always)
    public init<A: BF16Arithmetic>(_: A.Type, queries count: Int, keys: Int, headDim: Int, valueDim: Int) {
        let width = A.I.panelWidth
        stride = roundUp(keys, to: width)
        packedStride = A.packedStride(headDim)
        packedLength = A.packedLength(headDim)
        // One tile of rows up to some 512 keys, so that scores and weights stay in the first level of cache.
        block = min(2 * A.I.tileRows, roundUp(max(count, 1), to: A.I.tileRows))
        valuePanels = stride * packedLength
        self.keys = valuePanels + roundUp((keys + 1) / 2 * roundUp(valueDim, to: width), to: 16)
        queries = self.keys + roundUp(keys * packedStride, to: 16)
        scores = queries + roundUp(block * packedStride, to: 16)
        weights = scores + roundUp(block * stride, to: 16)
        // A row's last vector may reach beyond its end.
        inverseSums = weights + roundUp(block * stride / 2 + A.I.lanes, to: 16)
        total = inverseSums + roundUp(block, to: 16)
    }
}
