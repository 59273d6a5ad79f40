"""Fits the polynomial of VectorMath.coarseGelu: Phi(x) = 1/2 + x p(x^2) for |x| <= LIMIT.

The fit is a least-squares fit on Chebyshev points. Lawson's algorithm reweights it toward equal ripples of the error of
x Phi(x). The constraint Phi(LIMIT) = 1 makes gelu exactly x above LIMIT and 0 below -LIMIT. Prints the coefficients of p,
lowest first, and the largest error over all x.
"""
import sys
import numpy as np
from scipy.special import erf

TERMS = int(sys.argv[1]) if len(sys.argv) > 1 else 7
LIMIT = float(sys.argv[2]) if len(sys.argv) > 2 else 3.5
POINTS = 2000
x = LIMIT * (0.5 + 0.5 * np.cos(np.pi * (np.arange(POINTS) + 0.5) / POINTS))
# p(s) = end + (s - LIMIT^2) r(s) satisfies the constraint.
end = 0.5 / LIMIT
target = 0.5 * erf(x / np.sqrt(2)) - x * end
basis = (x * (x**2 - LIMIT**2))[:, None] * (x[:, None] / LIMIT) ** (2 * np.arange(TERMS - 1))
lawson = np.ones(POINTS)
best = (np.inf, None)
for _ in range(400):
    s = np.sqrt(lawson) * np.maximum(x, 0.05)
    c = np.linalg.lstsq(basis * s[:, None], target * s, rcond=None)[0]
    error = np.abs(basis @ c - target) * np.maximum(x, 0.05)
    if error.max() < best[0]:
        best = (error.max(), c)
    lawson = lawson * (error / error.max() + 1e-3)
    lawson *= POINTS / lawson.sum()
r = best[1] / LIMIT ** (2 * np.arange(TERMS - 1))
p = np.zeros(TERMS)
p[0] = end
p[1:] += r
p[:-1] -= LIMIT**2 * r
q = p.astype(np.float32)
grid = np.linspace(-8, 8, 1_000_001).astype(np.float32)
t = np.clip(grid, -LIMIT, LIMIT).astype(np.float32)
s = t * t
v = np.full_like(s, q[-1])
for k in q[-2::-1]:
    v = v * s + k
got = grid * (np.float32(0.5) + t * v)
want = grid.astype(np.float64) * 0.5 * (1 + erf(grid.astype(np.float64) / np.sqrt(2)))
print("terms", TERMS, "limit", LIMIT, "fit", best[0], "largest error", np.abs(got - want).max(), "at 0", abs(q[0] - 0.3989422804))
print(", ".join(f"{k:.9e}" for k in q))
