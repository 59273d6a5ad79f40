"""Fits the polynomial of VectorMath.gelu: L(a) = log(erfc(a / sqrt 2)) = a * p(a) on [0, 6], with p of degree 9.

The error of gelu is the error of L times a * erfc(a / sqrt 2) / 2, so the fit is weighted by erfc. Lawson's algorithm
reweights it toward equal ripples. Prints the coefficients, lowest first, and the largest weighted error.
"""
import mpmath as mp

mp.mp.dps = 40
DEGREE, LIMIT, POINTS, FLOOR = 9, 6, 200, 2e-4

xs = [LIMIT * (1 - mp.cos(mp.pi * (i + 0.5) / POINTS)) / 2 for i in range(POINTS)]
ys = [mp.log(mp.erfc(x / mp.sqrt(2))) for x in xs]
weights = [mp.mpf(max(float(mp.erfc(x / mp.sqrt(2))), FLOOR)) for x in xs]
lawson = [1.0] * POINTS
best = None
for _ in range(40):
    a, b = mp.matrix(POINTS, DEGREE + 1), mp.matrix(POINTS, 1)
    for i, x in enumerate(xs):
        s = mp.sqrt(lawson[i]) * weights[i]
        for j in range(DEGREE + 1):
            a[i, j] = s * x ** (j + 1)
        b[i] = s * ys[i]
    p = mp.lu_solve(a.T * a, a.T * b)
    errors = [abs(w * (sum(p[j] * x ** (j + 1) for j in range(DEGREE + 1)) - y)) for x, y, w in zip(xs, ys, weights)]
    if best is None or max(errors) < best[0]:
        best = (max(errors), [p[j] for j in range(DEGREE + 1)])
    lawson = [l * float(e / max(errors) + mp.mpf("1e-3")) for l, e in zip(lawson, errors)]
    lawson = [l * POINTS / sum(lawson) for l in lawson]

print("largest weighted error", mp.nstr(best[0], 4))
for c in best[1]:
    print(mp.nstr(c, 12))
