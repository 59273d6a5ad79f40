import KernelSelection
import Kernels

/// Encoder layers over a ragged batch.
struct EncoderStack: Sendable {
    let kernels: KernelTable
    let hidden: Int
    let heads: Int
    let headDim: Int
    let layers: [EncoderLayer]
    /// After the last layer.
    var finalNorm: Normalisation?
    /// Of the embeddings, beside the first layer.
    var convolution: SequenceConvolution?
    /// What attention scores are multiplied by; nil: 1/√headDim.
    var scoreScale: Float?

    /// The widest layer's.
    var feedForward: Int { layers.map(\.feedForward.width).max() ?? hidden }

    /// Rows of whole sequences that go through a layer together, so that memory and caches hold the queries, keys and
    /// values of few. On Zen 4, MiniLM's batches of 32 × 64 and more ran some 5 % faster in f32 than with the whole batch
    /// at once, 128 to 512 measuring alike; in int8 96 to 128 were 2 % faster than 256.
    private static let groupRows = 128

    /// The most rows that go through the feed-forward part together, so that their activations fill no more than three
    /// quarters of the second level of cache. MiniLM's groups of 128 rows ran alike in blocks of 32 to 128; 120 and 8 cost
    /// 8 % (Zen 4, f32, 32 × 16).
    var blockRows: Int { min(240, max(24, Caches.secondLevel * 3 / 16 / feedForward / 12 * 12)) }

    private var precision: Precision { layers.first?.attention.joined.weight.dense.precision ?? .f32 }

    /// A layer's attention.
    private func attention(_ layer: EncoderLayer?) -> SelfAttentionPass {
        SelfAttentionPass(
            kernels: kernels, attention: kernels.attention(precision), heads: heads, headDim: headDim,
            valueDim: headDim, scale: scoreScale ?? 1 / Float(headDim).squareRoot(),
            bias: layer?.attention.bias)
    }

    /// Floats that `run` takes from scratch.
    func scratchCount(_ batch: RaggedBatch, _ team: Team) -> Int {
        let sizes = MemorySizes(self, batch, team)
        return Scratch.rounded(sizes.group * hidden) + Scratch.rounded(sizes.group * 3 * hidden)
            + team.size * (sizes.inner + sizes.working + sizes.words)
            + (convolution.map { Scratch.rounded(batch.rows * hidden) + $0.scratchCount(batch) } ?? 0)
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
            working = Scratch.rounded(stack.attention(stack.layers.first).scratchCount(longest: batch.longest))
            guard let layer = stack.layers.first else {
                words = 0
                return
            }
            words = Scratch.rounded(
                max(
                    layer.attention.joined.weight.dense.scratchCount(group, stack.hidden),
                    layer.attention.output.weight.dense.scratchCount(group, stack.hidden),
                    layer.feedForward.down.weight.dense.scratchCount(group, stack.feedForward)))
        }
    }

    private func groupLimit(_ team: Team) -> Int { EncoderStack.groupRows * team.expectedMembers }

    /// Runs all layers over `x` [rows, hidden], in place; it holds the embeddings on entry.
    func run(
        _ batch: RaggedBatch, _ x: UnsafeMutablePointer<Float>, scratch: Scratch, results: inout [SequenceResult]
    ) {
        let team = scratch.team
        let sizes = MemorySizes(self, batch, team)
        let memory = EncoderGroup.Memory(
            y: scratch.take(sizes.group * hidden), joined: scratch.take(sizes.group * 3 * hidden),
            inner: scratch.take(team.size * sizes.inner), working: scratch.take(team.size * sizes.working),
            words: scratch.take(team.size * sizes.words), innerPitch: sizes.inner, workingPitch: sizes.working,
            wordsPitch: sizes.words)
        var maps = batch.requests.map { MapBuilder($0) }

        batch.collect(0, x, width: hidden, into: &results)
        let embeddings = convolution.map { _ in scratch.take(batch.rows * hidden) }
        embeddings?.update(from: x, count: batch.rows * hidden)
        for (index, layer) in layers.enumerated() {
            let attention = attention(layer)
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
            if index == 0, let convolution, let embeddings {
                convolution.apply(batch, embeddings, x, scratch: scratch, kernels)
            }
            if index == layers.count - 1, let finalNorm {
                finalNorm.apply(kernels, x, x, rows: batch.rows, width: hidden)
            }
            batch.collect(index + 1, x, width: hidden, into: &results)
        }
        for i in results.indices where maps[i] != nil { results[i].attention = maps[i]?.maps }
    }
}
