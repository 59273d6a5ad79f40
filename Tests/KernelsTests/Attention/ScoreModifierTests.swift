import KernelSelection
import Testing

/// Biases and caps of attention scores, against torch in f64 (Tests/Reference/kernels.py, `beyond_bert`).
@Suite struct ScoreModifierTests {
    /// The number of distances on either side in the reference's row of biases, −1299 … 1299.
    static let reach = 1300

    struct Case: Sendable, CustomStringConvertible {
        let name: String
        let bias: Bool
        let cap: Float
        var span = AttentionSpan.all
        var description: String { name }
    }
    static let cases = [
        Case(name: "bias", bias: true, cap: 0), Case(name: "cap", bias: false, cap: 3),
        Case(name: "both", bias: true, cap: 3), Case(name: "causal", bias: true, cap: 0, span: .causal),
    ]

    @Test(arguments: Table.all, cases)
    func attention(_ table: Table, _ which: Case) throws {
        let reference = try Reference("kernels_beyond_bert")
        let (q, k, v) = (
            Buffer(try reference.floats("q")), Buffer(try reference.floats("k")), Buffer(try reference.floats("v"))
        )
        let bias = Buffer(try reference.floats("bias"))
        let modifier = ScoreModifier(
            bias: which.bias ? UnsafePointer(bias.base + Self.reach - 1) : nil, biasStride: -1, cap: which.cap)
        for n in [1, 40, 129, 1300] {
            let scratch = Buffer(table.kernels.attention(.f32).scratchCount(n, n, 16, 16))
            let out = Buffer(n * 16)
            let statistics = Buffer(2 * n)
            table.kernels.attention(.f32).run(
                AttentionArguments(
                    q: q.base, ldq: 16, k: k.base, ldk: 16, v: v.base, ldv: 16, out: out.base, ldOut: 16,
                    statistics: statistics.base, queries: n, keys: n, headDim: 16, valueDim: 16, scale: 0.25,
                    span: which.span, modifier: modifier, scratch: scratch.base))
            #expect(scratch.untouchedBehind && out.untouchedBehind && statistics.untouchedBehind)
            let rows = try reference.floats("rows.\(n)").map { Int32($0) }
            let got = rows.flatMap { row in Array(out.values[Int(row) * 16..<Int(row) * 16 + 16]) }
            #expect(relativeError(got, try reference.floats("out.\(which.name).\(n)")) < 2e-6)
            guard n <= 129 else { continue }
            let weights = Buffer(rows.count * n)
            let working = Buffer(table.kernels.attention(.f32).scratchCount(rows.count, n, 16, 0))
            try rows.withUnsafeBufferPointer { rows in
                table.kernels.attention(.f32).weights(
                    AttentionWeightsArguments(
                        q: q.base, ldq: 16, k: k.base, ldk: 16, statistics: statistics.base,
                        rows: try #require(rows.baseAddress), rowCount: rows.count, keys: n, headDim: 16, scale: 0.25,
                        span: which.span, modifier: modifier, out: weights.base, scratch: working.base))
            }
            let want = try reference.floats("weights.\(which.name).\(n)")
            #expect(zip(weights.values, want).allSatisfy { abs($0 - $1) < 1e-6 })
            #expect(weights.untouchedBehind && working.untouchedBehind)
        }
    }
}
