/// Elementary functions of a vector of floats. MathTests hold them to the errors stated here, on every table, over
/// floats of all magnitudes, subnormals and infinities among them. NaN gives NaN.
public enum VectorMath<I: Instructions> {
    public typealias Vector = I.Vector

    /// Returns eˣ within 2 ulp: 0 below −103.98, subnormal results rounded once, +inf above 88.73.
    @export(implementation) @inline(__always)
    public static func exp(_ argument: Vector) -> Vector {
        let parts = exponential(clamp(argument, -104, 89))
        return I.scale(I.add(parts.fraction, I.splat(1)), parts.power, parts.rounder)
    }

    /// Returns eˣ as (1 + fraction) · 2^power.
    ///
    /// x = i·ln 2 + r with |r| ≤ ln 2 / 2. ln 2 is split so that i times its high part is exact without FMA, as in
    /// Cephes' expf (https://netlib.org/cephes/). A polynomial of degree 6 for e^r is fitted to 3e-9 by
    /// Tests/Reference/fit_exp.py.
    @export(implementation) @inline(__always)
    static func exponential(_ x: Vector) -> (fraction: Vector, power: Vector, rounder: Vector) {
        let magic = I.splat(12_582_912)
        let rounder = I.fma(x, I.splat(1.442_695_041), magic)
        let i = I.sub(rounder, magic)
        var r = I.fma(i, I.splat(-0.693_359_375), x)
        r = I.fma(i, I.splat(2.121_944_40e-4), r)
        // In pairs: the terms one after the other would wait for each other, here and in `gelu`.
        let square = I.mul(r, r)
        let p1 = I.fma(I.splat(8.368_750_897_81e-3), r, I.splat(4.166_839_211_48e-2))
        let p0 = I.fma(I.splat(1.666_652_033_66e-1), r, I.splat(4.999_999_342_56e-1))
        let p = I.fma(I.fma(I.splat(1.381_447_582_49e-3), square, p1), square, p0)
        return (I.fma(p, square, r), i, rounder)
    }

    /// Returns x limited to `least` … `most`. A NaN stays a NaN.
    @export(implementation) @inline(__always)
    static func clamp(_ x: Vector, _ least: Float, _ most: Float) -> Vector {
        let (low, high) = (I.splat(least), I.splat(most))
        let x = I.selectLess(high, x, high, x)
        return I.selectLess(x, low, low, x)
    }

    /// Returns 2^y within 2 ulp for y ≤ 0, −∞ included. The result for a positive y has no meaning.
    ///
    /// 2^y = 2^i · 2^r with |r| ≤ ½, which takes no rounding, and a polynomial of degree 6 for 2^r, fitted to 2e-9 by
    /// Tests/Reference/fit_exp.py. It is cheaper by a third than `exp`, whose argument has to be multiplied by log₂ e
    /// with more digits than a float has.
    @export(implementation) @inline(__always)
    public static func exp2(_ y: Vector) -> Vector {
        let (whole, r, rounder) = I.split(y)
        let square = I.mul(r, r)
        let p2 = I.fma(I.splat(1.535_335_853_62e-4), r, I.splat(1.339_887_480_91e-3))
        let p1 = I.fma(I.splat(9.618_437_374_43e-3), r, I.splat(5.550_332_469_85e-2))
        let p0 = I.fma(I.splat(2.402_264_791_34e-1), r, I.splat(6.931_472_028_56e-1))
        let p = I.fma(I.fma(p2, square, p1), square, p0)
        return I.scale(I.fma(p, r, I.splat(1)), whole, rounder)
    }

    /// Returns 1 / (1 + e⁻ˣ) within 4 ulp, from e^−|x|, so that neither side overflows or loses small results.
    @export(implementation) @inline(__always)
    public static func sigmoid(_ x: Vector) -> Vector {
        let one = I.splat(1)
        let zero = I.splat(0)
        let e = exp(I.sub(zero, I.abs(x)))
        return I.div(I.selectLess(x, zero, e, one), I.add(one, e))
    }

    /// Returns `sigmoid` for the gates of recurrent cells, with fewer instructions. It is 0 below −88.72, where the
    /// exact value is below 3e-39.
    @export(implementation) @inline(__always)
    public static func gate(_ x: Vector) -> Vector {
        let one = I.splat(1)
        return I.div(one, I.add(one, exp(I.sub(I.splat(0), x))))
    }

    /// Returns tanh x within 4 ulp as E / (E + 2) with E = e^2x − 1 = 2^i·(e^r − 1) + (2^i − 1). Near 0, E is e^r − 1.
    @export(implementation) @inline(__always)
    public static func tanh(_ x: Vector) -> Vector {
        // tanh(10) rounds to 1.
        let parts = exponential(clamp(I.add(x, x), -20, 20))
        let power = I.scale(I.splat(1), parts.power, parts.rounder)
        let e = I.fma(power, parts.fraction, I.sub(power, I.splat(1)))
        return I.div(e, I.add(e, I.splat(2)))
    }

    /// Returns x·Φ(x) (torch.nn.GELU) within 2e-7·|x|.
    ///
    /// It is computed as max(x, 0) − |x|·Φ(−|x|) with 2Φ(−a) = e^L(a): no cancellation for negative x, and one
    /// exponential in place of a division. L is a polynomial without constant term, fitted on [0, 6] and falling ever
    /// faster beyond, by Tests/Reference/fit_gelu.py. The error of the fit is below 1e-7·|x|.
    @export(implementation) @inline(__always)
    public static func gelu(_ x: Vector) -> Vector {
        let a = least(I.abs(x), I.splat(14))
        return I.sub(relu(x), I.mul(I.mul(I.splat(0.5), a), twoTails(a)))
    }

    /// Returns 2Φ(−a) for `gelu`, 0 ≤ a ≤ 14.
    @export(implementation) @inline(__always)
    static func twoTails(_ a: Vector) -> Vector {
        let square = I.mul(a, a)
        let p4 = I.fma(I.splat(-2.370_757_117_69e-8), a, I.splat(6.829_589_972_52e-7))
        let p3 = I.fma(I.splat(-8.434_110_537_66e-6), a, I.splat(5.708_301_228_59e-5))
        let p2 = I.fma(I.splat(-2.049_668_976_68e-4), a, I.splat(1.670_371_169_69e-5))
        let p1 = I.fma(I.splat(4.802_234_343_41e-3), a, I.splat(-3.634_520_917_09e-2))
        let p0 = I.fma(I.splat(-3.183_078_224_22e-1), a, I.splat(-7.978_847_045_9e-1))
        let p = I.fma(I.fma(I.fma(I.fma(p4, square, p3), square, p2), square, p1), square, p0)
        return exp(I.mul(p, a))
    }

    /// Returns Φ((x − 0.707107) / 0.282095) within 2e-7 (LaplaceActivation in transformers' activations.py).
    @export(implementation) @inline(__always)
    public static func laplace(_ x: Vector) -> Vector {
        let z = I.div(I.sub(x, I.splat(0.707_107)), I.splat(0.282_095))
        let tail = I.mul(I.splat(0.5), twoTails(least(I.abs(z), I.splat(14))))
        return I.selectLess(z, I.splat(0), tail, I.sub(I.splat(1), tail))
    }

    /// Returns x · min(max(x + 3, 0), 6) / 6 (torch.nn.Hardswish) within 2e-7·|x|.
    @export(implementation) @inline(__always)
    public static func hardSwish(_ x: Vector) -> Vector {
        let six = I.splat(6)
        return I.mul(x, I.div(least(relu(I.add(x, I.splat(3))), six), six))
    }

    /// Returns √ln(1 + eˣ) within 4 ulp (SqrtSoftplusActivation in transformers' activations.py).
    ///
    /// With u = e^−|x| = h² the logarithm is max(x, 0) + ln(1 + u), and ln(1 + u) = 2 artanh(s) = u·w, where
    /// s = u / (2 + u) ≤ ⅓, by the series of artanh. For negative x the root of u is taken as h, so that none of its
    /// digits is lost where u is subnormal.
    @export(implementation) @inline(__always)
    public static func sqrtSoftplus(_ x: Vector) -> Vector {
        let zero = I.splat(0)
        let one = I.splat(1)
        let h = exp(I.mul(I.splat(-0.5), I.abs(x)))
        let u = I.mul(h, h)
        let inverse = I.div(one, I.add(I.splat(2), u))
        let s = I.mul(u, inverse)
        let square = I.mul(s, s)
        var p = I.fma(I.splat(1 / 15), square, I.splat(1 / 13))
        p = I.fma(p, square, I.splat(1 / 11))
        p = I.fma(p, square, I.splat(1 / 9))
        p = I.fma(p, square, I.splat(1 / 7))
        p = I.fma(p, square, I.splat(1 / 5))
        p = I.fma(p, square, I.splat(1 / 3))
        p = I.fma(p, square, one)
        let w = I.mul(I.add(inverse, inverse), p)
        let root = I.squareRoot(I.selectLess(x, zero, w, I.fma(u, w, x)))
        return I.mul(I.selectLess(x, zero, h, one), root)
    }

    /// Returns GELU within 1e-4: x·Φ(x) with Φ(x) = ½ + x·p(x²) up to |x| = 4.1, and 0 or 1 beyond.
    ///
    /// It is for layers in bf16 and int8, whose rounding of outputs near 1 moves them by 2e-3 and more. Fitted by
    /// Tests/Reference/fit_gelu_coarse.py.
    @export(implementation) @inline(__always)
    public static func coarseGelu(_ x: Vector) -> Vector {
        let limit = I.splat(4.1)
        let low = I.splat(-4.1)
        var t = I.selectLess(limit, x, limit, x)
        t = I.selectLess(t, low, low, t)
        let s = I.mul(t, t)
        var p = I.fma(I.splat(-8.271_821_006e-10), s, I.splat(7.460_491_247e-8))
        p = I.fma(p, s, I.splat(-2.912_815_262e-6))
        p = I.fma(p, s, I.splat(6.521_170_872e-5))
        p = I.fma(p, s, I.splat(-9.383_547_585e-4))
        p = I.fma(p, s, I.splat(9.250_427_596e-3))
        p = I.fma(p, s, I.splat(-6.544_116_139e-2))
        p = I.fma(p, s, I.splat(3.984_130_919e-1))
        return I.mul(x, I.fma(t, p, I.splat(0.5)))
    }

    /// Returns ½x(1 + tanh(√(2/π)(x + 0.044715x³))) (torch.nn.GELU(approximate="tanh")) within 2e-7·|x|, as x·sigmoid
    /// of twice the argument.
    @export(implementation) @inline(__always)
    public static func geluTanh(_ x: Vector) -> Vector {
        let inner = I.fma(I.mul(I.mul(x, x), x), I.splat(0.044_715), x)
        return I.mul(x, sigmoid(I.mul(inner, I.splat(1.595_769_122))))
    }

    /// Returns x·tanh(ln(1 + eˣ)) (torch.nn.Mish) within 2e-7·|x|, as x·n / (n + 2) with n = eˣ(eˣ + 2): no logarithm.
    /// Above 20 it is x in f32.
    @export(implementation) @inline(__always)
    public static func mish(_ x: Vector) -> Vector {
        let limit = I.splat(20)
        let e = exp(I.selectLess(limit, x, limit, x))
        let n = I.mul(e, I.add(e, I.splat(2)))
        return I.mul(x, I.div(n, I.add(n, I.splat(2))))
    }

    /// Returns x for x ≥ 0, else eˣ − 1 (torch.nn.ELU), within 4 ulp, without cancellation near 0.
    @export(implementation) @inline(__always)
    public static func elu(_ x: Vector) -> Vector {
        let zero = I.splat(0)
        let parts = exponential(clamp(I.selectLess(x, zero, x, zero), -20, 0))
        let power = I.scale(I.splat(1), parts.power, parts.rounder)
        let e = I.fma(power, parts.fraction, I.sub(power, I.splat(1)))
        return I.selectLess(x, zero, e, x)
    }

    /// Returns max(x, 0). A NaN stays a NaN.
    @export(implementation) @inline(__always)
    public static func relu(_ x: Vector) -> Vector { I.selectLess(x, I.splat(0), I.splat(0), x) }

    /// Returns the smaller of `x`, which may be NaN, and `limit`.
    @export(implementation) @inline(__always)
    static func least(_ x: Vector, _ limit: Vector) -> Vector { I.selectLess(limit, x, limit, x) }
}
