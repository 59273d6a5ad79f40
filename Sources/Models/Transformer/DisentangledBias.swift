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

    /// Terms that a head's biases for one sequence are picked from, in scratch.
    struct Terms {
        let bias: DisentangledBias
        let head: Int
        let length: Int
        /// [length, distances]: every key by every distance's query; nil: without.
        private let ofKeys: UnsafeMutablePointer<Float>?
        /// [block, distances]: every query by every distance's key.
        private let ofQueries: UnsafeMutablePointer<Float>?
        /// The distances that this length has, from a whole panel on.
        private let columns: Range<Int>

        /// Floats of scratch for `block` queries at a time.
        static func scratchCount(_ bias: DisentangledBias, length: Int, block: Int) -> Int {
            (bias.queries.isEmpty ? 0 : Scratch.rounded(length * bias.distances.count))
                + (bias.keys.isEmpty ? 0 : Scratch.rounded(block * bias.distances.count))
        }

        /// - Parameters:
        ///   - k: [length, headDim], rows `ld` floats apart.
        ///   - scratch: `scratchCount` floats, 64-byte aligned, while this lives.
        init(
            _ bias: DisentangledBias, _ kernels: KernelTable, head: Int, length: Int, k: UnsafePointer<Float>, ld: Int,
            scratch: UnsafeMutablePointer<Float>
        ) {
            (self.bias, self.head, self.length) = (bias, head, length)
            ofKeys = bias.queries.isEmpty ? nil : scratch
            let second = bias.queries.isEmpty ? 0 : Scratch.rounded(length * bias.distances.count)
            ofQueries = bias.keys.isEmpty ? nil : scratch + second
            let used = bias.distances.range(length)
            columns = used.lowerBound / kernels.panelWidth * kernels.panelWidth..<used.upperBound
            if let ofKeys { bias.queries[head].multiply(k, ld, rows: length, columns, ofKeys) }
        }

        /// Writes the biases of a block of queries, `out` [count, length].
        /// - Parameters:
        ///   - q: [count, headDim], contiguous.
        ///   - position: of each, 0 ..< length.
        func write(
            _ q: UnsafePointer<Float>, _ count: Int, _ position: (Int) -> Int, _ out: UnsafeMutablePointer<Float>
        ) {
            let width = bias.distances.count
            if let ofQueries {
                bias.keys[head].multiply(q, bias.keys[head].inputs, rows: count, columns, ofQueries)
            }
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
                    if let ofQueries {
                        let terms = ofQueries + row * width
                        for j in 0..<length { target[j] = terms[Int(distance[-j])] }
                    } else {
                        target.update(repeating: 0, count: length)
                    }
                    if let ofKeys {
                        for j in 0..<length { target[j] += ofKeys[j * width + Int(distance[-j])] }
                    }
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
        dense.dense(
            Dense(
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
