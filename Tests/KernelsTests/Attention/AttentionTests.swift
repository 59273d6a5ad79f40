import Foundation
import KernelSelection
import Testing

@Suite struct AttentionTests {
    static let lengths = [1, 2, 17, 128, 300]
    static let dims = [(5, 5), (32, 32), (33, 33), (64, 64), (32, 7), (5, 40)]

    /// torch, f64: the output, the rows' statistics, and the weights rebuilt from them.
    @Test(arguments: Table.all, lengths)
    func matchesTorch(_ table: Table, n: Int) throws {
        let reference = try Reference("kernels_attention")
        let q = Buffer(try reference.floats("q"))
        let k = Buffer(try reference.floats("k"))
        let v = Buffer(try reference.floats("v"))
        for (d, dv) in Self.dims {
            let scratch = Buffer(table.kernels.attention(.f32).scratchCount(n, n, d, dv))
            let stride = dv + 1
            let out = Buffer(n * stride)
            let statistics = Buffer(2 * n)
            let scale = 1 / Float(d).squareRoot()
            table.kernels.attention(.f32).run(
                AttentionArguments(
                    q: q.base, ldq: 64, k: k.base, ldk: 64, v: v.base, ldv: 64, out: out.base, ldOut: stride,
                    statistics: statistics.base, queries: n, keys: n, headDim: d, valueDim: dv, scale: scale,
                    scratch: scratch.base))
            let rows = Set(Swift.stride(from: 0, to: n, by: 9)).union([n - 1]).sorted()
            let got = rows.flatMap { r in (0..<dv).map { out.base[r * stride + $0] } }
            #expect(relativeError(got, try reference.floats("out.\(n).\(d).\(dv)")) < 2e-6, "\(d) \(dv)")
            #expect((0..<n).allSatisfy { out.base[$0 * stride + dv].isNaN })
            #expect(scratch.untouchedBehind && out.untouchedBehind && statistics.untouchedBehind)
            guard d == dv else { continue }

            let wantLSE = try reference.floats("lse.\(n).\(d)")
            let lse = (0..<n).map { scale * statistics.base[2 * $0] + log(statistics.base[2 * $0 + 1]) }
            #expect(zip(lse, wantLSE).allSatisfy { abs($0 - $1) < 2e-6 * max(1, abs($1)) })
            let wanted: [Int32] = [0, Int32(n / 2), Int32(n - 1)]
            let weights = try self.weights(table, q, k, statistics, rows: wanted, n: n, d: d, scale: scale)
            let want = try reference.floats("weights.\(n).\(d)")
            #expect(zip(weights, want).allSatisfy { abs($0 - $1) < 1e-6 }, "\(d)")
        }
    }

    func weights(
        _ table: Table, _ q: Buffer, _ k: Buffer, _ statistics: Buffer, rows: [Int32], n: Int, d: Int, scale: Float
    ) throws -> [Float] {
        let scratch = Buffer(table.kernels.attention(.f32).scratchCount(rows.count, n, d, 0))
        let out = Buffer(rows.count * n)
        try rows.withUnsafeBufferPointer { rows in
            table.kernels.attention(.f32).weights(
                AttentionWeightsArguments(
                    q: q.base, ldq: 64, k: k.base, ldk: 64, statistics: statistics.base,
                    rows: try #require(rows.baseAddress), rowCount: rows.count, keys: n, headDim: d, scale: scale,
                    out: out.base, scratch: scratch.base))
        }
        #expect(out.untouchedBehind && scratch.untouchedBehind)
        return out.values
    }

    /// All rows, out of order: each sums to 1 within 2e-6, and A·V is what attention itself gave.
    @Test(arguments: Table.all, [1, 17, 128, 300, 512, 1000])
    func weightsAreThoseOfThePass(_ table: Table, n: Int) throws {
        // Deterministic and spread: three incommensurate waves.
        func wave(_ step: Float) -> Buffer {
            var phase: Float = 0
            return Buffer(
                (0..<n * 64).map { _ in
                    phase += step
                    if phase > 2 { phase -= 4 }
                    return phase
                })
        }
        let (q, k, v) = (wave(0.7182818), wave(1.4142135), wave(0.5772157))
        for d in [5, 32, 64] {
            let scratch = Buffer(table.kernels.attention(.f32).scratchCount(n, n, d, d))
            let out = Buffer(n * d)
            let statistics = Buffer(2 * n)
            let scale = 1 / Float(d).squareRoot()
            table.kernels.attention(.f32).run(
                AttentionArguments(
                    q: q.base, ldq: 64, k: k.base, ldk: 64, v: v.base, ldv: 64, out: out.base, ldOut: d,
                    statistics: statistics.base, queries: n, keys: n, headDim: d, valueDim: d, scale: scale,
                    scratch: scratch.base))
            let rows = (0..<n).reversed().map(Int32.init)
            let weights = try weights(table, q, k, statistics, rows: rows, n: n, d: d, scale: scale)
            var worstSum = 0.0
            var worstOut = 0.0
            for (i, row) in rows.enumerated() {
                var sum = 0.0
                var first = 0.0
                for j in 0..<n {
                    sum += Double(weights[i * n + j])
                    first += Double(weights[i * n + j]) * Double(v.base[j * 64])
                }
                worstSum = max(worstSum, abs(sum - 1))
                worstOut = max(worstOut, abs(first - Double(out.base[Int(row) * d])))
            }
            #expect(worstSum < 2e-6, "head dim \(d)")
            #expect(worstOut < 5e-6, "head dim \(d)")
        }
    }

    /// Scratch grows with the keys, not with queries × keys.
    @Test(arguments: Table.all)
    func scratchIsLinear(_ table: Table) {
        let small = table.kernels.attention(.f32).scratchCount(1024, 1024, 64, 64)
        let large = table.kernels.attention(.f32).scratchCount(65536, 65536, 64, 64)
        #expect(large <= 64 * small)
    }

    /// Scores of ±1000: the exponentials must neither overflow nor all vanish.
    @Test(arguments: Table.all)
    func largeScores(_ table: Table) {
        let n = 20
        let q = Buffer([Float](repeating: 100, count: n))
        let k = Buffer((0..<n).map { $0 == 3 ? 10 : -10 })
        let v = Buffer((0..<n).map(Float.init))
        let scratch = Buffer(table.kernels.attention(.f32).scratchCount(n, n, 1, 1))
        let out = Buffer(n)
        let statistics = Buffer(2 * n)
        table.kernels.attention(.f32).run(
            AttentionArguments(
                q: q.base, ldq: 1, k: k.base, ldk: 1, v: v.base, ldv: 1, out: out.base, ldOut: 1,
                statistics: statistics.base,
                queries: n, keys: n, headDim: 1, valueDim: 1, scale: 1, scratch: scratch.base))
        #expect(out.values == [Float](repeating: 3, count: n))
        #expect((0..<n).allSatisfy { statistics.base[2 * $0] == 1000 && statistics.base[2 * $0 + 1] == 1 })
    }

    /// Scratch of the longest sequence of a batch suffices for the shorter ones, in each precision. So does scratch of
    /// more rows of a dense layer for fewer.
    @Test(arguments: Table.variants)
    func scratchOfMoreSufficesForLess(_ table: Table) {
        for precision in Precision.allCases {
            let attention = table.kernels.attention(precision)
            var before = 0
            for n in 1...2200 {
                let now = attention.scratchCount(n, n, 32, 32)
                #expect(now >= before, "\(precision), \(n) tokens")
                before = now
            }
            before = 0
            for m in 1...700 {
                let now = table.kernels.dense(precision).scratchCount(m, 384)
                #expect(now >= before, "\(precision), \(m) rows")
                before = now
            }
        }
    }
}
