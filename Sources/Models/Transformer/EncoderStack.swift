import Kernels

/// Weights of one Transformer encoder layer (Vaswani et al. 2017, section 3.1).
struct EncoderLayer: Sendable {
    /// Query, key and value joined, [3 · hidden, hidden], and its bias.
    let joined: PackedWeight
    let joinedBias: FloatTensor?
    /// [hidden, hidden]
    let output: PackedWeight
    let outputBias: FloatTensor?
    let attentionNorm: Normalisation
    /// [feedForward, hidden] and [hidden, feedForward]
    let up: PackedWeight
    let upBias: FloatTensor?
    let down: PackedWeight
    let downBias: FloatTensor?
    let feedForwardNorm: Normalisation
}

/// torch.nn.LayerNorm's weight and bias, [width].
struct Normalisation: Sendable {
    let weight: FloatTensor
    let bias: FloatTensor?
    let epsilon: Float

    func apply(
        _ kernels: KernelTable, _ x: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>, rows: Int, width: Int
    ) {
        guard let weight = weight.values.baseAddress else { return }
        kernels.layerNorm(
            LayerNorm(
                x: x, out: out, weight: weight, bias: bias?.values.baseAddress, rows: rows, width: width,
                epsilon: epsilon))
    }
}

extension PackedWeight {
    /// out = (residual +) activation(a · Wᵀ + bias), all rows contiguous.
    /// - Parameter scratch: `dense.scratchCount(rows, inputs)` floats, 64-byte aligned; nil in f32, which needs none.
    func apply(
        _ kernels: KernelTable, _ a: UnsafePointer<Float>, bias: FloatTensor?, residual: UnsafePointer<Float>? = nil,
        activation: Activation = .identity, out: UnsafeMutablePointer<Float>, rows: Int,
        scratch: UnsafeMutablePointer<Float>? = nil
    ) {
        dense.dense(
            Dense(
                a: a, lda: inputs, packed: values, scratch: scratch, bias: bias?.values.baseAddress, residual: residual,
                ldResidual: outputs, activation: activation, out: out, ldOut: outputs, m: rows, n: outputs, k: inputs))
    }
}

/// Encoder layers over a ragged batch.
struct EncoderStack: Sendable {
    let kernels: KernelTable
    let hidden: Int
    let heads: Int
    let feedForward: Int
    let activation: Activation
    /// Norms before the sublayers (torch's `norm_first`) instead of after them.
    let normFirst: Bool
    let layers: [EncoderLayer]
    /// After the last layer.
    let finalNorm: Normalisation?

    /// Rows that go through the feed-forward part together, so that their activations stay in the second-level cache.
    private static let blockRows = 120
    /// Rows of whole sequences that go through a layer together, so that memory and caches hold the queries, keys and
    /// values of few. On Zen 4, MiniLM's batches of 32 × 64 and more ran some 5 % faster in f32 than with the whole batch
    /// at once, 128 to 512 measuring alike; in int8 96 to 128 were 2 % faster than 256.
    private static let groupRows = 128

    private var precision: Precision { layers.first?.joined.dense.precision ?? .f32 }

    private var attention: SelfAttentionPass {
        let headDim = hidden / heads
        return SelfAttentionPass(
            kernels: kernels, attention: kernels.attention(precision), heads: heads, headDim: headDim,
            valueDim: headDim, scale: 1 / Float(headDim).squareRoot())
    }

    /// Floats that `run` takes from scratch.
    func scratchCount(_ batch: RaggedBatch) -> Int {
        let group = groupRows(batch)
        return Scratch.rounded(group * hidden) + Scratch.rounded(group * 3 * hidden)
            + Scratch.rounded(min(EncoderStack.blockRows, group) * feedForward)
            + Scratch.rounded(attention.scratchCount(longest: batch.longest)) + Scratch.rounded(wordCount(group))
    }

    /// Floats in which a dense layer of a group converts its rows.
    private func wordCount(_ group: Int) -> Int {
        guard let layer = layers.first else { return 0 }
        let rows = min(EncoderStack.blockRows, group)
        return max(
            layer.joined.dense.scratchCount(group, hidden), layer.output.dense.scratchCount(rows, hidden),
            layer.down.dense.scratchCount(rows, feedForward))
    }

    /// Rows of the largest group.
    private func groupRows(_ batch: RaggedBatch) -> Int {
        min(max(EncoderStack.groupRows, batch.longest), batch.rows)
    }

    /// Runs all layers over `x` [rows, hidden], in place; it holds the embeddings on entry.
    func run(
        _ batch: RaggedBatch, _ x: UnsafeMutablePointer<Float>, scratch: Scratch, results: inout [SequenceResult]
    ) {
        let attention = attention
        let group = groupRows(batch)
        let block = min(EncoderStack.blockRows, group)
        let y = scratch.take(group * hidden)
        let joined = scratch.take(group * 3 * hidden)
        let inner = scratch.take(block * feedForward)
        let working = scratch.take(attention.scratchCount(longest: batch.longest))
        let words = scratch.take(wordCount(group))
        var maps = batch.requests.map { MapBuilder($0) }

        batch.collect(0, x, width: hidden, into: &results)
        for (index, layer) in layers.enumerated() {
            var first = 0
            while first < batch.lengths.count {
                let sequences = batch.group(from: first, limit: EncoderStack.groupRows)
                let count = batch.lengths[sequences].reduce(0, +)
                let x = x + batch.offsets[first] * hidden
                if normFirst { layer.attentionNorm.apply(kernels, x, y, rows: count, width: hidden) }
                layer.joined.apply(
                    kernels, normFirst ? y : x, bias: layer.joinedBias, out: joined, rows: count, scratch: words)
                attention.run(batch, sequences, joined: joined, out: y, scratch: working, layer: index, maps: &maps)
                var row = 0
                while row < count {
                    let rows = min(block, count - row)
                    afterAttention(layer, x + row * hidden, y + row * hidden, inner, words, rows: rows)
                    row += rows
                }
                first = sequences.upperBound
            }
            if index == layers.count - 1, let finalNorm {
                finalNorm.apply(kernels, x, x, rows: batch.rows, width: hidden)
            }
            batch.collect(index + 1, x, width: hidden, into: &results)
        }
        for i in results.indices where maps[i] != nil { results[i].attention = maps[i]?.maps }
    }

    /// The rest of a layer for some rows: output projection, feed-forward, residuals and norms.
    /// - Parameters:
    ///   - x: [rows, hidden]: the layer's input on entry, its output on return.
    ///   - y: [rows, hidden]: the attention's result; overwritten.
    private func afterAttention(
        _ layer: EncoderLayer, _ x: UnsafeMutablePointer<Float>, _ y: UnsafeMutablePointer<Float>,
        _ inner: UnsafeMutablePointer<Float>, _ words: UnsafeMutablePointer<Float>, rows: Int
    ) {
        layer.output.apply(kernels, y, bias: layer.outputBias, residual: x, out: x, rows: rows, scratch: words)
        let input: UnsafeMutablePointer<Float>
        if normFirst {
            layer.feedForwardNorm.apply(kernels, x, y, rows: rows, width: hidden)
            input = y
        } else {
            layer.attentionNorm.apply(kernels, x, x, rows: rows, width: hidden)
            input = x
        }
        layer.up.apply(
            kernels, input, bias: layer.upBias, activation: activation, out: inner, rows: rows, scratch: words)
        layer.down.apply(kernels, inner, bias: layer.downBias, residual: x, out: x, rows: rows, scratch: words)
        if !normFirst { layer.feedForwardNorm.apply(kernels, x, x, rows: rows, width: hidden) }
    }
}
