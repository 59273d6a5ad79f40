import Kernels

/// What is added to attention's scaled scores.
enum ScoreBias: Sendable {
    case relative(RelativeBias)
    case disentangled(DisentangledBias)
}

/// Attention of one head of one sequence with biased scores, from dense layers alone: the sequence's keys and values are
/// packed as weights, a block of queries meets the first, its biases as the residual, and the softmax the second. Memory
/// grows with the sequence's length, not its square.
struct BiasedHead {
    private let bias: ScoreBias
    private let kernels: KernelTable
    private let head: Int
    private let length: Int
    private let headDim: Int
    private let scale: Float
    private let q: UnsafePointer<Float>
    private let ld: Int
    private let scratch: UnsafeMutablePointer<Float>
    private let memory: Memory
    private let terms: DisentangledBias.Terms?

    /// Queries that go through scores, softmax and values together.
    private static let blockRows = 96

    /// Where things lie in scratch, in floats.
    private struct Memory {
        private(set) var total = 0
        /// Keys [length, headDim] and values [headDim, length], packed.
        var keys = 0, values = 0
        /// The bias's own. While values are packed: those, [headDim, length].
        var terms = 0
        /// [block, headDim]: queries, first as they are, then scaled.
        var queries = 0
        /// [block, length]: biases, then scores, then weights.
        var scores = 0

        init(_ bias: ScoreBias, _ kernels: KernelTable, length: Int, headDim: Int) {
            let block = min(length, BiasedHead.blockRows)
            keys = take(kernels.packedCount(length, headDim))
            values = take(kernels.packedCount(headDim, length))
            switch bias {
            case .relative: terms = take(length * headDim)
            case .disentangled(let bias):
                terms = take(
                    max(
                        DisentangledBias.Terms.scratchCount(bias, length: length, block: block), length * headDim))
            }
            queries = take(block * headDim)
            scores = take(block * length)
        }

        private mutating func take(_ count: Int) -> Int {
            defer { total += Scratch.rounded(count) }
            return total
        }
    }

    /// Floats of scratch for sequences of up to `longest` tokens.
    static func scratchCount(_ bias: ScoreBias, _ kernels: KernelTable, longest: Int, headDim: Int) -> Int {
        Memory(bias, kernels, length: longest, headDim: headDim).total
    }

    /// - Parameters:
    ///   - q, k, v: [length, headDim], rows `ld` floats apart.
    ///   - scratch: `scratchCount` floats, 64-byte aligned, while this lives.
    init(
        _ bias: ScoreBias, _ kernels: KernelTable, head: Int, length: Int, headDim: Int, scale: Float,
        q: UnsafePointer<Float>, k: UnsafePointer<Float>, v: UnsafePointer<Float>, ld: Int,
        scratch: UnsafeMutablePointer<Float>
    ) {
        (self.bias, self.kernels, self.head, self.length, self.headDim, self.scale) =
            (bias, kernels, head, length, headDim, scale)
        (self.q, self.ld, self.scratch) = (q, ld, scratch)
        memory = Memory(bias, kernels, length: length, headDim: headDim)
        kernels.pack(k, ld, length, headDim, scratch + memory.keys)
        let turned = scratch + memory.terms
        for j in 0..<length {
            for i in 0..<headDim { turned[i * length + j] = v[j * ld + i] }
        }
        kernels.pack(turned, length, headDim, length, scratch + memory.values)
        switch bias {
        case .relative: terms = nil
        case .disentangled(let bias):
            terms = DisentangledBias.Terms(
                bias, kernels, head: head, length: length, k: k, ld: ld, scratch: scratch + memory.terms)
        }
    }

    /// All queries' results: `out` [length, headDim], rows `ldOut` floats apart.
    func attend(_ out: UnsafeMutablePointer<Float>, ldOut: Int) {
        for first in stride(from: 0, to: length, by: BiasedHead.blockRows) {
            let count = min(BiasedHead.blockRows, length - first)
            let weights = weights(count) { first + $0 }
            kernels.dense(
                Dense(
                    a: weights, lda: length, packed: scratch + memory.values, bias: nil, out: out + first * ldOut,
                    ldOut: ldOut, m: count, n: headDim, k: length))
        }
    }

    /// Writes `out` [queries, length], the weights of some queries.
    func weights(_ queries: UnsafeBufferPointer<Int32>, _ out: UnsafeMutablePointer<Float>) {
        for first in stride(from: 0, to: queries.count, by: BiasedHead.blockRows) {
            let count = min(BiasedHead.blockRows, queries.count - first)
            let weights = weights(count) { Int(queries[first + $0]) }
            (out + first * length).update(from: weights, count: count * length)
        }
    }

    /// The weights of a block of queries, [count, length]; good until the next call.
    private func weights(_ count: Int, _ position: (Int) -> Int) -> UnsafePointer<Float> {
        let queries = scratch + memory.queries
        for row in 0..<count { (queries + row * headDim).update(from: q + position(row) * ld, count: headDim) }
        let scores = scratch + memory.scores
        if case .relative(let bias) = bias {
            for row in 0..<count { bias.write(head, query: position(row), length: length, scores + row * length) }
        }
        terms?.write(queries, count, position, scores)
        for i in 0..<count * headDim { queries[i] *= scale }
        kernels.dense(
            Dense(
                a: queries, lda: headDim, packed: scratch + memory.keys, bias: nil, residual: scores,
                ldResidual: length, out: scores, ldOut: length, m: count, n: length, k: headDim))
        kernels.softmax(scores, count, length)
        return UnsafePointer(scores)
    }
}
