import Glibc

/// e to the power x, in double.
func exponential(_ x: Double) -> Double { exp(x) }
