import Kernels

/// The execution of one encoder layer over a group of sequences, shared by the members of a team.
///
///     h = pre(x)                                     project: chunks of rows
///     qkv = h · Wqkvᵀ + bqkv
///     q, k = rotary(queryNorm(q)), rotary(keyNorm(k))
///     attended = softmax(scale · q·kᵀ + bias) · v    attend: chunks of sequences × heads
///     x = post(x + branch(attended · Woᵀ + bo))      finish: chunks of rows
///     h = pre(x)
///     up = activation(h · Wupᵀ + bup), or activation(h · Wgateᵀ) ⊙ (h · Wupᵀ)
///     x = post(x + branch(up · Wdownᵀ + bdown))
///
/// Norms that a family lacks are left out. Rows can be so few that every member would read all weights for less than a tile
/// of them. Then dense layers are cut by columns of the weights instead, and the leader computes the norms. No cut changes a
/// bit of the results: a row's sums do not depend on its neighbors, nor a column's.
struct LayerExecution: ParallelWork {
    let stack: EncoderStack
    let attention: SelfAttentionPass
    let batch: RaggedBatch
    /// The sequences of the group.
    let sequences: Range<Int>
    let layer: EncoderLayer
    let memory: Memory
    /// [rows, hidden]: the layer's input, then its output.
    let x: UnsafeMutablePointer<Float>
    /// Tells whether to go on; the results are incomplete if not.
    let control: PassControl
    /// Rows of all sequences of the group.
    let rows: Int
    /// The rotary angles of every sequence of the batch, in batch order; empty if the layer has no rotary positions.
    var angles: [RotaryAngles] = []
    private var phase = Phase.project
    private var chunks = 1

    /// Scratch memory for a layer. The members share `qkv` and `attended`; of the other areas each has its own.
    struct Memory {
        /// [rows, (heads + 2 · keyValueHeads) · headDim]: queries, keys and values.
        let qkv: UnsafeMutablePointer<Float>
        /// [rows, heads · headDim]: the result of attention. Before that, [rows, hidden]: the layer's input after `pre`.
        let attended: UnsafeMutablePointer<Float>
        /// [members, block, feedForward]: the activations between the two feed-forward layers.
        let feedForward: UnsafeMutablePointer<Float>
        /// [members, block, hidden]: the input of a sublayer after `pre`, or its result before `branch`.
        let branch: UnsafeMutablePointer<Float>
        /// [members, `SelfAttentionPass.scratchCount`]: the scratch of attention.
        let attention: UnsafeMutablePointer<Float>
        /// [members, `DenseKernels.scratchCount`]: rows converted to the precision of a dense layer.
        let converted: UnsafeMutablePointer<Float>
        /// Floats from one member's area to the next.
        let feedForwardStride: Int
        let branchStride: Int
        let attentionStride: Int
        let convertedStride: Int
    }

    private enum Phase {
        case project, attend, finish
        case columns(DenseCall)
    }

    /// A dense layer over all rows of the group.
    private struct DenseCall {
        let layer: Linear
        let a: UnsafePointer<Float>
        var gated: Int?
        var residual: UnsafePointer<Float>?
        var activation = Activation.identity
        let out: UnsafeMutablePointer<Float>
    }

    /// Multiplications, some 10 ms, between two looks at the pass's control.
    private static let uncheckedWork = 1 << 28

    /// Rows of a member below which columns are shared instead: a tile of the widest kernels.
    private static let leastRows = 12

    init(
        _ stack: EncoderStack, _ attention: SelfAttentionPass, _ batch: RaggedBatch, _ sequences: Range<Int>,
        _ layer: EncoderLayer, _ memory: Memory, _ x: UnsafeMutablePointer<Float>, control: PassControl
    ) {
        self.stack = stack
        self.attention = attention
        self.batch = batch
        self.sequences = sequences
        self.layer = layer
        self.memory = memory
        self.x = x
        self.control = control
        rows = batch.lengths[sequences].reduce(0, +)
    }

    private var hidden: Int { stack.hidden }
    private var qkvWidth: Int { stack.qkvWidth }
    private var kernels: KernelTable { stack.kernels }
    /// The input of the query, key and value projections.
    private var input: UnsafeMutablePointer<Float> { layer.attentionNorms.pre == nil ? x : memory.attended }

    // MARK: Phases

    /// Runs the layer.
    /// - Parameter attend: Runs attention with weight maps on the leader's thread. `nil` lets the team run it without.
    mutating func run(_ team: ThreadTeam, attend: (() -> Void)?) {
        let projecting = rows * qkvWidth * hidden
        let attending =
            batch.lengths[sequences].reduce(0) { $0 + $1 * $1 } * attention.heads
            * (attention.headDim + attention.valueDim)
        let finishing =
            rows * hidden * (stack.attentionWidth + (layer.feedForward.isGated ? 3 : 2) * layer.feedForward.width)
        let members = team.members(for: projecting + attending + finishing)
        let byColumns = members > 1 && rows < LayerExecution.leastRows * members
        if byColumns {
            layer.attentionNorms.pre?.apply(kernels, x, memory.attended, rows: rows, width: hidden)
            share(team, members, DenseCall(layer: layer.attention.qkv, a: input, out: memory.qkv))
            positionHeads(0..<rows)
        } else {
            share(team, .project, chunks: min(rowChunks(members), team.worth(projecting)))
        }
        if let attend {
            attend()
        } else {
            let heads = sequences.count * attention.heads
            let most = members == 1 ? attending / LayerExecution.uncheckedWork : min(8 * members, team.worth(attending))
            share(team, .attend, chunks: max(1, min(heads, most)))
        }
        if byColumns {
            finishByColumns(team, members)
        } else {
            share(team, .finish, chunks: min(rowChunks(members), team.worth(finishing)))
        }
    }

    /// The number of blocks of rows of nearly equal size, the same for each member.
    private func rowChunks(_ members: Int) -> Int {
        // A group of one long sequence is divided so that the pass can be stopped.
        if members == 1 { return max(1, rows / 256) }
        let share = (rows + members - 1) / members
        return (share + stack.blockRows - 1) / stack.blockRows * members
    }

    private mutating func share(_ team: ThreadTeam, _ phase: Phase, chunks: Int) {
        self.phase = phase
        self.chunks = chunks
        team.run(chunks, self)
    }

    private mutating func share(_ team: ThreadTeam, _ members: Int, _ call: DenseCall) {
        let panels = (call.layer.weight.outputs + kernels.panelWidth - 1) / kernels.panelWidth
        share(
            team, .columns(call),
            chunks: min(members, panels, team.worth(rows * call.layer.weight.outputs * call.layer.weight.inputs)))
    }

    static let runChunk: ThreadTeam.ChunkFunction = { work, chunk, member in
        work.assumingMemoryBound(to: LayerExecution.self).pointee.run(chunk, member)
    }

    private func run(_ chunk: Int, _ member: Int) {
        if member == 0 ? !control.shouldContinue() : control.isStopped { return }
        func range(_ count: Int) -> Range<Int> { chunk * count / chunks..<(chunk + 1) * count / chunks }
        let converted = memory.converted + member * memory.convertedStride
        switch phase {
        case .project:
            let range = range(rows)
            let x = x + range.lowerBound * hidden
            let normed = memory.attended + range.lowerBound * hidden
            let norm = layer.attentionNorms.pre
            norm?.apply(kernels, x, normed, rows: range.count, width: hidden)
            layer.attention.qkv.apply(
                norm == nil ? x : normed, out: memory.qkv + range.lowerBound * qkvWidth, rows: range.count,
                scratch: converted)
            positionHeads(range)
        case .attend:
            for item in range(sequences.count * attention.heads) {
                let sequence = sequences.lowerBound + item / attention.heads
                attention.run(
                    batch, sequence, head: item % attention.heads,
                    row: batch.offsets[sequence] - batch.offsets[sequences.lowerBound], qkv: memory.qkv,
                    out: memory.attended, scratch: memory.attention + member * memory.attentionStride)
            }
        case .finish:
            let range = range(rows)
            // Blocks are of nearly equal length: a few rows left over would read all weights for next to nothing.
            let blocks = (range.count + stack.blockRows - 1) / stack.blockRows
            var row = range.lowerBound
            for block in 0..<blocks {
                let count = range.lowerBound + (block + 1) * range.count / blocks - row
                finish(
                    x + row * hidden, memory.attended + row * stack.attentionWidth,
                    feedForward: memory.feedForward + member * memory.feedForwardStride,
                    branch: memory.branch + member * memory.branchStride, converted: converted, rows: count)
                row += count
            }
        case .columns(let call):
            let panels = range((call.layer.weight.outputs + kernels.panelWidth - 1) / kernels.panelWidth)
            let columns =
                panels.lowerBound
                * kernels.panelWidth..<min(panels.upperBound * kernels.panelWidth, call.layer.weight.outputs)
            call.layer.apply(
                call.a, residual: call.residual, activation: call.activation, gated: call.gated,
                out: call.out, rows: rows, columns: columns, scratch: converted)
        }
    }

    /// Applies norms and rotary positions to the queries and keys of some rows of `qkv`.
    private func positionHeads(_ range: Range<Int>) {
        let part = layer.attention
        if part.queryNorm == nil, part.keyNorm == nil, angles.isEmpty { return }
        let (heads, groups) = (stack.heads, stack.keyValueHeads ?? stack.heads)
        var first = 0
        for sequence in sequences {
            let end = first + batch.lengths[sequence]
            for row in range.clamped(to: first..<end) {
                let queries = memory.qkv + row * qkvWidth
                let keys = queries + heads * stack.headDim
                part.queryNorm?.apply(kernels, queries, queries, rows: heads, width: stack.headDim)
                part.keyNorm?.apply(kernels, keys, keys, rows: groups, width: stack.headDim)
                if !angles.isEmpty {
                    angles[sequence].rotate(
                        queries, position: row - first, heads: heads + groups, headDim: stack.headDim, kernels)
                }
            }
            first = end
            if first >= range.upperBound { break }
        }
    }

    // MARK: After attention

    /// Computes the rest of a layer for some rows: output projection, feed-forward part, residuals and norms.
    /// - Parameters:
    ///   - x: [rows, hidden]: the layer's input on entry, its output on return.
    ///   - attended: [rows, heads · headDim]: the result of attention.
    ///   - feedForward: [rows, feedForward], for the activations.
    ///   - branch: [rows, hidden], for the norms.
    ///   - converted: The scratch of dense layers.
    private func finish(
        _ x: UnsafeMutablePointer<Float>, _ attended: UnsafePointer<Float>, feedForward: UnsafeMutablePointer<Float>,
        branch: UnsafeMutablePointer<Float>, converted: UnsafeMutablePointer<Float>, rows: Int
    ) {
        func sublayer(_ layer: Linear, _ a: UnsafePointer<Float>, _ norms: SublayerNorms) {
            if let norm = norms.branch {
                layer.apply(a, out: branch, rows: rows, scratch: converted)
                add(branch, norm, to: x, rows: rows)
            } else {
                layer.apply(a, residual: x, out: x, rows: rows, scratch: converted)
            }
            norms.post?.apply(kernels, x, x, rows: rows, width: hidden)
        }
        sublayer(layer.attention.output, attended, layer.attentionNorms)
        let part = layer.feedForward
        let pre = layer.feedForwardNorms.pre
        pre?.apply(kernels, x, branch, rows: rows, width: hidden)
        part.up.apply(
            pre == nil ? x : branch, activation: part.activation, gated: part.isGated ? part.width : nil,
            out: feedForward, rows: rows, scratch: converted)
        sublayer(part.down, feedForward, layer.feedForwardNorms)
    }

    /// Computes the rest of a layer for all rows, which are few: dense layers by columns, norms on the leader's thread.
    private mutating func finishByColumns(_ team: ThreadTeam, _ members: Int) {
        func call(_ layer: Linear, _ a: UnsafePointer<Float>, _ norms: SublayerNorms) -> DenseCall {
            norms.branch == nil
                ? DenseCall(layer: layer, a: a, residual: x, out: x)
                : DenseCall(layer: layer, a: a, out: memory.branch)
        }
        func finish(_ norms: SublayerNorms) {
            if let norm = norms.branch { add(memory.branch, norm, to: x, rows: rows) }
            norms.post?.apply(kernels, x, x, rows: rows, width: hidden)
        }
        share(team, members, call(layer.attention.output, memory.attended, layer.attentionNorms))
        finish(layer.attentionNorms)
        let part = layer.feedForward
        let pre = layer.feedForwardNorms.pre
        pre?.apply(kernels, x, memory.branch, rows: rows, width: hidden)
        share(
            team, members,
            DenseCall(
                layer: part.up, a: pre == nil ? x : memory.branch, gated: part.isGated ? part.width : nil,
                activation: part.activation, out: memory.feedForward))
        share(team, members, call(part.down, memory.feedForward, layer.feedForwardNorms))
        finish(layer.feedForwardNorms)
    }

    /// Computes x += norm(branch).
    private func add(
        _ branch: UnsafeMutablePointer<Float>, _ norm: Norm, to x: UnsafeMutablePointer<Float>, rows: Int
    ) {
        norm.apply(kernels, branch, branch, rows: rows, width: hidden)
        kernels.add(branch, x, rows * hidden)
    }
}
