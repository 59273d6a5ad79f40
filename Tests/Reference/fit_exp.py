"""Fits the polynomials of VectorMath.exp and VectorMath.exp2.

exp: e^r = 1 + r + r^2 * q(r) for |r| <= ln 2 / 2, q of degree 4.
exp2: 2^r = 1 + r * q(r) for |r| <= 1 / 2, q of degree 5.

The fit is a least-squares fit on Chebyshev points, weighted for the relative error. Lawson's algorithm reweights it toward
equal ripples. Prints the coefficients, lowest first, and the largest relative error.
"""
import mpmath as mp

mp.mp.dps = 40
POINTS = 120


def fit(name, degree, limit, power, whole, fixed):
    """Fits q of `degree` in whole(x) = fixed(x) + x^power * q(x) for |x| <= limit, and prints it."""
    xs = [limit * mp.cos(mp.pi * (i + 0.5) / POINTS) for i in range(POINTS)]
    ys = [(whole(x) - fixed(x)) / x**power for x in xs]
    weights = [abs(x)**power / whole(x) for x in xs]
    lawson = [mp.mpf(1)] * POINTS
    best = None
    for _ in range(60):
        a, b = mp.matrix(POINTS, degree + 1), mp.matrix(POINTS, 1)
        for i, x in enumerate(xs):
            s = mp.sqrt(lawson[i]) * weights[i]
            for j in range(degree + 1):
                a[i, j] = s * x**j
            b[i] = s * ys[i]
        p = mp.lu_solve(a.T * a, a.T * b)
        errors = [abs(w * (sum(p[j] * x**j for j in range(degree + 1)) - y)) for x, y, w in zip(xs, ys, weights)]
        if best is None or max(errors) < best[0]:
            best = (max(errors), [p[j] for j in range(degree + 1)])
        lawson = [l * (e / max(errors) + mp.mpf("1e-3")) for l, e in zip(lawson, errors)]
        lawson = [l * POINTS / sum(lawson) for l in lawson]
    print(name, "largest relative error", mp.nstr(best[0], 4))
    for c in best[1]:
        print(mp.nstr(c, 12))


fit("exp", 4, mp.log(2) / 2 * mp.mpf("1.0005"), 2, mp.exp, lambda x: 1 + x)
fit("exp2", 5, mp.mpf("0.5"), 1, lambda x: mp.mpf(2)**x, lambda x: 1)
