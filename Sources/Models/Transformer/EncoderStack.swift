import Kernels

/// Encoder layers over a ragged batch.
struct EncoderStack: Sendable {
    let kernels: KernelTable
    let hidden: Int
    let heads: Int
    /// Heads of keys and values; nil: as many as of queries.
    var keyValueHeads: Int?
    let headDim: Int
    /// What attention's scores are multiplied by; nil: 1 / √headDim.
    var scale: Float?
    let layers: [EncoderLayer]
    /// After the last layer.
    var finalNorm: Norm?
    /// Of the embeddings, beside the first layer.
    var convolution: SequenceConvolution?

    /// The widest layer's.
    var feedForward: Int { layers.map(\.feedForward.width).max() ?? hidden }

    /// Rows of whole sequences that go through a layer together, so that memory and caches hold the queries, keys and
    /// values of few. On Zen 4, MiniLM's batches of 32 × 64 and more ran some 5 % faster in f32 than with the whole batch
    /// at once, 128 to 512 measuring alike; in int8 96 to 128 were 2 % faster than 256.
    private static let groupRows = 128

    /// The most rows that go through the feed-forward part together, so that their activations fill no more than three
    /// quarters of the second level of cache. MiniLM's groups of 128 rows ran alike in blocks of 32 to 128; 120 and 8 cost
    /// 8 % (Zen 4, f32, 32 × 16).
    var blockRows: Int { min(240, max(24, CPUCaches.l2Bytes * 3 / 16 / feedForward / 12 * 12)) }

    private var precision: Precision { layers.first?.attention.joined.weight.dense.precision ?? .f32 }

    /// Columns of attention's result.
    var attentionWidth: Int { heads * headDim }
    /// Columns of queries, keys and values.
    var joinedWidth: Int { (heads + 2 * (keyValueHeads ?? heads)) * headDim }

    /// A layer's attention over sequences of up to `longest` tokens.
    private func attention(_ layer: EncoderLayer, longest: Int) -> SelfAttentionPass {
        var pass = bareAttention(layer)
        if case .relative(let bias) = layer.attention.bias { pass.relative = bias.rows(length: longest) }
        return pass
    }

    /// Without what grows with the sequences.
    private func bareAttention(_ layer: EncoderLayer) -> SelfAttentionPass {
        let part = layer.attention
        var pass = SelfAttentionPass(
            kernels: kernels,
            attention: kernels.attention(part.bias != nil || part.softCap != nil ? .f32 : precision), heads: heads,
            headDim: headDim, valueDim: headDim, scale: scale ?? 1 / Float(headDim).squareRoot(),
            keyValueHeads: keyValueHeads, span: part.span, cap: part.softCap ?? 0)
        if case .disentangled(let bias) = part.bias { pass.disentangled = bias }
        return pass
    }

    /// Floats that `run` takes from scratch.
    func scratchCount(_ batch: RaggedBatch, _ team: ThreadTeam) -> Int {
        let sizes = MemorySizes(self, batch, team)
        return Scratch.rounded(sizes.y) + Scratch.rounded(sizes.group * joinedWidth)
            + team.size * (sizes.inner + sizes.branch + sizes.working + sizes.words)
            + (convolution.map { Scratch.rounded(batch.rows * hidden) + $0.scratchCount(batch) } ?? 0)
    }

    /// Of one member, in floats, but the rows of the largest group.
    private struct MemorySizes {
        let group: Int
        let y: Int
        let inner: Int
        let branch: Int
        let working: Int
        let words: Int

        init(_ stack: EncoderStack, _ batch: RaggedBatch, _ team: ThreadTeam) {
            group = min(max(stack.groupLimit(team), batch.longest), batch.rows)
            let block = min(stack.blockRows, group)
            inner = Scratch.rounded(block * stack.feedForward)
            y = group * max(stack.hidden, stack.attentionWidth)
            let usesBranch = stack.layers.contains { layer in
                layer.attentionNorms.branch != nil || layer.feedForwardNorms.branch != nil
                    || layer.feedForwardNorms.before != nil
            }
            branch = usesBranch ? Scratch.rounded(block * stack.hidden) : 0
            working =
                stack.layers.map { Scratch.rounded(stack.bareAttention($0).scratchCount(longest: batch.longest)) }
                .max() ?? 0
            var most = 0
            for layer in stack.layers {
                for part in [
                    layer.attention.joined, layer.attention.output, layer.feedForward.up, layer.feedForward.down,
                ] {
                    most = max(most, part.weight.dense.scratchCount(group, part.weight.inputs))
                }
            }
            words = Scratch.rounded(most)
        }
    }

    private func groupLimit(_ team: ThreadTeam) -> Int { EncoderStack.groupRows * team.expectedMembers }

    /// Runs all layers over `x` [rows, hidden], in place; it holds the embeddings on entry.
    func run(
        _ batch: RaggedBatch, _ x: UnsafeMutablePointer<Float>, scratch: Scratch, results: inout [SequenceResult]
    ) {
        let team = scratch.team
        let sizes = MemorySizes(self, batch, team)
        let memory = LayerExecution.Memory(
            y: scratch.take(sizes.y), joined: scratch.take(sizes.group * joinedWidth),
            inner: scratch.take(team.size * sizes.inner), branch: scratch.take(team.size * sizes.branch),
            working: scratch.take(team.size * sizes.working),
            words: scratch.take(team.size * sizes.words), innerStride: sizes.inner, branchStride: sizes.branch,
            workingStride: sizes.working,
            packedStride: sizes.words)
        var maps = batch.requests.map { RawAttention($0) }
        var angles: [ObjectIdentifier: [RotaryAngles]] = [:]

        batch.collect(0, x, width: hidden, into: &results)
        let embeddings = convolution.map { _ in scratch.take(batch.rows * hidden) }
        embeddings?.update(from: x, count: batch.rows * hidden)
        for (index, layer) in layers.enumerated() {
            let attention = attention(layer, longest: batch.longest)
            if let rotary = layer.attention.rotary, angles[ObjectIdentifier(rotary)] == nil {
                angles[ObjectIdentifier(rotary)] = rotary.angles(batch)
            }
            var first = 0
            while first < batch.lengths.count {
                let sequences = batch.group(from: first, limit: groupLimit(team))
                var group = LayerExecution(
                    self, attention, batch, sequences, layer, memory, x + batch.offsets[first] * hidden)
                group.angles = layer.attention.rotary.flatMap { angles[ObjectIdentifier($0)] } ?? []
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
