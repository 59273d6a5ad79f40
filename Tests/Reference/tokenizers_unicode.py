"""Writes Sources/Tokenizers/Unicode/UnicodeTables.generated.swift: the Unicode data of Hugging Face `tokenizers`.

The library takes its character classes and decompositions from three Rust crates. Their Unicode versions differ, and are
older than that of the standard library of any current Swift. This script obtains the data from the library itself, one code
point at a time.

    python Tests/Reference/tokenizers_unicode.py
"""

import pathlib

import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

ALL = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
OUT = pathlib.Path(__file__).parents[2] / "Sources/Tokenizers/Unicode/UnicodeTables.generated.swift"

clean = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False)
strip = normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False)
nfd = normalizers.NFD()
marks = normalizers.StripAccents()
bert = pre_tokenizers.BertPreTokenizer()
HANGUL = range(0xAC00, 0xD7A4)


def ranges(codes):
    out = []
    for c in codes:
        # Surrogates cannot occur, so a range may span them.
        if out and (c == out[-1][1] + 1 or (out[-1][1] == 0xD7FF and c == 0xE000)):
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def combining_classes():
    """Returns [first, last, class] of canonical combining classes.

    The class of a character follows from the order in which NFD puts it and a character of known class.
    """
    import unicodedata

    low, high = "\u0334", "\u0345"
    swaps = lambda a, b: nfd.normalize_str(a + b) == b + a != a + b
    known = {}
    for c in range(0x300, 0x20000):
        s, k = chr(c), unicodedata.combining(chr(c))
        # Python's Unicode data is newer and may have a class that the library does not have.
        if k and nfd.normalize_str(s) == s and (swaps(s, low) or swaps(high, s) or s in (low, high)):
            known.setdefault(k, s)
    out = []
    for c in ALL:
        s = chr(c)
        if nfd.normalize_str(s) != s or not (swaps(s, low) or swaps(high, s)):
            continue
        above = [k for k, r in known.items() if swaps(s, r)]
        below = [k for k, r in known.items() if swaps(r, s)]
        same = [k for k in known if k not in above and k not in below]
        assert len(same) == 1, (hex(c), same)
        k = same[0]
        if out and out[-1][2] == k and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c, k])
    return out


def literal(values):
    """Returns a call of `hexNumbers` with the values as one string literal, which costs the compiler nothing."""
    lines, line = [], "       "
    for v in values:
        item = f" {v:X}"
        if len(line) + len(item) > 120:
            lines.append(line)
            line = "       "
        line += item
    lines.append(line)
    return 'hexNumbers("""\n' + "\n".join(lines) + '\n        """)'


def array(name, doc, values):
    return f"    /// {doc}\n    static let {name} = {literal(values)}\n"


other = ranges(c for c in ALL if clean.normalize_str(chr(c)) == "")
nonspacing = ranges(c for c in ALL if nfd.normalize_str(chr(c)) == chr(c) and strip.normalize_str(chr(c)) == "")
mark = ranges(c for c in ALL if marks.normalize_str(chr(c)) == "")
punctuation = ranges(c for c in ALL if len(bert.pre_tokenize_str("a" + chr(c) + "a")) == 3)
decompositions = []
for c in ALL:
    d = nfd.normalize_str(chr(c))
    if d != chr(c) and c not in HANGUL:
        decompositions += [c, len(d), *map(ord, d)]
nfc, nfkd = normalizers.NFC(), normalizers.NFKD()
compatible = []
for c in ALL:
    d = nfkd.normalize_str(chr(c))
    if d != nfd.normalize_str(chr(c)):
        compatible += [c, len(d), *map(ord, d)]
compositions = []
for c in ALL:
    d = nfd.normalize_str(chr(c))
    if len(d) < 2 or c in HANGUL or nfc.normalize_str(chr(c)) != chr(c):
        continue
    first = nfc.normalize_str(d[:-1])
    assert len(first) == 1 and nfc.normalize_str(first + d[-1]) == chr(c), hex(c)
    compositions.append((ord(first), ord(d[-1]), c))
everything = "".join(map(chr, ALL))


def matching(pattern):
    """Returns [first, last] pairs of the characters that `pattern` matches in the library's copy of Oniguruma."""
    return ranges(map(ord, normalizers.Replace(Regex(f"[^{pattern}]"), "").normalize_str(everything)))


digits = pre_tokenizers.Digits(individual_digits=True)
WORDS = "Characters that `\\w` matches in Rust regular expressions, used by `Whitespace`; [first, last] pairs."
whitespace = pre_tokenizers.Whitespace()
words = ranges(c for c in ALL if len(whitespace.pre_tokenize_str("a" + chr(c) + "a")) == 1)
numeric = ranges(c for c in ALL if len(digits.pre_tokenize_str("a" + chr(c) + "a")) == 3)
LETTERS, NUMBERS = (
    f"Characters that `{c}` matches in its regular expressions; [first, last] pairs." for c in (r"\p{L}", r"\p{N}"))
CATEGORY_DOC = (
    "General categories in its regular expressions, ascending. Each value is the first scalar of a range, plus the index of "
    "its\n    /// category in `PatternClasses.categories` << 21.")
SCRIPT_DOC = "Characters of each script in its regular expressions, such as `\\p{Han}`; [first, last] pairs."
letters, numbers = matching(r"\p{L}"), matching(r"\p{N}")
flat = lambda rows: [x for row in rows for x in row]

CATEGORIES = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cn Co".split()
SCRIPTS = "Arabic Cyrillic Devanagari Greek Han Hangul Hebrew Hiragana Katakana Latin Thai".split()
categories = []
for place, category in enumerate(CATEGORIES):
    categories += [(first, last, place) for first, last in matching(rf"\p{{{category}}}")]
categories.sort()
# The ranges are contiguous, so the first scalar and the category of each are enough.
assert all(b[0] == a[1] + 1 or (a[1], b[0]) == (0xD7FF, 0xE000) for a, b in zip(categories, categories[1:]))
assert categories[0][0] == 0 and categories[-1][1] == 0x10FFFF
scripts = [(script, matching(rf"\p{{{script}}}")) for script in SCRIPTS]
# PatternClasses defines `\w` by categories and these circled and squared letters.
symbols = [*range(0x24B6, 0x24EA), *range(0x1F130, 0x1F14A), *range(0x1F150, 0x1F16A), *range(0x1F170, 0x1F18A)]
kinds = [CATEGORIES.index(c) for c in CATEGORIES if c[0] in "LM" or c in ("Nd", "Nl", "Pc")]
wanted = {c for first, last, place in categories if place in kinds for c in range(first, last + 1)} | set(symbols)
assert wanted - set(range(0xD800, 0xE000)) == {c for first, last in matching(r"\w") for c in range(first, last + 1)} - set(range(0xD800, 0xE000))


def script_table(name, doc):
    lines = [f"    /// {doc}", f"    static let {name}: [(name: String, ranges: [UInt32])] = ["]
    for script, found in scripts:
        lines.append(f'        ("{script}", {literal(flat(found))}),')
    return "\n".join(lines + ["    ]"]) + "\n"

OUT.write_text(
    f"""// Generated by Tests/Reference/tokenizers_unicode.py from the Hugging Face tokenizers library {tokenizers.__version__};
// do not edit.
// swift-format-ignore-file

/// The Unicode data of the Hugging Face tokenizers library.
///
/// It is older than the data of Swift, which also changes with the toolchain. Characters assigned since then must keep the
/// properties that they had when the models were trained.
enum UnicodeTables {{
{array("removedByCleanText", "Characters that `BertNormalizer` removes: NUL, U+FFFD, control, format and private use; [first, last] pairs.", flat(other))}
{array("nonspacingMarks", "Characters of general category Mn that do not decompose; [first, last] pairs.", flat(nonspacing))}
{array("marks", "Characters that `StripAccents` removes: general category M; [first, last] pairs.", flat(mark))}
{array("punctuation", "Characters that `BertPreTokenizer` isolates: ASCII punctuation and category P; [first, last] pairs.", flat(punctuation))}
{array("combiningClasses", "Canonical combining classes other than 0; [first, last, class] triples.", flat(combining_classes()))}
{array("decompositions", "Full canonical decompositions except of Hangul syllables; [scalar, count, scalars…], ascending.", decompositions)}
{array("compatibilityDecompositions", "Full compatibility decompositions that differ from the canonical ones; [scalar, count, scalars…], ascending.", compatible)}
{array("compositions", "Primary composites except Hangul syllables; [first, second, composite] triples, ascending.", flat(sorted(compositions)))}
{array("letters", LETTERS, flat(letters))}
{array("numbers", NUMBERS, flat(numbers))}
{array("categories", CATEGORY_DOC, [first | place << 21 for first, _, place in categories])}
{script_table("scripts", SCRIPT_DOC)}
{array("words", WORDS, flat(words))}
{array("numeric", "Characters that `Digits` isolates: those of Rust's `char::is_numeric`; [first, last] pairs.", flat(numeric))}}}
"""
)
