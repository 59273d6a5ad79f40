"""Fits the polynomial of VectorMath.exp: e^r = 1 + r + r^2 * q(r) for |r| <= ln 2 / 2, q of degree 4.

Least squares on Chebyshev points, weighted by r^2 / e^r for the relative error, and reweighted towards equal ripples
(Lawson's algorithm). Prints the coefficients, lowest first, and the largest relative error.
"""
import mpmath as mp

mp.mp.dps = 40
DEGREE, LIMIT, POINTS = 4, mp.log(2) / 2 * mp.mpf("1.0005"), 120

xs = [LIMIT * mp.cos(mp.pi * (i + 0.5) / POINTS) for i in range(POINTS)]
ys = [(mp.exp(x) - 1 - x) / x**2 for x in xs]
weights = [x**2 / mp.exp(x) for x in xs]
lawson = [mp.mpf(1)] * POINTS
best = None
for _ in range(60):
    a, b = mp.matrix(POINTS, DEGREE + 1), mp.matrix(POINTS, 1)
    for i, x in enumerate(xs):
        s = mp.sqrt(lawson[i]) * weights[i]
        for j in range(DEGREE + 1):
            a[i, j] = s * x**j
        b[i] = s * ys[i]
    p = mp.lu_solve(a.T * a, a.T * b)
    errors = [abs(w * (sum(p[j] * x**j for j in range(DEGREE + 1)) - y)) for x, y, w in zip(xs, ys, weights)]
    if best is None or max(errors) < best[0]:
        best = (max(errors), [p[j] for j in range(DEGREE + 1)])
    lawson = [l * (e / max(errors) + mp.mpf("1e-3")) for l, e in zip(lawson, errors)]
    lawson = [l * POINTS / sum(lawson) for l in lawson]

print("largest relative error", mp.nstr(best[0], 4))
for c in best[1]:
    print(mp.nstr(c, 12))
