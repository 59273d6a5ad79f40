"""Decimals and the bits of the nearest f32 (ties to even), computed with exact fractions.

    python3 Tests/Reference/json_floats.py > Tests/Reference/data/json_floats.json
"""
import json
import random
import struct
from fractions import Fraction


def value(bits):
    return Fraction(struct.unpack("<f", struct.pack("<I", bits))[0])


def nearest(text):
    """Returns the bits of the f32 nearest to a positive decimal, by bisection over all f32."""
    exact = Fraction(text)
    low, high = 0, 0x7F7FFFFF
    while low < high:
        middle = (low + high + 1) // 2
        if value(middle) <= exact:
            low = middle
        else:
            high = middle - 1
    if low < 0x7F7FFFFF:
        below, above = exact - value(low), value(low + 1) - exact
        if above < below or (above == below and low & 1):
            low += 1
    return low


def decimal(fraction, digits):
    """Returns a fraction as a decimal, truncated to at most `digits` digits. Its denominator must be a power of two."""
    shift = 0
    while fraction.denominator > 1 and shift < 200:
        fraction *= 10
        shift += 1
    text = str(fraction.numerator // fraction.denominator)
    cut = max(0, len(text) - digits)
    return f"{text[: len(text) - cut]}e{cut - shift}"


random.seed(7)
texts = ["16777217", "16777219", "33554434", "0.1", "3.4028235e38", "1e-45", "7e-46", "8e-46", "1e-60", "0e5", "0.000",
         "1.17549435e-38", "1.1754942e-38", "9007199254740993", "1" + "0" * 30, "0." + "0" * 30 + "1"]
for _ in range(400):
    texts.append(repr(random.gauss(0, 1)).lstrip("-"))
    texts.append(repr(struct.unpack("<f", struct.pack("<f", abs(random.gauss(0, 0.05))))[0]))
    bits = random.randrange(0x30000000, 0x4F000000)
    # The exact midpoint of two adjacent f32 numbers, and decimals that differ from it in a late digit. Rounding twice
    # fails for these.
    middle = (value(bits) + value(bits + 1)) / 2
    full = decimal(middle, 400)
    mantissa, exponent = full.split("e")
    texts += [full, decimal(middle, 19), decimal(middle, 17), f"{mantissa}1e{int(exponent) - 1}",
              f"{int(mantissa) - 1}e{exponent}"]
print("[")
print(",\n".join(json.dumps([text, f"{nearest(text):08x}"]) for text in texts))
print("]")
