"""Expected tokens for TokenModelTests, from every model of the Hugging Face `tokenizers` library with each of its options.

The test generates the same texts with the same random numbers.

    python Tests/Reference/tokenizers_models.py

Each case has the tokenizer.json, one digest of the tokens per 100 texts, and the tokens of the first texts in full.
"""

import json
import pathlib
import random

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

HERE = pathlib.Path(__file__).parent
PIECES = ["a", "b", "c", "d", "e", "ab", "the", "ing", " ", " ", "  ", "é", "ü", "中", "文", "😀", "👍🏽", "▁", "▁th", "##", "</w>", "<unk>", "<0x41>", "aaaa",
          "-", "---", "z", "Z", "ё", "й", "\u0301", "\u200d", "\n", "ﬁ", "𐐔"]
SHORT, LONG = 2000, 10


def texts():
    """Returns random texts from Knuth's linear congruential generator, which the test reproduces."""
    state = 7

    def draw(n):
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        return (state >> 33) % n

    out = []
    for _ in range(SHORT):
        # Each text uses only some pieces, so that words repeat and unknown characters follow each other.
        some = [PIECES[draw(len(PIECES))] for _ in range(1 + draw(8))]
        out.append("".join(some[draw(len(some))] for _ in range(draw(24))))
    for _ in range(LONG):
        out.append("".join(PIECES[draw(len(PIECES))] for _ in range(1000 + draw(1000))))
    return out


TEXTS = texts()


def digest(rows):
    h = 0xCBF29CE484222325
    for v in rows:
        h = ((h ^ v) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{h:016x}"


def flat(encoding):
    return [len(encoding.ids)] + [v for i, o in zip(encoding.ids, encoding.offsets) for v in (i, *o)]


rng = random.Random(11)
CASES = []


def case(name, model, split=False, **changes):
    pre = {"type": "WhitespaceSplit"} if split else None
    document = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": pre, "post_processor": None,
                "decoder": None, "model": {**model, **changes}}
    tokenizer = Tokenizer.from_str(json.dumps(document))
    rows = [flat(tokenizer.encode(t)) for t in TEXTS]
    CASES.append({"name": name, "tokenizer": document, "first": rows[:20],
                  "digests": [digest([v for row in rows[i:i + 100] for v in row]) for i in range(0, len(rows), 100)]})


def trained(trainer, model, size):
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    known = ["".join(c for c in t if c not in "zZё文\U00010414\u200d👍") for t in TEXTS]
    tokenizer.train_from_iterator(known, trainer(vocab_size=size, show_progress=False))
    return json.loads(tokenizer.to_str())["model"]


def random_bpe(tokens, merges, prefix="", suffix="", extra=()):
    """Returns a BPE model with merges in random order. A merge may rank before the merges that create its own parts."""
    letters = list("abcdeéü中😀▁-thing#</w>й")
    starts = [x + s for x in letters for s in ("", suffix)]
    goes_on = [prefix + x + s for x in letters for s in ("", suffix)]
    vocab = list(dict.fromkeys(starts + goes_on))
    pairs = []
    while len(pairs) < merges:
        a = rng.choice(vocab)
        b = rng.choice([t for t in vocab if t.startswith(prefix)])
        joined = a + b[len(prefix):]
        if len(joined) > 9:
            continue
        pairs.append([a, b])
        if joined not in vocab:
            vocab.append(joined)
    rng.shuffle(pairs)
    vocab += [t for t in extra if t not in vocab]
    order = list(range(len(vocab)))
    rng.shuffle(order)
    return {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": prefix or None, "end_of_word_suffix": suffix or None, "fuse_unk": False,
            "byte_fallback": False, "ignore_merges": False, "vocab": dict(zip(vocab, order)), "merges": pairs}


BYTES = [f"<0x{b:02X}>" for b in range(256)]
bpe = trained(trainers.BpeTrainer, models.BPE(), 300)
case("BPE, trained", bpe)
case("BPE, trained, words", bpe, split=True, dropout=0.0)
plain = random_bpe(100, 200, extra=["<unk>", "theing", "aaaab"] + BYTES)
case("BPE, unknown dropped", plain)
case("BPE, merges as lines", plain, merges=["#version: 0.2"] + [" ".join(m) for m in plain["merges"]])
case("BPE, merges twice", plain, merges=plain["merges"] + plain["merges"][::-2])
case("BPE, unknown", plain, unk_token="<unk>")
case("BPE, unknown fused", plain, unk_token="<unk>", fuse_unk=True)
case("BPE, byte fallback", plain, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
partial = dict(plain, vocab={t: i for t, i in plain["vocab"].items() if t not in ("<0xF0>", "<0x84>", "<0xAC>", "<0xD1>")})
case("BPE, some bytes", partial, unk_token="<unk>", byte_fallback=True)
case("BPE, some bytes, unknown fused", partial, unk_token="<unk>", byte_fallback=True, fuse_unk=True)
case("BPE, some bytes, unknown dropped", partial, byte_fallback=True)
case("BPE, words that are tokens", plain, unk_token="<unk>", ignore_merges=True, split=True)
case("BPE, prefix", random_bpe(100, 200, prefix="##", extra=["<unk>"]), unk_token="<unk>")
case("BPE, prefix, words", random_bpe(100, 200, prefix="é", extra=["<unk>"]), unk_token="<unk>", split=True)
case("BPE, suffix", random_bpe(100, 200, suffix="</w>", extra=["<unk>"]), unk_token="<unk>", split=True)
case("BPE, prefix and suffix", random_bpe(100, 200, prefix="##", suffix="</w>", extra=["<unk>"]), unk_token="<unk>", split=True, fuse_unk=True)
case("BPE, empty prefix and suffix", plain, continuing_subword_prefix="", end_of_word_suffix="", unk_token="<unk>")
case("BPE, no type, few members", {"vocab": plain["vocab"], "merges": plain["merges"]})
case("BPE, merges of unknown tokens", random_bpe(100, 100, extra=["<unk>", "<unk><unk>", "a<unk>"]), unk_token="<unk>")
CASES[-1]["tokenizer"]["model"]["merges"][:0] = [["<unk>", "<unk>"], ["a", "<unk>"]]
last = CASES.pop()
case(last["name"], last["tokenizer"]["model"])

unigram = trained(lambda **k: trainers.UnigramTrainer(unk_token="<unk>", **k), models.Unigram(), 200)
case("Unigram, trained", unigram)
case("Unigram, trained, words", unigram, split=True)


def random_unigram(score, extra=()):
    letters = list("abcdeéü中😀▁-thing#й") + ["<unk>"]
    vocab = ["<unk>"] + letters[:-1] + list(extra)
    vocab += list(dict.fromkeys("".join(rng.choice(letters) for _ in range(rng.randrange(2, 6))) for _ in range(300)))
    vocab = list(dict.fromkeys(vocab))
    return {"type": "Unigram", "unk_id": 0, "byte_fallback": False, "vocab": [[t, score(t)] for t in vocab]}


case("Unigram, ties", random_unigram(lambda t: -float(rng.randrange(1, 4) * len(t))))
case("Unigram, whole numbers", random_unigram(lambda t: -rng.randrange(1, 4) * len(t)))
case("Unigram, near ties", random_unigram(lambda t: -0.1 * len(t) * rng.choice([1, 2, 3]) / 7, extra=["aa", "aaa", "--", "---"]))
case("Unigram, many digits", random_unigram(lambda t: -rng.uniform(1, 20)), split=True)
case("Unigram, small and large scores", random_unigram(lambda t: -rng.uniform(1, 9) * 10.0 ** rng.randrange(-300, 300)))
case("Unigram, unknown in a row is a token", random_unigram(lambda t: 50.0, extra=["zZ", "ёё", "文文文", "z<unk>"]))
case("Unigram, another unknown", random_unigram(lambda t: -float(len(t))), unk_id=5)
case("Unigram, byte fallback", random_unigram(lambda t: -rng.uniform(1, 9), extra=BYTES), byte_fallback=True)
case("Unigram, some bytes", random_unigram(lambda t: -rng.uniform(1, 9), extra=BYTES[0x40:0xE0]), byte_fallback=True)
twice = random_unigram(lambda t: -rng.uniform(1, 9))
case("Unigram, spellings twice", twice, vocab=twice["vocab"] + [[t, -rng.uniform(1, 9)] for t, _ in twice["vocab"][:100]])
case("Unigram, no type", {"vocab": unigram["vocab"], "unk_id": 0})

words = ["<unk>"] + list(dict.fromkeys("".join(rng.choice(PIECES).strip() for _ in range(rng.randrange(1, 3))) for _ in range(200)))
ids = rng.sample(range(400), len(words))
level = {"type": "WordLevel", "vocab": dict(zip(words, ids)), "unk_token": "<unk>"}
case("WordLevel", level, split=True)
case("WordLevel, no type", {"vocab": level["vocab"], "unk_token": "the"}, split=True)
pieces = list(dict.fromkeys(["[UNK]"] + list("abcdeéü中文😀") + words + ["##" + w for w in list("abcdeéü中文😀") + words]))
wordpiece = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
             "vocab": {t: i for i, t in enumerate(pieces)}}
case("WordPiece", wordpiece, split=True)
case("WordPiece, short words", wordpiece, split=True, max_input_chars_per_word=5)
case("WordPiece, no prefix", wordpiece, split=True, continuing_subword_prefix="")
case("WordPiece, another prefix", wordpiece, split=True, continuing_subword_prefix="é")
case("WordPiece, no type", {k: v for k, v in wordpiece.items() if k != "type"}, split=True)

out = HERE / "data/tokenizers_models.json"
out.write_text(json.dumps({"pieces": PIECES, "short": SHORT, "long": LONG, "cases": CASES}, ensure_ascii=True, separators=(",", ":")) + "\n")
print(len(CASES), "cases,", len(TEXTS), "texts,", out.stat().st_size, "bytes")
