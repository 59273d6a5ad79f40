import Kernels

/// The attention of a layer, with the weight maps that requests want. One matrix holds the queries, keys and values of all
/// tokens side by side.
struct SelfAttentionPass {
    let kernels: KernelTable
    let attention: AttentionKernels
    let heads: Int
    let headDim: Int
    let valueDim: Int
    let scale: Float
    /// Heads of keys and values, each of which serves the same number of heads of queries (grouped-query attention,
    /// Ainslie et al. 2023, https://arxiv.org/abs/2305.13245). `nil` if there are as many as of queries.
    var keyValueHeads: Int?
    /// The keys that each query attends to.
    var span = AttentionSpan.all
    /// The bias of the scores by the distance of key and query. `nil` if there is none.
    var relative: RelativePositionBiasRows?
    /// Soft cap of the scores; 0 for none.
    var cap: Float = 0
    /// DeBERTa's bias, which comes without span, cap and grouped keys. `nil` if there is none.
    var disentangled: DisentangledBias?

    private var groups: Int { keyValueHeads ?? heads }

    /// Columns of `qkv`: all heads' queries, then keys, then values.
    var columns: Int { heads * headDim + groups * (headDim + valueDim) }
    /// Columns of the result, the heads' values side by side.
    var outputs: Int { heads * valueDim }

    /// Returns the floats of scratch for sequences of up to `longest` tokens.
    func scratchCount(longest: Int) -> Int {
        if let disentangled {
            return DisentangledHead.scratchCount(disentangled, kernels, longest: longest, headDim: headDim)
        }
        return max(
            attention.scratchCount(longest, longest, headDim, valueDim),
            attention.scratchCount(longest, longest, headDim, 0))
            + Scratch.rounded(2 * longest)
    }

    /// Prepares a head with a disentangled bias. `nil` if the layer has none.
    /// - Parameters:
    ///   - rows: The sequence's rows, [length, columns].
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

    /// Runs all heads of some sequences, with their weight maps.
    /// - Parameters:
    ///   - sequences: The sequences of the batch to run.
    ///   - qkv: [rows, columns], the rows of these sequences.
    ///   - out: [rows, outputs], the rows of these sequences.
    ///   - scratch: `scratchCount` floats, 64-byte aligned.
    ///   - layer: 0 … L − 1, for the maps.
    ///   - maps: The recorders of all sequences of the batch; `nil` for a sequence that wants no maps.
    ///   - control: Tells whether to go on; the results are incomplete if not.
    func run(
        _ batch: RaggedBatch, _ sequences: Range<Int>, qkv: UnsafePointer<Float>, out: UnsafeMutablePointer<Float>,
        scratch: UnsafeMutablePointer<Float>, layer: Int,
        maps: inout [(any SelfAttentionAttribution)?], control: PassControl
    ) {
        let statistics = scratch
        let working = scratch + Scratch.rounded(2 * batch.longest)
        var row = 0
        for sequence in sequences {
            let length = batch.lengths[sequence]
            let rows = qkv + row * columns
            let target = out + row * outputs
            row += length
            for head in 0..<heads {
                guard control.shouldContinue() else { return }
                let (q, k, v) = parts(rows, head)
                let wantsHead = maps[sequence]?.wants(layer: layer, head: head) ?? false
                if let disentangled = disentangledHead(head, rows: rows, length: length, scratch: scratch) {
                    disentangled.attend(target + head * valueDim, ldOut: outputs)
                    guard wantsHead else { continue }
                    maps[sequence]?.record(
                        HeadTrace(layer: layer, head: head) { queries, weights in
                            disentangled.weights(queries, weights)
                            return reconstructionError(
                                weights, queries, keys: length, v: v, used: target + head * valueDim)
                        })
                    continue
                }
                attend(
                    head, rows, out: target + head * valueDim, length: length, scratch: working,
                    statistics: wantsHead ? statistics : nil)
                guard wantsHead else { continue }
                maps[sequence]?.record(
                    HeadTrace(layer: layer, head: head) { queries, weights in
                        guard let positions = queries.baseAddress else { return 0 }
                        attention.weights(
                            AttentionWeightsArguments(
                                q: q, ldq: columns, k: k, ldk: columns, statistics: statistics, rows: positions,
                                rowCount: queries.count, keys: length, headDim: headDim, scale: scale, span: span,
                                modifier: modifier(head), out: weights, scratch: working))
                        return reconstructionError(
                            weights, queries, keys: length, v: v, used: target + head * valueDim)
                    })
            }
        }
    }

    /// Runs one head of one sequence, without a weight map.
    /// - Parameters:
    ///   - row: The sequence's first row in `qkv` [rows, columns] and `out` [rows, outputs].
    ///   - scratch: `scratchCount` floats, 64-byte aligned.
    func run(
        _ batch: RaggedBatch, _ sequence: Int, head: Int, row: Int, qkv: UnsafePointer<Float>,
        out: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        let length = batch.lengths[sequence]
        let rows = qkv + row * columns
        if let disentangled = disentangledHead(head, rows: rows, length: length, scratch: scratch) {
            return disentangled.attend(out + row * outputs + head * valueDim, ldOut: outputs)
        }
        attend(head, rows, out: out + row * outputs + head * valueDim, length: length, scratch: scratch)
    }

    /// Runs one head of one sequence without a disentangled bias.
    /// - Parameters:
    ///   - rows: The sequence's rows, [length, columns].
    ///   - out: The head's columns of the sequence's first row, [length, outputs].
    ///   - statistics: The place for each row's maximum and sum of exponentials. `nil` if they are not wanted.
    private func attend(
        _ head: Int, _ rows: UnsafePointer<Float>, out: UnsafeMutablePointer<Float>, length: Int,
        scratch: UnsafeMutablePointer<Float>, statistics: UnsafeMutablePointer<Float>? = nil
    ) {
        let (q, k, v) = parts(rows, head)
        attention.run(
            AttentionArguments(
                q: q, ldq: columns, k: k, ldk: columns, v: v, ldv: columns, out: out, ldOut: outputs,
                statistics: statistics, queries: length, keys: length, headDim: headDim, valueDim: valueDim,
                scale: scale, span: span, modifier: modifier(head), scratch: scratch))
    }

    /// Returns the query, key and value of a head in a sequence's first row.
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

    /// Returns the largest |A·V − the result that the layer used|.
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
