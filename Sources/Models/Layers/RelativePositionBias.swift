import Concurrency
import Glibc
import Kernels
import ModelFiles

/// An additive bias of attention scores that depends on the head and on the distance of key and query (Shaw et al.
/// 2018, https://arxiv.org/abs/1803.02155). Its rows grow to the longest sequence so far and are shared by all layers
/// and workers.
final class RelativePositionBias: Sendable {
    let heads: Int
    private let value: @Sendable (_ head: Int, _ distance: Int) -> Float
    private let made = Locked<RelativePositionBiasRows?>(nil)

    /// - Parameter value: Returns the bias of a head at a distance: the key's position minus the query's.
    init(heads: Int, _ value: @escaping @Sendable (_ head: Int, _ distance: Int) -> Float) {
        self.heads = heads
        self.value = value
    }

    /// Makes the bias of a table with one value for each head and bucket of distances.
    /// - Parameters:
    ///   - table: [buckets, heads], as torch.nn.Embedding holds it.
    ///   - bucket: Returns the bucket of a distance, which is clamped to 0 ..< buckets.
    convenience init(
        _ table: FloatTensor, buckets: Int, heads: Int, bucket: @escaping @Sendable (_ distance: Int) -> Int
    ) {
        self.init(heads: heads) { head, distance in
            table.values[min(max(bucket(distance), 0), buckets - 1) * heads + head]
        }
    }

    /// Returns the biases for sequences of up to `length` tokens.
    func rows(length: Int) -> RelativePositionBiasRows {
        made.withLock { made in
            if let made, made.reach >= length { return made }
            var reach = max(128, made?.reach ?? 0)
            while reach < length { reach *= 2 }
            let rows = RelativePositionBiasRows(heads: heads, reach: reach, value)
            made = rows
            return rows
        }
    }

    /// Returns the bucket of a distance as transformers' T5Attention._relative_position_bucket and MPNet's
    /// relative_position_bucket do (bidirectional). Half of the buckets is for keys behind the query, half for keys
    /// before it. In each half, the first buckets hold one distance each, the others ever more up to `maxDistance`,
    /// with logarithms in f32.
    static func bucket(distance: Int, buckets: Int, maxDistance: Int) -> Int {
        let half = buckets / 2
        let offset = distance > 0 ? half : 0
        let magnitude = abs(distance)
        let exact = half / 2
        if magnitude < exact { return offset + magnitude }
        guard exact > 0, maxDistance > exact else { return offset + half - 1 }
        let ratio = Glibc.logf(Float(magnitude) / Float(exact)) / Float(Glibc.log(Double(maxDistance) / Double(exact)))
        return offset + min(half - 1, exact + Int(ratio * Float(half - exact)))
    }
}

/// The biases of all distances from 1 − reach to reach − 1, [heads, 2 · reach − 1].
final class RelativePositionBiasRows: @unchecked Sendable {
    let reach: Int
    private let values: UnsafeMutablePointer<Float>

    init(heads: Int, reach: Int, _ value: (_ head: Int, _ distance: Int) -> Float) {
        self.reach = reach
        let width = 2 * reach - 1
        values = .allocate(capacity: heads * width)
        for head in 0..<heads {
            for i in 0..<width { values[head * width + i] = value(head, i - (reach - 1)) }
        }
    }

    deinit { values.deallocate() }

    /// Returns the score modifier of a head, for queries and keys from position 0 on.
    /// - Parameter cap: Soft cap of the scores; 0 for none.
    func modifier(head: Int, cap: Float) -> ScoreModifier {
        ScoreModifier(bias: values + head * (2 * reach - 1) + reach - 1, biasStride: -1, cap: cap)
    }
}
