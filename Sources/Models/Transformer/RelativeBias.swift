import Concurrency
import Glibc
import Kernels
import ModelFiles

/// An additive bias of attention scores by the distance of key and query, one a head (Shaw et al. 2018; T5's and MPNet's
/// buckets of distances). Made as far as sequences have needed it and shared by all layers and workers.
final class RelativeBias: Sendable {
    let heads: Int
    /// [buckets, heads], as nn.Embedding holds it.
    private let table: FloatTensor
    private let buckets: Int
    private let bucket: @Sendable (_ distance: Int) -> Int
    private let made = Locked<RelativeBiasRows?>(nil)

    /// - Parameter bucket: the bucket of a distance, key's position − query's; within 0 ..< buckets.
    init(_ table: FloatTensor, buckets: Int, heads: Int, bucket: @escaping @Sendable (Int) -> Int) {
        self.table = table
        self.buckets = buckets
        self.heads = heads
        self.bucket = bucket
    }

    /// Those for sequences of up to `length` tokens.
    func rows(length: Int) -> RelativeBiasRows {
        made.withLock { made in
            if let made, made.reach >= length { return made }
            var reach = max(128, made?.reach ?? 0)
            while reach < length { reach *= 2 }
            let rows = RelativeBiasRows(heads: heads, reach: reach) { head, distance in
                let place = min(max(bucket(distance), 0), buckets - 1) * heads + head
                return table.values[place]
            }
            made = rows
            return rows
        }
    }

    /// The bucket of a distance as transformers' T5Attention._relative_position_bucket and MPNet's
    /// relative_position_bucket number them (bidirectional): half the buckets for keys behind, half for keys before; in
    /// each half the first half one a distance, the rest ever wider up to `maxDistance`, logarithms in f32.
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

/// Biases by head and distance, [heads, 2 · reach − 1], distances from 1 − reach on.
final class RelativeBiasRows: @unchecked Sendable {
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

    /// For queries and keys from position 0 on.
    func modifier(head: Int, cap: Float) -> ScoreModifier {
        ScoreModifier(bias: values + head * (2 * reach - 1) + reach - 1, biasStride: -1, cap: cap)
    }
}
