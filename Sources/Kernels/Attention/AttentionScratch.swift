/// The layout of the scratch of f32 attention: the offset of each part, in floats. It holds one block of keys and
/// values, the scores of a few rows with them, and two floats a query.
public struct AttentionScratch {
    /// Kᵀ of a block of keys in panels, [⌈keyBlock / width⌉, headDim, width].
    @export(implementation) @inline(__always) public var keyPanels: Int { 0 }
    /// V of a block of keys in panels, [⌈valueDim / width⌉, keyBlock, width].
    public let valuePanels: Int
    /// The scores [rowBlock, stride] of a few query rows with a block of keys.
    public let scores: Int
    /// Query rows gathered from anywhere, [rowBlock, headDim].
    public let queries: Int
    /// The factor [rowBlock] of each row's values so far.
    public let keep: Int
    /// The factor [rowBlock] of each row's values in the end.
    public let factor: Int
    /// Each row's maximum and sum so far, [queries, 2].
    public let statistics: Int
    /// The size of the scratch in floats.
    public let total: Int
    /// The distance from one row of scores to the next, in floats.
    public let stride: Int
    /// The number of keys that go through scores, softmax and values together: whole panels.
    ///
    /// With all keys in one block the softmax is final at once. With more blocks, sums and values so far are scaled
    /// down wherever a block brings a larger maximum (the online softmax of Milakov & Gimelshein 2018,
    /// https://arxiv.org/abs/1805.02867).
    public let keyBlock: Int
    /// The number of query rows that go through them together: one tile.
    public let rowBlock: Int

    @export(implementation) @inline(__always)
    public init<I: Instructions>(_: I.Type, queries count: Int, keys: Int, headDim: Int, valueDim: Int) {
        let width = I.panelWidth
        keyBlock = roundUp(blockLength(keys, limit: attentionKeyLimit), to: width)
        rowBlock = blockLength(count, limit: I.tileRows)
        // Blocks of equal length may be shorter for more keys or queries. Memory must not be: the scratch of the
        // longest sequence of a batch serves the others too.
        let mostKeys = roundUp(min(keys, attentionKeyLimit), to: width)
        let mostRows = min(max(count, 1), I.tileRows)
        // A multiple of 2 KB would put the rows of a tile into the same few sets of the first level of cache.
        stride = keyBlock + 16
        valuePanels = roundUp(mostKeys * headDim, to: 16)
        scores = valuePanels + roundUp(mostKeys * roundUp(valueDim, to: width), to: 16)
        queries = scores + roundUp(mostRows * (mostKeys + 16), to: 16)
        keep = queries + roundUp(mostRows * headDim, to: 16)
        factor = keep + 16
        statistics = factor + 16
        total = statistics + roundUp(2 * max(0, count), to: 16)
    }
}

/// The most keys of a block. One head of 8,192 tokens took 106 ms with 256 (head dim 32; 198 with 64), 98 (181) with
/// 512, 93 (171) with 1,024 and 90 (166) with all keys in one block, whose scratch grows with them. 2,048 tokens behave
/// alike (Zen 4).
@export(implementation) @inline(__always) var attentionKeyLimit: Int { 1024 }
