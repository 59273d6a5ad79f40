import Foundation
import KernelSelection
import Testing

/// Biases and caps of attention's scores, RMS norms and rotary positions, against torch in f64
/// (Tests/Reference/kernels.py, `modifier`).
@Suite struct TermsTests {
    /// Distances in the reference's row of biases: −1299 … 1299.
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
        let reference = try Reference("kernels_terms")
        let (q, k, v) = (
            Buffer(try reference.floats("q")), Buffer(try reference.floats("k")), Buffer(try reference.floats("v"))
        )
        let bias = Buffer(try reference.floats("bias"))
        let modifier = ScoreModifier(
            bias: which.bias ? UnsafePointer(bias.base + Self.reach - 1) : nil, biasStride: -1, cap: which.cap)
        for n in [1, 40, 129, 1300] {
            let scratch = Buffer(table.kernels.attentionScratch(n, n, 16, 16))
            let out = Buffer(n * 16)
            let statistics = Buffer(2 * n)
            table.kernels.attention(
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
            let working = Buffer(table.kernels.attentionScratch(rows.count, n, 16, 0))
            try rows.withUnsafeBufferPointer { rows in
                table.kernels.attentionWeights(
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

    @Test(arguments: Table.all, [1, 5, 16, 31, 33, 384, 1000])
    func rootMeanSquareNorms(_ table: Table, width: Int) throws {
        let reference = try Reference("kernels_terms")
        let x = try reference.floats("rms.x.\(width)")
        let weight = Buffer(try reference.floats("rms.weight.\(width)"))
        let want = try reference.floats("rms.\(width)")
        // Contiguous, and in place within wider rows, whose rest stays as it is.
        let (input, out) = (Buffer(x), Buffer(x.count))
        func norm(_ x: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>, stride: Int) -> RMSNormArguments {
            RMSNormArguments(
                x: x, out: out, weight: weight.base, rows: 3, width: width, stride: stride, epsilon: 1e-6)
        }
        table.kernels.rmsNorm(norm(input.base, out.base, stride: width))
        #expect(relativeError(out.values, want) < 1e-6)
        #expect(out.untouchedBehind)
        let stride = width + 5
        let wide = Buffer((0..<3).flatMap { Array(x[$0 * width..<($0 + 1) * width]) + [9, 8, 7, 6, 5] })
        table.kernels.rmsNorm(norm(wide.base, wide.base, stride: stride))
        let rows = wide.values
        for r in 0..<3 {
            #expect(Array(rows[r * stride..<r * stride + width]) == Array(out.values[r * width..<(r + 1) * width]))
            #expect(Array(rows[r * stride + width..<(r + 1) * stride]) == [9, 8, 7, 6, 5])
        }
    }

    @Test(arguments: Table.all, [1, 3, 8, 16, 33, 64])
    func rotations(_ table: Table, pairs: Int) throws {
        let reference = try Reference("kernels_terms")
        let cosines = Buffer(try reference.floats("rotary.cos.\(pairs)"))
        let sines = Buffer(try reference.floats("rotary.sin.\(pairs)"))
        for (name, isInterleaved) in [("halves", false), ("interleaved", true)] {
            let x = Buffer(try reference.floats("rotary.x.\(pairs)"))
            table.kernels.rotary(
                RotaryArguments(
                    x: x.base, heads: 2, headDim: 2 * pairs + 3, cosines: cosines.base, sines: sines.base,
                    pairs: pairs, isInterleaved: isInterleaved))
            #expect(relativeError(x.values, try reference.floats("rotary.\(name).\(pairs)")) < 1e-6)
            #expect(x.untouchedBehind)
        }
    }
}
