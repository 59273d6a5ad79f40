import Glibc

/// The rows of DeBERTa's table of relative embeddings by the distance of query and key, as transformers'
/// build_relative_position and make_log_bucket_position number them
/// (https://github.com/huggingface/transformers/blob/main/src/transformers/models/deberta_v2/modeling_deberta_v2.py).
struct RelativeDistances: Sendable {
    /// Rows of the table.
    let count: Int
    /// The row of each distance, −reach … reach.
    private let rows: [Int32]
    private let reach: Int

    /// - Parameters:
    ///   - positions: Tokens that a sequence may have.
    ///   - span: Half the rows of the table. Distances beyond it share the last row.
    ///   - farthest: The distance, above span / 2 + 1, up to which distances beyond span / 2 are spread over buckets
    ///     that widen with
    ///     their logarithm. `nil` gives each distance its own row.
    init(positions: Int, span: Int, farthest: Int?) {
        count = 2 * span
        reach = positions - 1
        // Logarithms are in f32 as in torch, since their rounding decides where a bucket begins.
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

    /// Returns the rows of the distances within a sequence of `length` tokens.
    func range(_ length: Int) -> Range<Int> {
        let most = min(length - 1, reach)
        return Int(rows[reach - most])..<Int(rows[reach + most]) + 1
    }

    /// Calls `body` with a pointer to the row of distance 0, which can be indexed from −reach to reach.
    func withRows(_ body: (_ center: UnsafePointer<Int32>, _ reach: Int) -> Void) {
        rows.withUnsafeBufferPointer { if let base = $0.baseAddress { body(base + reach, reach) } }
    }
}
