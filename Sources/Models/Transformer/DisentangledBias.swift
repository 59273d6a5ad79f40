import Kernels

/// The bias of DeBERTa's disentangled attention (He et al. 2021, https://arxiv.org/abs/2006.03654, section 3.1;
/// transformers' DisentangledSelfAttention). The score of query i and key j has products of each with an embedding of
/// their distance,
///
///     score(i, j) = scale · (q_i · k_j + q_i · keys[δ(i − j)] + k_j · queries[δ(i − j)])
///
/// The embeddings do not depend on the input. Projected for a head and scaled, they are weights that are packed once. A
/// pass multiplies a sequence's keys by the one, [length, distances], and blocks of queries by the other. It picks the
/// bias of each pair from the two products. Memory grows with the length, not with its square.
struct DisentangledBias: Sendable {
    let distances: RelativeDistances
    /// The embeddings that queries meet ("content to position"), one weight [distances, headDim] a head; empty for
    /// none.
    let keys: [PackedWeight]
    /// The embeddings that keys meet ("position to content"), one weight [distances, headDim] a head; empty for none.
    let queries: [PackedWeight]

    /// Queries that go through scores, softmax and values at once.
    fileprivate static let blockRows = 96
}

/// Attention of one head of one sequence with a disentangled bias, computed by dense layers. The sequence's keys and
/// values are packed as weights. A block of queries is multiplied by the keys, with its biases as the residual, and the
/// softmax by the values.
struct DisentangledHead {
    let bias: DisentangledBias
    let kernels: KernelTable
    let head: Int
    let length: Int
    let headDim: Int
    let scale: Float
    /// The queries, keys and values, [length, headDim] each, rows `ld` floats apart.
    let q: UnsafePointer<Float>
    let k: UnsafePointer<Float>
    let v: UnsafePointer<Float>
    let ld: Int
    private let areas: ScratchAreas
    /// The distances within the sequence, from the start of a panel on.
    private let columns: Range<Int>

    /// The offsets of the areas of scratch, in floats.
    private struct ScratchAreas {
        private(set) var total = 0
        /// The packed keys [length, headDim] and values [headDim, length].
        var keys = 0, values = 0
        /// The products of every key and every distance's query, [length, distances]. Before that, the transposed
        /// values.
        var keyTerms = 0
        /// The queries [block, headDim], first as they are, then scaled.
        var queries = 0
        /// The products of every query and every distance's key, [block, distances].
        var queryTerms = 0
        /// The biases, then the scores, then the weights, [block, length].
        var scores = 0

        init(_ bias: DisentangledBias, _ kernels: KernelTable, length: Int, headDim: Int) {
            let block = min(length, DisentangledBias.blockRows)
            let distances = bias.distances.count
            keys = take(kernels.f32.packedCount(length, headDim))
            values = take(kernels.f32.packedCount(headDim, length))
            keyTerms = take(length * max(bias.queries.isEmpty ? 0 : distances, headDim))
            queries = take(block * headDim)
            queryTerms = take(bias.keys.isEmpty ? 0 : block * distances)
            scores = take(block * length)
        }

        private mutating func take(_ count: Int) -> Int {
            defer { total += Scratch.rounded(count) }
            return total
        }
    }

    /// Returns the floats of scratch for sequences of up to `longest` tokens.
    static func scratchCount(_ bias: DisentangledBias, _ kernels: KernelTable, longest: Int, headDim: Int) -> Int {
        ScratchAreas(bias, kernels, length: longest, headDim: headDim).total
    }

    private let scratch: UnsafeMutablePointer<Float>

    /// Packs the keys and values of a head.
    /// - Parameter scratch: `scratchCount` floats, 64-byte aligned, used while this value lives.
    init(
        _ bias: DisentangledBias, _ kernels: KernelTable, head: Int, length: Int, headDim: Int, scale: Float,
        q: UnsafePointer<Float>, k: UnsafePointer<Float>, v: UnsafePointer<Float>, ld: Int,
        scratch: UnsafeMutablePointer<Float>
    ) {
        (self.bias, self.kernels, self.head, self.length, self.headDim, self.scale) =
            (bias, kernels, head, length, headDim, scale)
        (self.q, self.k, self.v, self.ld, self.scratch) = (q, k, v, ld, scratch)
        areas = ScratchAreas(bias, kernels, length: length, headDim: headDim)
        let used = bias.distances.range(length)
        columns = used.lowerBound / kernels.panelWidth * kernels.panelWidth..<used.upperBound

        kernels.f32.pack(k, ld, length, headDim, scratch + areas.keys)
        let turned = scratch + areas.keyTerms
        for j in 0..<length {
            for i in 0..<headDim { turned[i * length + j] = v[j * ld + i] }
        }
        kernels.f32.pack(turned, length, headDim, length, scratch + areas.values)
        if !bias.queries.isEmpty {
            bias.queries[head].multiply(k, ld, rows: length, columns, scratch + areas.keyTerms)
        }
    }

    /// Computes the results of all queries.
    /// - Parameter out: [length, headDim], rows `ldOut` floats apart.
    func attend(_ out: UnsafeMutablePointer<Float>, ldOut: Int) {
        for first in stride(from: 0, to: length, by: DisentangledBias.blockRows) {
            let count = min(DisentangledBias.blockRows, length - first)
            let weights = weights(count) { first + $0 }
            kernels.f32.run(
                DenseArguments(
                    a: weights, lda: length, packed: scratch + areas.values, bias: nil, out: out + first * ldOut,
                    ldOut: ldOut, m: count, n: headDim, k: length))
        }
    }

    /// Writes the weights of some queries to `out`, [queries, length].
    func weights(_ queries: UnsafeBufferPointer<Int32>, _ out: UnsafeMutablePointer<Float>) {
        for first in stride(from: 0, to: queries.count, by: DisentangledBias.blockRows) {
            let count = min(DisentangledBias.blockRows, queries.count - first)
            let weights = weights(count) { Int(queries[first + $0]) }
            (out + first * length).update(from: weights, count: count * length)
        }
    }

    /// Computes the weights of a block of queries, [count, length], which are valid until the next call.
    private func weights(_ count: Int, _ position: (Int) -> Int) -> UnsafePointer<Float> {
        let queries = scratch + areas.queries
        for row in 0..<count { (queries + row * headDim).update(from: q + position(row) * ld, count: headDim) }
        let scores = scratch + areas.scores
        writeBiases(queries, count, position, scores)
        for i in 0..<count * headDim { queries[i] *= scale }
        kernels.f32.run(
            DenseArguments(
                a: queries, lda: headDim, packed: scratch + areas.keys, bias: nil, residual: scores,
                ldResidual: length, out: scores, ldOut: length, m: count, n: length, k: headDim))
        kernels.softmax(scores, count, length)
        return UnsafePointer(scores)
    }

    private func writeBiases(
        _ queries: UnsafePointer<Float>, _ count: Int, _ position: (Int) -> Int, _ out: UnsafeMutablePointer<Float>
    ) {
        let width = bias.distances.count
        let queryTerms = bias.keys.isEmpty ? nil : scratch + areas.queryTerms
        let keyTerms = bias.queries.isEmpty ? nil : scratch + areas.keyTerms
        if let queryTerms { bias.keys[head].multiply(queries, headDim, rows: count, columns, queryTerms) }
        bias.distances.withRows { center, reach in
            for row in 0..<count {
                let target = out + row * length
                // Callers check lengths. A length out of range gives NaN.
                guard length <= reach + 1 else {
                    target.update(repeating: .nan, count: length)
                    continue
                }
                // The distance to a key shrinks as keys advance, so the rows are read backward.
                let distance = center + position(row)
                if let queryTerms {
                    let terms = queryTerms + row * width
                    for j in 0..<length { target[j] = terms[Int(distance[-j])] }
                } else {
                    target.update(repeating: 0, count: length)
                }
                if let keyTerms {
                    for j in 0..<length { target[j] += keyTerms[j * width + Int(distance[-j])] }
                }
            }
        }
    }
}

extension PackedWeight {
    /// Computes some columns of out = a · Wᵀ, [rows, outputs], in f32.
    fileprivate func multiply(
        _ a: UnsafePointer<Float>, _ lda: Int, rows: Int, _ columns: Range<Int>, _ out: UnsafeMutablePointer<Float>
    ) {
        dense.run(
            DenseArguments(
                a: a, lda: lda, packed: values, bias: nil, out: out, ldOut: outputs, m: rows, n: outputs, k: inputs,
                columns: columns))
    }
}
