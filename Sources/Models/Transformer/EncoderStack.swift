import KernelSelection
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
    /// - Parameters:
    ///   - columns: those of `out` to make, from a whole panel on; nil: all.
    ///   - scratch: `dense.scratchCount(rows, inputs)` floats, 64-byte aligned; nil in f32, which needs none.
    func apply(
        _ kernels: KernelTable, _ a: UnsafePointer<Float>, bias: FloatTensor?, residual: UnsafePointer<Float>? = nil,
        activation: Activation = .identity, out: UnsafeMutablePointer<Float>, rows: Int, columns: Range<Int>? = nil,
        scratch: UnsafeMutablePointer<Float>? = nil
    ) {
        var layer = Dense(
            a: a, lda: inputs, packed: values, scratch: scratch, bias: bias?.values.baseAddress, residual: residual,
            ldResidual: outputs, activation: activation, out: out, ldOut: outputs, m: rows, n: outputs, k: inputs,
            columns: columns)
        layer.cacheBytes = Caches.secondLevel
        dense.dense(layer)
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

    /// Rows of whole sequences that go through a layer together, so that memory and caches hold the queries, keys and
    /// values of few. On Zen 4, MiniLM's batches of 32 × 64 and more ran some 5 % faster in f32 than with the whole batch
    /// at once, 128 to 512 measuring alike; in int8 96 to 128 were 2 % faster than 256.
    private static let groupRows = 128

    /// The most rows that go through the feed-forward part together, so that their activations fill no more than three
    /// quarters of the second level of cache. MiniLM's groups of 128 rows ran alike in blocks of 32 to 128; 120 and 8 cost
    /// 8 % (Zen 4, f32, 32 × 16).
    var blockRows: Int { min(240, max(24, Caches.secondLevel * 3 / 16 / feedForward / 12 * 12)) }

    private var precision: Precision { layers.first?.joined.dense.precision ?? .f32 }

    private var attention: SelfAttentionPass {
        let headDim = hidden / heads
        return SelfAttentionPass(
            kernels: kernels, attention: kernels.attention(precision), heads: heads, headDim: headDim,
            valueDim: headDim, scale: 1 / Float(headDim).squareRoot())
    }

    /// Floats that `run` takes from scratch.
    func scratchCount(_ batch: RaggedBatch, _ team: Team) -> Int {
        let sizes = MemorySizes(self, batch, team)
        return Scratch.rounded(sizes.group * hidden) + Scratch.rounded(sizes.group * 3 * hidden)
            + team.size * (sizes.inner + sizes.working + sizes.words)
    }

    /// Of one member, in floats, but the rows of the largest group.
    private struct MemorySizes {
        let group: Int
        let inner: Int
        let working: Int
        let words: Int

        init(_ stack: EncoderStack, _ batch: RaggedBatch, _ team: Team) {
            group = min(max(stack.groupLimit(team), batch.longest), batch.rows)
            let block = min(stack.blockRows, group)
            inner = Scratch.rounded(block * stack.feedForward)
            working = Scratch.rounded(stack.attention.scratchCount(longest: batch.longest))
            guard let layer = stack.layers.first else {
                words = 0
                return
            }
            words = Scratch.rounded(
                max(
                    layer.joined.dense.scratchCount(group, stack.hidden),
                    layer.output.dense.scratchCount(group, stack.hidden),
                    layer.down.dense.scratchCount(group, stack.feedForward)))
        }
    }

    private func groupLimit(_ team: Team) -> Int { EncoderStack.groupRows * team.expectedMembers }

    /// Runs all layers over `x` [rows, hidden], in place; it holds the embeddings on entry.
    func run(
        _ batch: RaggedBatch, _ x: UnsafeMutablePointer<Float>, scratch: Scratch, results: inout [SequenceResult]
    ) {
        let attention = attention
        let team = scratch.team
        let sizes = MemorySizes(self, batch, team)
        let memory = EncoderGroup.Memory(
            y: scratch.take(sizes.group * hidden), joined: scratch.take(sizes.group * 3 * hidden),
            inner: scratch.take(team.size * sizes.inner), working: scratch.take(team.size * sizes.working),
            words: scratch.take(team.size * sizes.words), innerPitch: sizes.inner, workingPitch: sizes.working,
            wordsPitch: sizes.words)
        var maps = batch.requests.map { MapBuilder($0) }

        batch.collect(0, x, width: hidden, into: &results)
        for (index, layer) in layers.enumerated() {
            var first = 0
            while first < batch.lengths.count {
                let sequences = batch.group(from: first, limit: groupLimit(team))
                var group = EncoderGroup(
                    self, attention, batch, sequences, layer, memory, x + batch.offsets[first] * hidden)
                let makesMaps = maps[sequences].contains { $0?.selection.layers.contains(index) ?? false }
                if makesMaps {
                    group.run(team) {
                        attention.run(
                            batch, sequences, joined: memory.joined, out: memory.y, scratch: memory.working,
                            layer: index, maps: &maps)
                    }
                } else {
                    group.run(team, attend: nil)
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
}
