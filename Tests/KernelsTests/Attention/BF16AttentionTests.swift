import KernelSelection
import Testing

/// Attention in bf16, against torch in f64: as near as rounding queries, keys, values and weights to 8 bits allows.
@Suite struct BF16AttentionTests {
    @Test(arguments: Table.variants, AttentionTests.lengths)
    func isNearTorch(_ table: Table, n: Int) throws {
        let attention = table.kernels.attention(.bf16)
        #expect(attention.precision == .bf16)
        let reference = try Reference("kernels_attention")
        let q = Buffer(try reference.floats("q"))
        let k = Buffer(try reference.floats("k"))
        let v = Buffer(try reference.floats("v"))
        for (d, dv) in AttentionTests.dims {
            let scratch = Buffer(attention.scratchCount(n, n, d, dv))
            let stride = dv + 1
            let out = Buffer(n * stride)
            let statistics = Buffer(2 * n)
            let scale = 1 / Float(d).squareRoot()
            attention.run(
                AttentionArguments(
                    q: q.base, ldq: 64, k: k.base, ldk: 64, v: v.base, ldv: 64, out: out.base, ldOut: stride,
                    statistics: statistics.base, queries: n, keys: n, headDim: d, valueDim: dv, scale: scale,
                    scratch: scratch.base))
            let rows = Set(Swift.stride(from: 0, to: n, by: 9)).union([n - 1]).sorted()
            let got = rows.flatMap { r in (0..<dv).map { out.base[r * stride + $0] } }
            #expect(relativeError(got, try reference.floats("out.\(n).\(d).\(dv)")) < 1.2e-2, "\(d) \(dv)")
            #expect((0..<n).allSatisfy { out.base[$0 * stride + dv].isNaN })
            #expect(scratch.untouchedBehind && out.untouchedBehind && statistics.untouchedBehind)
            guard d == dv else { continue }

            let wanted: [Int32] = [0, Int32(n / 2), Int32(n - 1)]
            let weights = Buffer(3 * n)
            let working = Buffer(attention.scratchCount(3, n, d, 0))
            attention.weights(
                AttentionWeightsArguments(
                    q: q.base, ldq: 64, k: k.base, ldk: 64, statistics: statistics.base, rows: wanted, rowCount: 3,
                    keys: n, headDim: d, scale: scale, out: weights.base, scratch: working.base))
            #expect(weights.untouchedBehind && working.untouchedBehind)
            let want = try reference.floats("weights.\(n).\(d)")
            #expect(zip(weights.values, want).allSatisfy { abs($0 - $1) < 4e-2 * abs($1) + 1e-5 }, "\(d)")
            for row in 0..<3 {
                let sum = weights.values[row * n..<(row + 1) * n].reduce(0.0) { $0 + Double($1) }
                #expect(abs(sum - 1) < 1e-5)
            }
        }
    }

    /// Masked by transformers' functions: values near, hidden weights exactly 0, and a query's result the same to the
    /// bit whichever queries are asked with it.
    @Test(arguments: Table.variants, [1, 40, 129, 1300])
    func seesItsSpan(_ table: Table, n: Int) throws {
        let attention = table.kernels.attention(.bf16)
        let reference = try Reference("kernels_attention_spans")
        let rows = try reference.floats("rows.\(n)").map { Int32($0) }
        let q = Buffer(try reference.floats("q"))
        let k = Buffer(try reference.floats("k"))
        let v = Buffer(try reference.floats("v"))
        for (name, span) in AttentionSpanTests.spans {
            func run(_ first: Int, _ count: Int) -> (out: [Float], statistics: Buffer) {
                let scratch = Buffer(attention.scratchCount(count, n, 16, 16))
                let out = Buffer(count * 16)
                let statistics = Buffer(2 * count)
                attention.run(
                    AttentionArguments(
                        q: q.base + first * 16, ldq: 16, k: k.base, ldk: 16, v: v.base, ldv: 16, out: out.base,
                        ldOut: 16, statistics: statistics.base, queries: count, keys: n, headDim: 16, valueDim: 16,
                        scale: 0.25, span: span, position: first, scratch: scratch.base))
                #expect(scratch.untouchedBehind && out.untouchedBehind && statistics.untouchedBehind)
                return (out.values, statistics)
            }
            let (all, statistics) = run(0, n)
            let got = rows.flatMap { Array(all[Int($0) * 16..<Int($0) * 16 + 16]) }
            #expect(relativeError(got, try reference.floats("out.\(name).\(n)")) < 1.2e-2, "\(name)")
            for (first, count) in [(0, 1), (n / 2, min(3, n - n / 2)), (n - 1, 1)] {
                #expect(run(first, count).out == Array(all[first * 16..<(first + count) * 16]), "\(name)")
            }
            guard reference.has("weights.\(name).\(n)") else { continue }
            let working = Buffer(attention.scratchCount(rows.count, n, 16, 0))
            let weights = Buffer(rows.count * n)
            attention.weights(
                AttentionWeightsArguments(
                    q: q.base, ldq: 16, k: k.base, ldk: 16, statistics: statistics.base, rows: rows,
                    rowCount: rows.count, keys: n, headDim: 16, scale: 0.25, span: span, out: weights.base,
                    scratch: working.base))
            let want = try reference.floats("weights.\(name).\(n)")
            #expect(
                zip(weights.values, want).allSatisfy { $1 == 0 ? $0 == 0 : abs($0 - $1) < 4e-2 * $1 + 1e-5 }, "\(name)")
        }
    }
}
