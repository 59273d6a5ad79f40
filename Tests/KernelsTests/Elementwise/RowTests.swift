import Foundation
import KernelSelection
import Testing

/// Softmax and layer norm against f64 over the whole range of floats, within what their docstrings promise.
@Suite struct RowTests {
    /// Rows that hold 0 and every 4099th negative float, and so e^x / Σ for all magnitudes of x, −inf and subnormals
    /// among them.
    @Test(arguments: Table.all)
    func softmaxOfAllMagnitudes(_ table: Table) {
        let width = 64
        var x = stride(from: UInt32(0x8000_0000), through: 0xff80_0000, by: 4099).map { Float(bitPattern: $0) }
        x.append(-.infinity)
        while x.count % (width - 1) != 0 { x.append(-1) }
        let rows = stride(from: 0, to: x.count, by: width - 1).map { [0] + x[$0..<$0 + width - 1] }
        let out = Buffer(rows.flatMap { $0 })
        table.kernels.softmax(out.base, rows.count, width)
        var worst = (units: 0.0, x: Float(0), got: Float(0))
        for (r, row) in rows.enumerated() {
            let exponentials = row.map { Foundation.exp(Double($0)) }
            let sum = exponentials.reduce(0, +)
            for (i, e) in exponentials.enumerated() {
                let got = out.base[r * width + i]
                let units = Self.softmaxUnits(got, e / sum, distance: Double(row[i]).magnitude)
                if !(units <= worst.units) { worst = (units, row[i], got) }
            }
        }
        #expect(worst.units <= 1, "\(worst.x) became \(worst.got), \(worst.units) bounds off")
        #expect(out.untouchedBehind)
    }

    /// |error| in units of (4 + |t|) · 2⁻²³ of the weight, and what a subnormal cannot hold.
    static func softmaxUnits(_ got: Float, _ want: Double, distance: Double) -> Double {
        // Beyond that the weight is 0 in f32.
        let t = min(distance, 104)
        return abs(Double(got) - want)
            / (want * (4 + t) * 0x1p-23 + 2 * Double(Float.leastNonzeroMagnitude))
    }

    /// Rows of a spread, far from zero or not, with maxima anywhere: the same bound, t = x − maximum.
    @Test(arguments: Table.all, [1, 2, 15, 16, 17, 31, 33, 64, 100, 511, 1000])
    func softmaxOfSpreads(_ table: Table, width: Int) {
        for (spread, offset) in [(1e-30, 0.0), (1, 0), (1, -1e6), (30, 5), (200, -80), (1e10, 0), (1e38, 1e38)] {
            let x = BoundaryTests.wave(5 * width, 0.618034).values.map { Float(Double($0) * spread + offset) }
            let out = Buffer(x)
            table.kernels.softmax(out.base, 5, width)
            for r in 0..<5 {
                let row = x[r * width..<(r + 1) * width].map(Double.init)
                let maximum = row.max() ?? 0
                let exponentials = row.map { Foundation.exp($0 - maximum) }
                let sum = exponentials.reduce(0, +)
                let worst = (0..<width).map {
                    Self.softmaxUnits(out.base[r * width + $0], exponentials[$0] / sum, distance: maximum - row[$0])
                }.max()
                #expect((worst ?? 0) <= 1, "spread \(spread), offset \(offset)")
            }
        }
    }

    /// Rows of all magnitudes whose squares a float can hold, and means far larger than what is spread around them.
    @Test(arguments: Table.all, [2, 7, 16, 33, 384, 1000])
    func layerNormOfAllMagnitudes(_ table: Table, width: Int) {
        let weight = BoundaryTests.wave(width, 0.377)
        let bias = BoundaryTests.wave(width, 0.911)
        for epsilon in [Float(1e-5), 1e-12] {
            for (spread, mean) in [
                (1.0, 0.0), (1, 10), (1, -1000), (1e-3, 1), (1e-10, 0), (1e-19, 0), (1e-41, 0), (1e5, 1e6), (1e17, 0),
                (1e17, -1e18),
            ] {
                let x = Buffer(BoundaryTests.wave(width, 0.618034).values.map { Float(Double($0) * spread + mean) })
                let out = Buffer(width)
                table.kernels.layerNorm(
                    LayerNormArguments(
                        x: x.base, out: out.base, weight: weight.base, bias: bias.base, rows: 1, width: width,
                        epsilon: epsilon))
                let exact = Self.layerNorm(x.values.map(Double.init), Double(epsilon))
                for i in 0..<width {
                    let want = exact.values[i] * Double(weight.base[i]) + Double(bias.base[i])
                    let scale = abs(exact.values[i]) + exact.meanPerDeviation
                    let bound = 0x1p-21 * (scale * Double(abs(weight.base[i])) + Double(abs(bias.base[i])))
                    #expect(
                        abs(Double(out.base[i]) - want) <= bound,
                        "\(spread) around \(mean): \(out.base[i]), not \(want)")
                }
                #expect(out.untouchedBehind)
            }
        }
    }

    /// (x − mean) / √(var + epsilon), and |mean| / √(var + epsilon).
    static func layerNorm(_ x: [Double], _ epsilon: Double) -> (values: [Double], meanPerDeviation: Double) {
        let mean = x.reduce(0, +) / Double(x.count)
        let variance = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(x.count)
        let deviation = (variance + epsilon).squareRoot()
        return (x.map { ($0 - mean) / deviation }, abs(mean) / deviation)
    }

    /// Layer norm follows torch: one infinity or NaN makes its row NaN, and only its row.
    @Test(arguments: Table.all, [3, 40])
    func layerNormOfSpecialValues(_ table: Table, width: Int) {
        let weight = Buffer([Float](repeating: 1, count: width))
        for value in [Float.nan, .infinity, -.infinity] {
            for place in [0, width - 1] {
                let x = BoundaryTests.wave(3 * width, 0.618034)
                x.base[width + place] = value
                table.kernels.layerNorm(
                    LayerNormArguments(
                        x: x.base, out: x.base, weight: weight.base, bias: nil, rows: 3, width: width, epsilon: 1e-5))
                for r in 0..<3 {
                    let row = x.values[r * width..<(r + 1) * width]
                    #expect(row.allSatisfy { r == 1 ? $0.isNaN : $0.isFinite })
                }
            }
        }
    }
}
