import Kernels

/// Attention of every sequence and head of a batch, over one matrix that holds the queries, keys and values of all tokens
/// side by side; and the weight maps that are asked of it.
struct SelfAttentionPass {
    let kernels: KernelTable
    let attention: AttentionKernels
    let heads: Int
    let headDim: Int
    let valueDim: Int
    let scale: Float
    /// Heads of keys and values, each of which serves as many heads of queries (Ainslie et al. 2023, grouped-query
    /// attention); nil: `heads`.
    var keyValueHeads: Int?
    /// Which keys each query sees.
    var span = AttentionSpan.all
    /// Added to the scores by the distance of key and query.
    var relative: RelativeBiasRows?
    /// Soft cap of the scores, or 0.
    var cap: Float = 0
    /// DeBERTa's; without span, cap and grouped keys then.
    var disentangled: DisentangledBias?

    private var groups: Int { keyValueHeads ?? heads }

    /// Columns of the joined matrix: all heads' queries, then keys, then values.
    var columns: Int { heads * headDim + groups * (headDim + valueDim) }
    /// Columns of the result: the heads' values side by side.
    var outputs: Int { heads * valueDim }

    /// Floats of scratch for sequences of up to `longest` tokens.
    func scratchCount(longest: Int) -> Int {
        if let disentangled {
            return DisentangledHead.scratchCount(disentangled, kernels, longest: longest, headDim: headDim)
        }
        return max(
            attention.scratchCount(longest, longest, headDim, valueDim),
            attention.scratchCount(longest, longest, headDim, 0))
            + Scratch.rounded(2 * longest)
    }

    /// A head with a disentangled bias; nil where the layer has none.
    /// - Parameters:
    ///   - rows: [length, columns], the sequence's.
    ///   - scratch: `scratchCount` floats, 64-byte aligned.
    private func disentangledHead(
        _ head: Int, rows: UnsafePointer<Float>, length: Int, scratch: UnsafeMutablePointer<Float>
    ) -> DisentangledHead? {
        guard let disentangled else { return nil }
        return DisentangledHead(
            disentangled, kernels, head: head, length: length, headDim: headDim, scale: scale, q: rows + head * headDim,
            k: rows + (heads + head) * headDim, v: rows + 2 * heads * headDim + head * valueDim, ld: columns,
            scratch: scratch)
    }

    /// - Parameters:
    ///   - sequences: those of the batch to run.
    ///   - joined: [rows, columns], the rows of these sequences.
    ///   - out: [rows, outputs], likewise.
    ///   - scratch: `scratchCount` floats, 64-byte aligned.
    ///   - layer: 0 … L − 1, for the maps.
    ///   - maps: one a sequence; those whose sequence wants this layer are given its part.
    func run(
        _ batch: RaggedBatch, _ sequences: Range<Int>, joined: UnsafePointer<Float>, out: UnsafeMutablePointer<Float>,
        scratch: UnsafeMutablePointer<Float>, layer: Int, maps: inout [RawAttention?]
    ) {
        let statistics = scratch
        let working = scratch + Scratch.rounded(2 * batch.longest)
        var row = 0
        for sequence in sequences {
            let length = batch.lengths[sequence]
            let rows = joined + row * columns
            let target = out + row * outputs
            row += length
            let wanted = maps[sequence]?.selection.layers.contains(layer) ?? false
            for head in 0..<heads {
                let (q, k, v) = parts(rows, head)
                let wantsHead = wanted && maps[sequence]?.selection.heads.contains(head) == true
                if let disentangled = disentangledHead(head, rows: rows, length: length, scratch: scratch) {
                    disentangled.attend(target + head * valueDim, ldOut: outputs)
                    guard wantsHead else { continue }
                    maps[sequence]?.add(layer: layer, head: head) { queries, weights in
                        disentangled.weights(queries, weights)
                        return reconstructionError(
                            weights, queries, keys: length, v: v, used: target + head * valueDim)
                    }
                    continue
                }
                attention.run(
                    AttentionArguments(
                        q: q, ldq: columns, k: k, ldk: columns, v: v, ldv: columns, out: target + head * valueDim,
                        ldOut: outputs, statistics: wantsHead ? statistics : nil, queries: length, keys: length,
                        headDim: headDim, valueDim: valueDim, scale: scale, span: span, modifier: modifier(head),
                        scratch: working))
                guard wantsHead else { continue }
                maps[sequence]?.add(layer: layer, head: head) { queries, weights in
                    guard let positions = queries.baseAddress else { return 0 }
                    attention.weights(
                        AttentionWeightsArguments(
                            q: q, ldq: columns, k: k, ldk: columns, statistics: statistics, rows: positions,
                            rowCount: queries.count, keys: length, headDim: headDim, scale: scale, span: span,
                            modifier: modifier(head), out: weights, scratch: working))
                    return reconstructionError(
                        weights, queries, keys: length, v: v, used: target + head * valueDim)
                }
            }
        }
    }

    /// One head of one sequence, without a map.
    /// - Parameters:
    ///   - row: the sequence's first in `joined` [rows, columns] and `out` [rows, outputs].
    ///   - scratch: `scratchCount` floats, 64-byte aligned.
    func run(
        _ batch: RaggedBatch, _ sequence: Int, head: Int, row: Int, joined: UnsafePointer<Float>,
        out: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        let length = batch.lengths[sequence]
        let rows = joined + row * columns
        if let disentangled = disentangledHead(head, rows: rows, length: length, scratch: scratch) {
            return disentangled.attend(out + row * outputs + head * valueDim, ldOut: outputs)
        }
        let (q, k, v) = parts(rows, head)
        attention.run(
            AttentionArguments(
                q: q, ldq: columns, k: k, ldk: columns, v: v, ldv: columns,
                out: out + row * outputs + head * valueDim, ldOut: outputs, queries: length, keys: length,
                headDim: headDim, valueDim: valueDim, scale: scale, span: span, modifier: modifier(head),
                scratch: scratch))
    }

    /// Where a head's query, key and value begin in a sequence's first row.
    private func parts(
        _ rows: UnsafePointer<Float>, _ head: Int
    ) -> (q: UnsafePointer<Float>, k: UnsafePointer<Float>, v: UnsafePointer<Float>) {
        let group = head * groups / heads
        let values = rows + (heads + groups) * headDim
        return (rows + head * headDim, rows + (heads + group) * headDim, values + group * valueDim)
    }

    private func modifier(_ head: Int) -> ScoreModifier? {
        if let relative { return relative.modifier(head: head, cap: cap) }
        return cap > 0 ? ScoreModifier(cap: cap) : nil
    }

    /// The largest |A·V − what the layer really used|.
    private func reconstructionError(
        _ weights: UnsafePointer<Float>, _ queries: UnsafeBufferPointer<Int32>, keys: Int, v: UnsafePointer<Float>,
        used: UnsafePointer<Float>
    ) -> Float {
        // The dense kernel takes Vᵀ [valueDim, keys].
        var transposed = [Float](repeating: 0, count: valueDim * keys)
        for key in 0..<keys {
            for i in 0..<valueDim { transposed[i * keys + key] = v[key * columns + i] }
        }
        var packed = [Float](repeating: 0, count: kernels.f32.packedCount(valueDim, keys))
        var rebuilt = [Float](repeating: 0, count: queries.count * valueDim)
        packed.withUnsafeMutableBufferPointer { packed in
            rebuilt.withUnsafeMutableBufferPointer { rebuilt in
                transposed.withUnsafeBufferPointer { transposed in
                    guard let p = packed.baseAddress, let r = rebuilt.baseAddress, let t = transposed.baseAddress else {
                        return
                    }
                    kernels.f32.pack(t, keys, valueDim, keys, p)
                    kernels.f32.run(
                        DenseArguments(
                            a: weights, lda: keys, packed: p, bias: nil, out: r, ldOut: valueDim, m: queries.count,
                            n: valueDim, k: keys))
                }
            }
        }
        var error: Float = 0
        for (row, query) in queries.enumerated() {
            for i in 0..<valueDim {
                error = max(error, abs(rebuilt[row * valueDim + i] - used[Int(query) * outputs + i]))
            }
        }
        return error
    }
}

/// The raw weight maps of one sequence, filled layer by layer.
struct RawAttention {
    let selection: AttentionSelection
    private let length: Int
    private let queries: [Int32]
    private var weights: [Float]
    private var reconstructionMaxError: Float = 0
    private var rowSumMaxError: Float = 0

    /// nil where the request wants no maps, or some of rows that its sequence lacks.
    init?(_ request: SequenceRequest) {
        guard let selection = request.outputs.attention, selection.method == .raw,
            selection.queries?.allSatisfy((0..<request.length).contains) ?? true
        else { return nil }
        self.selection = selection
        length = request.length
        queries = (selection.queries ?? Array(0..<request.length)).map { Int32($0) }
        weights = [Float](
            repeating: 0, count: selection.layers.count * selection.heads.count * queries.count * request.length)
    }

    /// Has `fill` write the map [queries, length] of a layer and head and tell its reconstruction error; a layer or head
    /// asked for more than once is copied.
    mutating func add(
        layer: Int, head: Int, _ fill: (UnsafeBufferPointer<Int32>, UnsafeMutablePointer<Float>) -> Float
    ) {
        let size = queries.count * length
        var first: Int?
        for (i, wantedLayer) in selection.layers.enumerated() where wantedLayer == layer {
            for (j, wantedHead) in selection.heads.enumerated() where wantedHead == head {
                let place = (i * selection.heads.count + j) * size
                if let first {
                    for n in 0..<size { weights[place + n] = weights[first + n] }
                    continue
                }
                first = place
                fillMap(place, fill)
            }
        }
    }

    private mutating func fillMap(
        _ place: Int, _ fill: (UnsafeBufferPointer<Int32>, UnsafeMutablePointer<Float>) -> Float
    ) {
        let length = length
        let (reconstruction, sums) = weights.withUnsafeMutableBufferPointer { weights in
            queries.withUnsafeBufferPointer { queries -> (Float, Float) in
                guard let base = weights.baseAddress, !queries.isEmpty else { return (0, 0) }
                let map = base + place
                let reconstruction = fill(queries, map)
                var worst = 0.0
                for row in 0..<queries.count {
                    var sum = 0.0
                    for key in 0..<length { sum += Double(map[row * length + key]) }
                    worst = max(worst, abs(sum - 1))
                }
                return (reconstruction, Float(worst))
            }
        }
        reconstructionMaxError = max(reconstructionMaxError, reconstruction)
        rowSumMaxError = max(rowSumMaxError, sums)
    }

    var maps: AttentionMaps {
        AttentionMaps(
            axes: ["layer", "head", "query", "key"],
            shape: [selection.layers.count, selection.heads.count, queries.count, length], weights: weights,
            reconstructionMaxError: reconstructionMaxError, rowSumMaxError: rowSumMaxError)
    }
}
