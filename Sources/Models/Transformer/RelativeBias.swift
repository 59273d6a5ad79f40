import Glibc
import Kernels

/// A bias of scores by how far the key is from the query, a head's own (Raffel et al. 2020, section 2.1): distances fall
/// into buckets, near ones each into one, farther ones into ever wider, as transformers' `relative_position_bucket` in
/// modeling_t5.py (`bidirectional`) and modeling_mpnet.py has it.
struct RelativeBias: Sendable {
    /// [heads, 2 · maxDistance + 1]: of a key that is so far behind its query, from −maxDistance on; farther ones are as
    /// these.
    private let values: [Float]
    private let maxDistance: Int

    /// - Parameters:
    ///   - table: [buckets or more, heads]
    ///   - buckets: even, at least 4.
    ///   - maxDistance: where the last bucket begins; above buckets / 4.
    init(table: FloatTensor, buckets: Int, maxDistance: Int) {
        let heads = table.shape[1]
        let half = buckets / 2
        let exact = half / 2
        // In f32, as torch: a bucket begins where a rounded logarithm says.
        let widest = Float(Glibc.log(Double(maxDistance) / Double(exact)))
        func bucket(_ distance: Int) -> Int {
            let side = distance > 0 ? half : 0
            let distance = abs(distance)
            if distance < exact { return side + distance }
            let ratio = Glibc.logf(Float(distance) / Float(exact)) / widest
            return side + min(exact + Int(ratio * Float(half - exact)), half - 1)
        }
        var values = [Float](repeating: 0, count: heads * (2 * maxDistance + 1))
        for distance in -maxDistance...maxDistance {
            let row = bucket(distance) * heads
            for head in 0..<heads {
                values[head * (2 * maxDistance + 1) + maxDistance + distance] = table.values[row + head]
            }
        }
        self.values = values
        self.maxDistance = maxDistance
    }

    /// Writes a query's biases, `out` [length].
    func write(_ head: Int, query: Int, length: Int, _ out: UnsafeMutablePointer<Float>) {
        values.withUnsafeBufferPointer { values in
            guard let base = values.baseAddress else { return }
            let center = base + head * (2 * maxDistance + 1) + maxDistance
            for key in 0..<length { out[key] = center[min(max(key - query, -maxDistance), maxDistance)] }
        }
    }
}
