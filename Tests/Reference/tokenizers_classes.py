"""Expected values for PatternClassTests, from the Hugging Face `tokenizers` library.

They are the characters that classes of regular expressions match, as digests of [first, last] pairs, and decoded added
tokens whose spelling a normalizer changes.

    python Tests/Reference/tokenizers_classes.py
"""

import json
import pathlib

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

ALL = "".join(chr(c) for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF)
CLASSES = r"""\w \W \d \D \p{L} \P{L} \p{^L} \p{Letter} \p{M} \p{N} \p{P} \p{punct} \p{S} \p{Z} \p{C} \p{LC} \p{Lu} \p{lu}
\p{Uppercase_Letter} \p{Ll} \p{Lt} \p{Lm} \p{Lo} \p{Mn} \p{Nd} \p{Sc} \p{So} \p{Han} \p{Hiragana} \p{Katakana} \p{Latin}
\p{Cyrillic} (?i:\p{Lu}) (?W)\w (?D:\d) \\w [\w] [^\w] \p{Word} [\p{Word}] [\P{Word}] [\W] (?i:[\w]) (?i:\w) \p{Greek}""".split()


def digest(values):
    h = 0xCBF29CE484222325
    for v in values:
        h = (h ^ v) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{h:016x}"


def matched(pattern):
    """Returns [first, last] pairs of the characters that the pattern matches, without surrogates."""
    a, b = (normalizers.Replace(Regex(pattern), letter).normalize_str(ALL) for letter in "ab")
    assert len(a) == len(b) == len(ALL)
    pairs = []
    for c, x, y in zip(ALL, a, b):
        if x != y:
            if pairs and ord(c) == pairs[-1] + 1: pairs[-1] = ord(c)
            else: pairs += [ord(c), ord(c)]
    return pairs


def decoded():
    t = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    t.normalizer, t.pre_tokenizer = normalizers.NFKD(), pre_tokenizers.Whitespace()
    t.add_tokens([AddedToken("wörd"), AddedToken("ﬁn"), AddedToken("한", normalized=False)])
    t.add_special_tokens([AddedToken("é", normalized=True), AddedToken("e\u0301", normalized=False)])
    texts = ["a wörd", "ﬁn 한 fin", "é e\u0301 a", "wo\u0308rd é"]
    return {"tokenizer": json.loads(t.to_str()), "cases": [
        {"text": x, "ids": t.encode(x).ids, "decoded": t.decode(t.encode(x).ids, skip_special_tokens=False),
         "skipped": t.decode(t.encode(x).ids)} for x in texts]}


out = pathlib.Path(__file__).parent / "data/tokenizers_classes.json"
cases = {p: matched(p) for p in CLASSES}
out.write_text(json.dumps({
    "classes": [{"pattern": p, "count": len(m) // 2, "digest": digest(m)} for p, m in cases.items()],
    "decoded": decoded()}, indent=1) + "\n")
print(len(cases), "classes,", out.stat().st_size, "bytes")
