import Kernels

/// The layers of an encoder, run over a ragged batch.
struct EncoderStack: Sendable {
    let kernels: KernelTable
    let hidden: Int
    let heads: Int
    /// Heads of keys and values. `nil` if there are as many as of queries.
    var keyValueHeads: Int?
    let headDim: Int
    /// The factor of attention's scores. `nil` takes 1 / √headDim.
    var scale: Float?
    let layers: [EncoderLayer]
    /// The norm after the last layer. `nil` if there is none.
    var finalNorm: Norm?
    /// The convolution of the embeddings beside the first layer. `nil` if there is none.
    var convolution: Conv1d?

    /// Width of the widest feed-forward part.
    var feedForward: Int { layers.map(\.feedForward.width).max() ?? hidden }

    /// Rows of whole sequences that go through a layer together, so that few rows of queries, keys and values are in memory
    /// and caches. On Zen 4, MiniLM's batches of 32 × 64 and more ran some 5 % faster in f32 than with the whole batch
    /// at once; 128 to 512 measured alike. In int8, 96 to 128 were 2 % faster than 256.
    private static let groupRows = 128

    /// The most rows that go through the feed-forward part together, so that their activations fill no more than three
    /// quarters of the second level of cache. MiniLM's groups of 128 rows ran alike in blocks of 32 to 128; 120 and 8 cost
    /// 8 % (Zen 4, f32, 32 × 16).
    var blockRows: Int { min(240, max(24, CPUCaches.l2Bytes * 3 / 16 / feedForward / 12 * 12)) }

    private var precision: Precision { layers.first?.attention.qkv.weight.dense.precision ?? .f32 }

    /// Columns of attention's result: heads · headDim.
    var attentionWidth: Int { heads * headDim }
    /// Columns of queries, keys and values: (heads + 2 · keyValueHeads) · headDim.
    var qkvWidth: Int { (heads + 2 * (keyValueHeads ?? heads)) * headDim }

    /// Makes a layer's attention over sequences of up to `longest` tokens.
    private func attention(_ layer: EncoderLayer, longest: Int) -> SelfAttentionPass {
        var pass = bareAttention(layer)
        if case .relative(let bias) = layer.attention.bias { pass.relative = bias.rows(length: longest) }
        return pass
    }

    /// Makes a layer's attention without the bias by distance, whose table grows with the sequences.
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

    /// Returns the floats that `run` takes from scratch.
    func scratchCount(_ batch: RaggedBatch, _ team: ThreadTeam) -> Int {
        let sizes = MemorySizes(self, batch, team)
        return Scratch.rounded(sizes.attended) + Scratch.rounded(sizes.group * qkvWidth)
            + team.size * (sizes.feedForward + sizes.branch + sizes.attention + sizes.converted)
            + (convolution.map { Scratch.rounded(batch.rows * hidden) + $0.scratchCount(batch) } ?? 0)
    }

    /// The sizes of the areas of `LayerExecution.Memory`.
    private struct MemorySizes {
        /// Rows of the largest group.
        let group: Int
        /// Floats of the shared area.
        let attended: Int
        /// Floats of one member's areas.
        let feedForward: Int
        let branch: Int
        let attention: Int
        let converted: Int

        init(_ stack: EncoderStack, _ batch: RaggedBatch, _ team: ThreadTeam) {
            group = min(max(stack.groupLimit(team), batch.longest), batch.rows)
            let block = min(stack.blockRows, group)
            feedForward = Scratch.rounded(block * stack.feedForward)
            attended = group * max(stack.hidden, stack.attentionWidth)
            let usesBranch = stack.layers.contains { layer in
                layer.attentionNorms.branch != nil || layer.feedForwardNorms.branch != nil
                    || layer.feedForwardNorms.pre != nil
            }
            branch = usesBranch ? Scratch.rounded(block * stack.hidden) : 0
            attention =
                stack.layers.map { Scratch.rounded(stack.bareAttention($0).scratchCount(longest: batch.longest)) }
                .max() ?? 0
            var most = 0
            for layer in stack.layers {
                for part in [
                    layer.attention.qkv, layer.attention.output, layer.feedForward.up, layer.feedForward.down,
                ] {
                    most = max(most, part.weight.dense.scratchCount(group, part.weight.inputs))
                }
            }
            converted = Scratch.rounded(most)
        }
    }

    private func groupLimit(_ team: ThreadTeam) -> Int { EncoderStack.groupRows * team.expectedMembers }

    /// Runs all layers.
    /// - Parameter x: [rows, hidden]: the embeddings on entry, the last layer's states on return.
    func run(
        _ batch: RaggedBatch, _ x: UnsafeMutablePointer<Float>, scratch: Scratch, results: inout [SequenceResult]
    ) {
        let team = scratch.team
        let sizes = MemorySizes(self, batch, team)
        let memory = LayerExecution.Memory(
            qkv: scratch.take(sizes.group * qkvWidth), attended: scratch.take(sizes.attended),
            feedForward: scratch.take(team.size * sizes.feedForward), branch: scratch.take(team.size * sizes.branch),
            attention: scratch.take(team.size * sizes.attention),
            converted: scratch.take(team.size * sizes.converted), feedForwardStride: sizes.feedForward,
            branchStride: sizes.branch, attentionStride: sizes.attention, convertedStride: sizes.converted)
        var maps = batch.requests.map(SelfAttention.attribution)
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
                    self, attention, batch, sequences, layer, memory, x + batch.offsets[first] * hidden,
                    control: scratch.control)
                group.angles = layer.attention.rotary.flatMap { angles[ObjectIdentifier($0)] } ?? []
                let makesMaps = maps[sequences].contains { $0?.wants(layer: index) ?? false }
                if makesMaps {
                    group.run(team) {
                        attention.run(
                            batch, sequences, qkv: memory.qkv, out: memory.attended, scratch: memory.attention,
                            layer: index, maps: &maps, control: scratch.control)
                    }
                } else {
                    group.run(team, attend: nil)
                }
                if scratch.control.isStopped { return }
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
        for i in results.indices where maps[i] != nil { results[i].attention = maps[i]?.maps(scratch.control) }
    }
}
