"""Decimals and the bits of the doubles that Python's float() reads from them, for JSONTests.

    python Tests/Reference/tokenizers_doubles.py
"""

import json
import pathlib
import random
import struct
from fractions import Fraction

rng = random.Random(1990)
texts = ["0.0", "-0.0", "1e0", "0e999", "0.0e-999", "1e-400", "-1e-400", "5e-324", "4.9e-324", "2.4703282292062327e-324", "2.4703282292062328e-324",
         "2.225073858507201e-308", "2.2250738585072011e-308", "2.2250738585072012e-308", "2.2250738585072014e-308", "1.7976931348623157e308",
         "1.7976931348623158e308", "179769313486231570000e289", "9007199254740993.0", "9007199254740992.5", "9007199254740991e22", "9007199254740993e22",
         "1e22", "1e23", "8.5e22", "1e-22", "1e-23", "123456789012345678.0", "1234567890123456789.0", "0." + "0" * 400 + "1e390", "1" + "0" * 300 + ".0e-290",
         "0.000000000000000000000000000000000000000000000000000000000000000000001", "3." + "3" * 400, "6929495644600919.5", "3.7455744005952583e15",
         "100000000000000016777215.0", "100000000000000016777216.0", "1.0000000000000002220446049250313080847263336181640625", "1E5", "1e+5", "1.5E-3"]
# Exact midpoints of two adjacent doubles, and decimals slightly above and below them.
for _ in range(500):
    bits = rng.choice([rng.randrange(1 << 20, 0x7FE0000000000000), rng.randrange(1, 1 << 40), rng.randrange(0x3F00000000000000, 0x4340000000000000)])
    a, b = (Fraction(struct.unpack("<d", struct.pack("<Q", x))[0]) for x in (bits, bits + 1))
    half = (a + b) / 2
    if half.denominator.bit_length() > 220 or half.numerator.bit_length() > 260:
        continue
    places = half.denominator.bit_length() - 1
    digits = str(half.numerator * 10**places // half.denominator).rjust(places + 1, "0")
    text = digits[: len(digits) - places] + "." + (digits[len(digits) - places :] or "0")
    texts += [text, text + "1", text[:-1] + str(max(int(text[-1]) - 1, 0)) + "9"]
for _ in range(900):
    value = struct.unpack("<d", struct.pack("<Q", rng.randrange(0x7FF0000000000000) | rng.randrange(2) << 63))[0]
    texts.append(repr(value) if "e" in repr(value) or "." in repr(value) else repr(value) + ".0")
    texts.append(f"{value:.{rng.randrange(1, 25)}e}")
for _ in range(500):
    texts.append(f"{rng.randrange(10 ** rng.randrange(1, 25))}.{rng.randrange(10 ** rng.randrange(1, 25))}e{rng.randrange(-40, 40)}")
for _ in range(200):
    texts.append(struct.unpack("<d", struct.pack("<Q", rng.randrange(1, 1 << 52)))[0].__repr__())

rows = [[t, f"{struct.unpack('<Q', struct.pack('<d', float(t)))[0]:016x}"] for t in dict.fromkeys(texts) if float(t) not in (float("inf"), -float("inf"))]
out = pathlib.Path(__file__).parent / "data/json_doubles.json"
out.write_text(json.dumps(rows, separators=(",", ":")) + "\n")
print(len(rows), "numbers,", out.stat().st_size, "bytes")
