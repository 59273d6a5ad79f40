import Foundation
import KernelSelection
import Testing

@Suite struct MathTests {
    /// Distance in units in the last place of the expected value's float.
    static func ulps(_ got: Float, _ want: Double) -> Double {
        let rounded = Float(want)
        if got.isNaN || want.isNaN { return got.isNaN && want.isNaN ? 0 : .infinity }
        if got.isInfinite || rounded.isInfinite { return got == rounded ? 0 : .infinity }
        return abs(Double(got) - want) / Double(rounded.ulp)
    }

    static func exp(_ table: Table, _ x: [Float]) -> [Float] {
        let input = Buffer(x)
        let out = Buffer(x.count)
        table.kernels.exp(input.base, out.base, x.count)
        return out.values
    }

    /// torch, f64.
    @Test(arguments: Table.all)
    func expOfTable(_ table: Table) throws {
        let reference = try Reference("kernels_activations")
        let x = try reference.floats("x")
        let want = try reference.doubles("exp")
        for (i, got) in Self.exp(table, x).enumerated() {
            #expect(Self.ulps(got, want[i]) <= 2, "exp(\(x[i])) = \(got), not \(want[i])")
        }
    }

    /// The C library's exp in f64, over every 4099th float there is.
    @Test(arguments: Table.all)
    func expOfAllMagnitudes(_ table: Table) {
        let x = stride(from: UInt32(0), through: UInt32.max - 4099, by: 4099).map { Float(bitPattern: $0) }
        var worst = 0.0
        var at: Float = 0
        for (i, got) in Self.exp(table, x).enumerated() {
            let error = Self.ulps(got, Foundation.exp(Double(x[i])))
            if error > worst { (worst, at) = (error, x[i]) }
        }
        #expect(worst <= 2, "exp(\(at)) is off by \(worst) ulp")
    }

    /// Error in units of what is promised: tanh and sigmoid 4 ulp; the gated units 2e-7 of |x|, which they multiply;
    /// laplace, whose tail is as steep as its argument is large, 2e-7.
    static func units(_ activation: Activation, _ x: Float, _ got: Float, _ want: Double) -> Double {
        switch activation {
        case .identity, .relu, .relu6, .reluSquared, .leakyRelu: return ulps(got, want)
        case .tanh, .sigmoid, .elu, .sqrtSoftplus: return ulps(got, want) / 4
        case .laplace:
            if !x.isFinite { return ulps(got, want) }
            return abs(Double(got) - want) / 2e-7
        case .gelu, .geluTanh, .silu, .quickGelu, .mish, .clippedGelu, .hardSwish:
            // torch multiplies −inf by 0; the limit is as good.
            if x == -.infinity { return got.isNaN || got == 0 ? 0 : .infinity }
            if !x.isFinite || !Float(want).isFinite { return ulps(got, want) }
            return abs(Double(got) - want) / max(abs(Double(x)) * 2e-7, Double(Float.leastNonzeroMagnitude) * 4)
        }
    }

    static func worst(
        _ table: Table, _ activation: Activation, _ x: [Float], _ want: [Double]
    ) -> (units: Double, x: Float, got: Float) {
        let out = Buffer(x)
        table.kernels.activate(activation, out.base, x.count)
        var worst = (units: 0.0, x: Float(0), got: Float(0))
        for (i, got) in out.values.enumerated() {
            let error = units(activation, x[i], got, want[i])
            if !(error <= worst.units) { worst = (error, x[i], got) }
        }
        #expect(out.untouchedBehind)
        return worst
    }

    /// torch, f64.
    @Test(arguments: Table.all, Activation.allCases)
    func activations(_ table: Table, activation: Activation) throws {
        let reference = try Reference("kernels_activations")
        let worst = Self.worst(
            table, activation, try reference.floats("x"), try reference.doubles(activation.rawValue))
        #expect(worst.units <= 1, "\(activation)(\(worst.x)) = \(worst.got), \(worst.units) bounds off")
    }

    /// The C library in f64, over every 4099th float there is: subnormals, infinities and NaN among them.
    @Test(arguments: Table.all, Activation.allCases)
    func activationsOfAllMagnitudes(_ table: Table, activation: Activation) {
        let x = stride(from: UInt32(0), through: UInt32.max - 4099, by: 4099).map { Float(bitPattern: $0) }
        let want = (x + [.infinity, -.infinity]).map { x -> Double in
            let x = Double(x)
            switch activation {
            case .identity: return x
            case .relu: return x < 0 ? 0 : x
            case .gelu: return x * 0.5 * erfc(-x / 2.0.squareRoot())
            case .geluTanh:
                return x / (1 + Foundation.exp(-2 * (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
            case .silu: return x / (1 + Foundation.exp(-x))
            case .tanh: return Foundation.tanh(x)
            case .sigmoid: return 1 / (1 + Foundation.exp(-x))
            case .quickGelu: return x / (1 + Foundation.exp(-1.702 * x))
            case .relu6: return x < 0 ? 0 : x > 6 ? 6 : x
            case .reluSquared: return x < 0 ? 0 : x * x
            case .leakyRelu: return x < 0 ? 0.01 * x : x
            case .mish: return x * Foundation.tanh(log1p(Foundation.exp(x)))
            case .elu: return x < 0 ? expm1(x) : x
            case .clippedGelu: return min(x * 0.5 * erfc(-x / 2.0.squareRoot()), 10)
            case .hardSwish: return x * min(max(x + 3, 0), 6) / 6
            case .laplace: return 0.5 * erfc((0.707107 - x) / (0.282095 * 2.0.squareRoot()))
            case .sqrtSoftplus: return (max(x, 0) + log1p(Foundation.exp(-abs(x)))).squareRoot()
            }
        }
        let worst = Self.worst(table, activation, x + [.infinity, -.infinity], want)
        #expect(worst.units <= 1, "\(activation)(\(worst.x)) = \(worst.got), \(worst.units) bounds off")
    }

    /// Lengths around the width of a vector: the tail must be computed as the rest is, and nothing behind it written.
    @Test(arguments: Table.all, Array(1...35))
    func tails(_ table: Table, count: Int) {
        let x = (0..<count).map { Float($0) * 0.37 - 5 }
        let whole = Self.exp(table, x + [Float](repeating: 0, count: 64))
        #expect(Self.exp(table, x) == Array(whole[..<count]))
        let out = Buffer(x)
        let addend = Buffer(x.map { $0 * 2 })
        table.kernels.add(addend.base, out.base, count)
        #expect(out.values == x.map { $0 + $0 * 2 })
        #expect(out.untouchedBehind)
    }

    /// torch.softmax and torch.nn.functional.layer_norm, f64.
    @Test(arguments: Table.all, [1, 5, 16, 31, 33, 384, 1000])
    func rows(_ table: Table, width: Int) throws {
        let reference = try Reference("kernels_rows")
        let x = try reference.floats("x.\(width)")
        let weight = Buffer(try reference.floats("weight.\(width)"))
        let bias = Buffer(try reference.floats("bias.\(width)"))

        let softmax = Buffer(x.map { $0 * 4 })
        table.kernels.softmax(softmax.base, 3, width)
        #expect(relativeError(softmax.values, try reference.floats("softmax.\(width)")) < 1e-6)
        for r in 0..<3 {
            let sum = softmax.values[(r * width)..<((r + 1) * width)].reduce(0.0) { $0 + Double($1) }
            #expect(abs(sum - 1) < 5e-7)
        }
        #expect(softmax.untouchedBehind)

        let input = Buffer(x)
        for (name, b) in [("norm", nil), ("norm_bias", UnsafePointer(bias.base))] {
            for inPlace in [false, true] {
                let out = inPlace ? Buffer(x) : Buffer(x.count)
                table.kernels.layerNorm(
                    LayerNormArguments(
                        x: inPlace ? out.base : input.base, out: out.base, weight: weight.base, bias: b, rows: 3,
                        width: width, epsilon: 1e-5))
                let want = try reference.floats("\(name).\(width)")
                // Width 1: x − mean is exactly 0.
                if want.allSatisfy({ $0 == 0 }) {
                    #expect(out.values.allSatisfy { $0 == 0 })
                } else {
                    #expect(relativeError(out.values, want) < 1e-6)
                }
                #expect(out.untouchedBehind)
            }
        }
    }

    /// Softmax follows torch: a row that holds a NaN, or nothing but −inf, is NaN; +inf likewise; −inf weighs nothing.
    @Test(arguments: Table.all, [3, 40])
    func softmaxOfSpecialValues(_ table: Table, width: Int) {
        func softmax(_ x: [Float]) -> [Float] {
            let out = Buffer(x)
            table.kernels.softmax(out.base, 1, x.count)
            return out.values
        }
        for place in [0, width - 1] {
            var x = [Float](repeating: 1, count: width)
            x[place] = .nan
            #expect(softmax(x).allSatisfy { $0.isNaN })
            x[place] = -.infinity
            let masked = softmax(x)
            #expect(masked[place] == 0 && abs(masked[1] - 1 / Float(width - 1)) < 1e-6)
        }
        #expect(softmax([Float](repeating: -.infinity, count: width)).allSatisfy { $0.isNaN })
        #expect(softmax([Float](repeating: 3e38, count: width)).allSatisfy { abs($0 - 1 / Float(width)) < 1e-7 })
    }
}
