import Glibc
import Kernels

/// DeBERTa's disentangled attention (He et al. 2021, https://arxiv.org/abs/2006.03654, section 3.1; transformers'
/// DisentangledSelfAttention): to the score of query i and key j come products of each with an embedding of their distance,
///
///     score(i, j) = scale · (q_i · k_j + q_i · keys[δ(i − j)] + k_j · queries[δ(i − j)])
///
/// Neither embedding depends on the input: as projected for a layer's head they are weights, made and packed once, with the
/// scale in them. A pass multiplies a sequence's keys by the one, [length, distances], and, a block of queries at a time,
/// these by the other, and picks the bias of each pair from the two: memory grows with the length, not its square.
struct DisentangledBias: Sendable {
    let distances: RelativeDistances
    /// Of "content to position", a head each, [distances, headDim]; empty: without.
    let keys: [PackedWeight]
    /// Of "position to content", likewise.
    let queries: [PackedWeight]

    /// Queries that go through scores, softmax and values together.
    fileprivate static let blockRows = 96
}

/// Attention of one head of one sequence with a disentangled bias, from dense layers alone: the sequence's keys and values
/// are packed as weights, a block of queries meets the first, its biases as the residual, and the softmax the second.
struct DisentangledHead {
    let bias: DisentangledBias
    let kernels: KernelTable
    let head: Int
    let length: Int
    let headDim: Int
    let scale: Float
    /// [length, headDim] each, rows `ld` floats apart.
    let q: UnsafePointer<Float>
    let k: UnsafePointer<Float>
    let v: UnsafePointer<Float>
    let ld: Int
    private let memory: Memory
    /// The distances that this length has, from a whole panel on.
    private let columns: Range<Int>

    /// Where things lie in scratch, in floats.
    private struct Memory {
        private(set) var total = 0
        /// Keys [length, headDim] and values [headDim, length], packed.
        var keys = 0, values = 0
        /// [length, distances]: every key by every distance's query. While values are packed: those, [headDim, length].
        var keyTerms = 0
        /// [block, headDim]: queries, first as they are, then scaled.
        var queries = 0
        /// [block, distances]: every query by every distance's key.
        var queryTerms = 0
        /// [block, length]: biases, then scores, then weights.
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

    /// Floats of scratch for sequences of up to `longest` tokens.
    static func scratchCount(_ bias: DisentangledBias, _ kernels: KernelTable, longest: Int, headDim: Int) -> Int {
        Memory(bias, kernels, length: longest, headDim: headDim).total
    }

    private let scratch: UnsafeMutablePointer<Float>

    /// - Parameter scratch: `scratchCount` floats, 64-byte aligned, while this lives.
    init(
        _ bias: DisentangledBias, _ kernels: KernelTable, head: Int, length: Int, headDim: Int, scale: Float,
        q: UnsafePointer<Float>, k: UnsafePointer<Float>, v: UnsafePointer<Float>, ld: Int,
        scratch: UnsafeMutablePointer<Float>
    ) {
        (self.bias, self.kernels, self.head, self.length, self.headDim, self.scale) =
            (bias, kernels, head, length, headDim, scale)
        (self.q, self.k, self.v, self.ld, self.scratch) = (q, k, v, ld, scratch)
        memory = Memory(bias, kernels, length: length, headDim: headDim)
        let used = bias.distances.range(length)
        columns = used.lowerBound / kernels.panelWidth * kernels.panelWidth..<used.upperBound

        kernels.f32.pack(k, ld, length, headDim, scratch + memory.keys)
        let turned = scratch + memory.keyTerms
        for j in 0..<length {
            for i in 0..<headDim { turned[i * length + j] = v[j * ld + i] }
        }
        kernels.f32.pack(turned, length, headDim, length, scratch + memory.values)
        if !bias.queries.isEmpty {
            bias.queries[head].multiply(k, ld, rows: length, columns, scratch + memory.keyTerms)
        }
    }

    /// All queries' results: `out` [length, headDim], rows `ldOut` floats apart.
    func attend(_ out: UnsafeMutablePointer<Float>, ldOut: Int) {
        for first in stride(from: 0, to: length, by: DisentangledBias.blockRows) {
            let count = min(DisentangledBias.blockRows, length - first)
            let weights = weights(count) { first + $0 }
            kernels.f32.run(
                DenseArguments(
                    a: weights, lda: length, packed: scratch + memory.values, bias: nil, out: out + first * ldOut,
                    ldOut: ldOut, m: count, n: headDim, k: length))
        }
    }

    /// Writes `out` [queries, length], the weights of some queries.
    func weights(_ queries: UnsafeBufferPointer<Int32>, _ out: UnsafeMutablePointer<Float>) {
        for first in stride(from: 0, to: queries.count, by: DisentangledBias.blockRows) {
            let count = min(DisentangledBias.blockRows, queries.count - first)
            let weights = weights(count) { Int(queries[first + $0]) }
            (out + first * length).update(from: weights, count: count * length)
        }
    }

    /// The weights of a block of queries, [count, length]; good until the next call.
    private func weights(_ count: Int, _ position: (Int) -> Int) -> UnsafePointer<Float> {
        let queries = scratch + memory.queries
        for row in 0..<count { (queries + row * headDim).update(from: q + position(row) * ld, count: headDim) }
        let scores = scratch + memory.scores
        writeBiases(queries, count, position, scores)
        for i in 0..<count * headDim { queries[i] *= scale }
        kernels.f32.run(
            DenseArguments(
                a: queries, lda: headDim, packed: scratch + memory.keys, bias: nil, residual: scores,
                ldResidual: length, out: scores, ldOut: length, m: count, n: length, k: headDim))
        kernels.softmax(scores, count, length)
        return UnsafePointer(scores)
    }

    private func writeBiases(
        _ queries: UnsafePointer<Float>, _ count: Int, _ position: (Int) -> Int, _ out: UnsafeMutablePointer<Float>
    ) {
        let width = bias.distances.count
        let queryTerms = bias.keys.isEmpty ? nil : scratch + memory.queryTerms
        let keyTerms = bias.queries.isEmpty ? nil : scratch + memory.keyTerms
        if let queryTerms { bias.keys[head].multiply(queries, headDim, rows: count, columns, queryTerms) }
        bias.distances.withRows { center, reach in
            for row in 0..<count {
                let target = out + row * length
                // Callers check lengths. NaN where one has not.
                guard length <= reach + 1 else {
                    target.update(repeating: .nan, count: length)
                    continue
                }
                // Backwards: the distance to a key shrinks as keys advance.
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
    /// Packs `values` [outputs, inputs], rows `ld` floats apart.
    convenience init(_ values: UnsafePointer<Float>, ld: Int? = nil, outputs: Int, inputs: Int, dense: DenseKernels) {
        let storage = UnsafeMutableRawPointer.allocate(
            byteCount: max(dense.packedCount(outputs, inputs), 1) * MemoryLayout<Float>.stride, alignment: 64
        ).bindMemory(to: Float.self, capacity: max(dense.packedCount(outputs, inputs), 1))
        dense.pack(values, ld ?? inputs, outputs, inputs, storage)
        self.init(outputs: outputs, inputs: inputs, dense: dense, storage: storage)
    }

    /// out[rows, outputs] = a · Wᵀ for some columns; in f32.
    fileprivate func multiply(
        _ a: UnsafePointer<Float>, _ lda: Int, rows: Int, _ columns: Range<Int>, _ out: UnsafeMutablePointer<Float>
    ) {
        dense.run(
            DenseArguments(
                a: a, lda: lda, packed: values, bias: nil, out: out, ldOut: outputs, m: rows, n: outputs, k: inputs,
                columns: columns))
    }
}

/// Which row of DeBERTa's table of relative embeddings the distance of a query and a key has: transformers'
/// build_relative_position and make_log_bucket_position.
struct RelativeDistances: Sendable {
    /// Rows of the table.
    let count: Int
    /// Of −reach … reach.
    private let rows: [Int32]
    private let reach: Int

    /// - Parameters:
    ///   - positions: tokens a sequence may have.
    ///   - span: half the rows of the table; distances beyond them share the last ones.
    ///   - farthest: nil, or the distance up to which those beyond half the span are spread over buckets that widen as their
    ///     logarithm; above half the span + 1.
    init(positions: Int, span: Int, farthest: Int?) {
        count = 2 * span
        reach = positions - 1
        // In f32, as torch: a bucket begins where a rounded logarithm says.
        let middle = span / 2
        let widest = Glibc.logf(Float(Double((farthest ?? 2) - 1) / Double(max(1, middle))))
        func bucket(_ distance: Int) -> Int {
            guard farthest != nil, distance > middle else { return distance }
            let ratio = Glibc.logf(Float(distance) / Float(middle)) / widest
            return Int((ratio * Float(middle - 1)).rounded(.up)) + middle
        }
        var rows = [Int32](repeating: 0, count: 2 * positions - 1)
        for distance in 0..<positions {
            let bucket = min(bucket(distance), span)
            rows[positions - 1 + distance] = Int32(min(span + bucket, 2 * span - 1))
            rows[positions - 1 - distance] = Int32(span - bucket)
        }
        self.rows = rows
    }

    /// Rows that the distances within a sequence have.
    func range(_ length: Int) -> Range<Int> {
        let most = min(length - 1, reach)
        return Int(rows[reach - most])..<Int(rows[reach + most]) + 1
    }

    /// Calls `body` with a pointer to the row of distance 0, from −reach to reach.
    func withRows(_ body: (_ center: UnsafePointer<Int32>, _ reach: Int) -> Void) {
        rows.withUnsafeBufferPointer { if let base = $0.baseAddress { body(base + reach, reach) } }
    }
}
