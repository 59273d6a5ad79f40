import Kernels

/// One layer over a group of sequences, in regions that a team shares out: the query, key and value projections; attention;
/// and what follows it. Each is cut by rows, or by columns of the weights where rows are so few that every member would
/// read all weights for less than a tile of them. No cut changes a bit of the results: a row's sums do not depend on its
/// neighbors, nor a column's.
struct LayerExecution: ParallelWork {
    let stack: EncoderStack
    let attention: SelfAttentionPass
    let batch: RaggedBatch
    let sequences: Range<Int>
    let layer: EncoderLayer
    let memory: Memory
    /// [rows, hidden] of these sequences: the layer's input, then its output.
    let x: UnsafeMutablePointer<Float>
    let rows: Int
    /// Of each sequence of the batch, where the layer has rotary positions.
    var angles: [RotaryAngles] = []
    private var region = Phase.project
    private var parts = 1

    /// Scratch. `joined` and `y` are everybody's; of the others each member has its own.
    struct Memory {
        /// [group, the wider of hidden and attention's result] and [group, queries, keys and values]
        let y: UnsafeMutablePointer<Float>
        let joined: UnsafeMutablePointer<Float>
        /// [members, ...]: activations of a block of rows, attention's scratch, rows converted by dense layers.
        let inner: UnsafeMutablePointer<Float>
        /// [members, block, hidden]: what a sublayer with norms before or on its branch reads or makes.
        let branch: UnsafeMutablePointer<Float>
        let working: UnsafeMutablePointer<Float>
        let words: UnsafeMutablePointer<Float>
        /// Floats from one member's to the next's.
        let innerStride: Int
        let branchStride: Int
        let workingStride: Int
        let packedStride: Int
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

    /// Rows a member should have at least, or else columns are shared out: a tile of the widest kernels.
    private static let leastRows = 12

    init(
        _ stack: EncoderStack, _ attention: SelfAttentionPass, _ batch: RaggedBatch, _ sequences: Range<Int>,
        _ layer: EncoderLayer, _ memory: Memory, _ x: UnsafeMutablePointer<Float>
    ) {
        self.stack = stack
        self.attention = attention
        self.batch = batch
        self.sequences = sequences
        self.layer = layer
        self.memory = memory
        self.x = x
        rows = batch.lengths[sequences].reduce(0, +)
    }

    private var hidden: Int { stack.hidden }
    private var columns: Int { stack.joinedWidth }
    private var kernels: KernelTable { stack.kernels }
    /// What the query, key and value projections read.
    private var input: UnsafeMutablePointer<Float> { layer.attentionNorms.before == nil ? x : memory.y }

    // MARK: Regions

    /// - Parameter attend: runs attention itself, where it makes weight maps too; nil: the team does.
    mutating func run(_ team: ThreadTeam, attend: (() -> Void)?) {
        let projecting = rows * columns * hidden
        let attending =
            batch.lengths[sequences].reduce(0) { $0 + $1 * $1 } * attention.heads
            * (attention.headDim + attention.valueDim)
        let finishing =
            rows * hidden * (stack.attentionWidth + (layer.feedForward.isGated ? 3 : 2) * layer.feedForward.width)
        let members = team.members(for: projecting + attending + finishing)
        let byColumns = members > 1 && rows < LayerExecution.leastRows * members
        if byColumns {
            layer.attentionNorms.before?.apply(kernels, x, memory.y, rows: rows, width: hidden)
            share(team, members, DenseCall(layer: layer.attention.joined, a: input, out: memory.joined))
            positionHeads(0..<rows)
        } else {
            share(team, .project, parts: min(rowParts(members), team.worth(projecting)))
        }
        if let attend {
            attend()
        } else {
            let heads = sequences.count * attention.heads
            share(team, .attend, parts: members == 1 ? 1 : min(heads, 8 * members, team.worth(attending)))
        }
        if byColumns {
            finishByColumns(team, members)
        } else {
            share(team, .finish, parts: min(rowParts(members), team.worth(finishing)))
        }
    }

    /// Blocks of nearly equal size, as many for each member.
    private func rowParts(_ members: Int) -> Int {
        if members == 1 { return 1 }
        let share = (rows + members - 1) / members
        return (share + stack.blockRows - 1) / stack.blockRows * members
    }

    private mutating func share(_ team: ThreadTeam, _ region: Phase, parts: Int) {
        self.region = region
        self.parts = parts
        team.run(parts, self)
    }

    private mutating func share(_ team: ThreadTeam, _ members: Int, _ call: DenseCall) {
        let panels = (call.layer.weight.outputs + kernels.panelWidth - 1) / kernels.panelWidth
        share(
            team, .columns(call),
            parts: min(members, panels, team.worth(rows * call.layer.weight.outputs * call.layer.weight.inputs)))
    }

    static let runPart: ThreadTeam.PartFunction = { work, part, member in
        work.assumingMemoryBound(to: LayerExecution.self).pointee.run(part, member)
    }

    private func run(_ part: Int, _ member: Int) {
        func range(_ count: Int) -> Range<Int> { part * count / parts..<(part + 1) * count / parts }
        let words = memory.words + member * memory.packedStride
        switch region {
        case .project:
            let range = range(rows)
            let (x, y) = (x + range.lowerBound * hidden, memory.y + range.lowerBound * hidden)
            let norm = layer.attentionNorms.before
            norm?.apply(kernels, x, y, rows: range.count, width: hidden)
            layer.attention.joined.apply(
                norm == nil ? x : y, out: memory.joined + range.lowerBound * columns, rows: range.count,
                scratch: words)
            positionHeads(range)
        case .attend:
            for item in range(sequences.count * attention.heads) {
                let sequence = sequences.lowerBound + item / attention.heads
                attention.run(
                    batch, sequence, head: item % attention.heads,
                    row: batch.offsets[sequence] - batch.offsets[sequences.lowerBound], joined: memory.joined,
                    out: memory.y, scratch: memory.working + member * memory.workingStride)
            }
        case .finish:
            let range = range(rows)
            let inner = memory.inner + member * memory.innerStride
            // Of nearly equal length: a few rows left over would read all weights for next to nothing.
            let blocks = (range.count + stack.blockRows - 1) / stack.blockRows
            var row = range.lowerBound
            for block in 0..<blocks {
                let count = range.lowerBound + (block + 1) * range.count / blocks - row
                finish(
                    x + row * hidden, memory.y + row * stack.attentionWidth, inner,
                    memory.branch + member * memory.branchStride, words, rows: count)
                row += count
            }
        case .columns(let call):
            let panels = range((call.layer.weight.outputs + kernels.panelWidth - 1) / kernels.panelWidth)
            let columns =
                panels.lowerBound
                * kernels.panelWidth..<min(panels.upperBound * kernels.panelWidth, call.layer.weight.outputs)
            call.layer.apply(
                call.a, residual: call.residual, activation: call.activation, gated: call.gated,
                out: call.out,
                rows: rows, columns: columns, scratch: words)
        }
    }

    /// Norms and rotary positions of the queries and keys of some rows of `joined`.
    private func positionHeads(_ range: Range<Int>) {
        let part = layer.attention
        if part.queryNorm == nil, part.keyNorm == nil, angles.isEmpty { return }
        let (heads, groups) = (stack.heads, stack.keyValueHeads ?? stack.heads)
        var first = 0
        for sequence in sequences {
            let end = first + batch.lengths[sequence]
            for row in range.clamped(to: first..<end) {
                let queries = memory.joined + row * columns
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

    /// The rest of a layer for some rows: output projection, feed-forward, residuals and norms.
    /// - Parameters:
    ///   - x: [rows, hidden]: the layer's input on entry, its output on return.
    ///   - y: [rows, attentionWidth]: the attention's result.
    ///   - branch: [rows, hidden], to work in.
    private func finish(
        _ x: UnsafeMutablePointer<Float>, _ y: UnsafePointer<Float>, _ inner: UnsafeMutablePointer<Float>,
        _ branch: UnsafeMutablePointer<Float>, _ words: UnsafeMutablePointer<Float>, rows: Int
    ) {
        func sublayer(_ layer: Linear, _ a: UnsafePointer<Float>, _ norms: SublayerNorms) {
            if let norm = norms.branch {
                layer.apply(a, out: branch, rows: rows, scratch: words)
                add(branch, norm, to: x, rows: rows)
            } else {
                layer.apply(a, residual: x, out: x, rows: rows, scratch: words)
            }
            norms.after?.apply(kernels, x, x, rows: rows, width: hidden)
        }
        sublayer(layer.attention.output, y, layer.attentionNorms)
        let part = layer.feedForward
        let before = layer.feedForwardNorms.before
        before?.apply(kernels, x, branch, rows: rows, width: hidden)
        part.up.apply(
            before == nil ? x : branch, activation: part.activation, gated: part.isGated ? part.width : nil,
            out: inner, rows: rows, scratch: words)
        sublayer(part.down, inner, layer.feedForwardNorms)
    }

    /// `finish` for all rows, of which there are few: the norms are the leader's.
    private mutating func finishByColumns(_ team: ThreadTeam, _ members: Int) {
        func call(_ layer: Linear, _ a: UnsafePointer<Float>, _ norms: SublayerNorms) -> DenseCall {
            norms.branch == nil
                ? DenseCall(layer: layer, a: a, residual: x, out: x)
                : DenseCall(layer: layer, a: a, out: memory.branch)
        }
        func finish(_ norms: SublayerNorms) {
            if let norm = norms.branch { add(memory.branch, norm, to: x, rows: rows) }
            norms.after?.apply(kernels, x, x, rows: rows, width: hidden)
        }
        share(team, members, call(layer.attention.output, memory.y, layer.attentionNorms))
        finish(layer.attentionNorms)
        let part = layer.feedForward
        let before = layer.feedForwardNorms.before
        before?.apply(kernels, x, memory.branch, rows: rows, width: hidden)
        share(
            team, members,
            DenseCall(
                layer: part.up, a: before == nil ? x : memory.branch, gated: part.isGated ? part.width : nil,
                activation: part.activation, out: memory.inner))
        share(team, members, call(part.down, memory.inner, layer.feedForwardNorms))
        finish(layer.feedForwardNorms)
    }

    /// x += norm(branch)
    private func add(
        _ branch: UnsafeMutablePointer<Float>, _ norm: Norm, to x: UnsafeMutablePointer<Float>, rows: Int
    ) {
        norm.apply(kernels, branch, branch, rows: rows, width: hidden)
        kernels.add(branch, x, rows * hidden)
    }
}
