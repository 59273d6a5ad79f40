"""Fits the polynomial of coarseExp2: 2^f for |f| <= 1/2, degree 3.

The fit is a least-squares fit on Chebyshev points. Lawson's algorithm reweights it toward equal ripples of the relative
error. Prints the largest relative error and the coefficients, lowest first.
"""
import numpy as np

DEGREE, POINTS = 3, 400
f = 0.5 * np.cos(np.pi * (np.arange(POINTS) + 0.5) / POINTS)
y = 2.0**f
powers = f[:, None] ** np.arange(DEGREE + 1)
lawson = np.ones(POINTS)
best = (np.inf, None)
for _ in range(300):
    s = np.sqrt(lawson) / y
    c = np.linalg.lstsq(powers * s[:, None], y * s, rcond=None)[0]
    error = np.abs(powers @ c - y) / y
    if error.max() < best[0]:
        best = (error.max(), c)
    lawson = lawson * (error / error.max() + 1e-3)
    lawson *= POINTS / lawson.sum()
print("largest relative error", best[0])
print(best[1])
