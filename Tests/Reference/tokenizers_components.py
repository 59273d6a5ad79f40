"""Small tokenizers of the Hugging Face library with different components and flags, and their results for some texts.

    python Tests/Reference/tokenizers_components.py
"""

import itertools
import json
import pathlib

from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,!?'-_<>[]éÉàİıß中文字각の가\u0301\u0323\u0307ᄀ"
words = ["[UNK]", "[CLS]", "[SEP]", "[MASK]", "<s>", "yes", "no", "ing", "the", "cat", "##s", "##ing"]
vocab = {t: i for i, t in enumerate(dict.fromkeys(words + list(letters) + ["##" + c for c in letters]))}

TEXTS = [
    "", " ", "the cats", "The CAT, playing!", "<s>the<s>", " <s> a <s>  b", "a<s>b <s>, <s>c", "\t<s>\n<s> ", "Yesterday yesterday YESTERDAY",
    "yes terday", "xyesterday yesterdayx yesterday.", "_yesterday yesterday_ -yesterday- éyesterday yesterdaý", "<mask><MASK><Mask>", "a <mask> b", "<mask",
    "new york NEW YORK newyork", "neW  york", "new york new york", "Émile ÉMILE é e\u0301 E\u0301\u0323", "İıIß ẞ", "中文字 a中b", "각 가 ᄀ", "a\u00a0b\u3000c\u2028d",
    "tab\tnew\nline\u200bzero\u0000nul", "a.b,c!?'-_", "[CLS] [SEP] [cls] [MASK]", "[MASK]  [MASK]", "x [MASK]y", "ÀÉ [MASK] é", "aaa aa a", "<<s>>", "ab abc abcd",
    "\u0301\u0301a", "q\u0301\u0323 \u0323\u0301", "__a__ b-c", "𝔘nicode 𐐀𐐨", "a" * 20, "éa" * 12,
]
PAIRS = [("the cat", "no"), ("", "a"), ("<s>", "[MASK] b"), ("a b c d e f g h", "a b"), ("a b", "a b c d e f g h"), ("a b c d e f", "a b c d e f")]


def make(normalizer=None, pre=None, post=None, added=(), limit=100):
    t = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=limit))
    if normalizer:
        t.normalizer = normalizer
    if pre:
        t.pre_tokenizer = pre
    if post:
        t.post_processor = post
    if added:
        t.add_tokens(list(added))
    return t


bert = normalizers.BertNormalizer
flags = [
    AddedToken("yesterday", **dict(zip(("single_word", "lstrip", "rstrip", "normalized"), f))) for f in itertools.product((False, True), repeat=4)
]
tokenizers = {
    "bare": make(),
    "limit": make(pre=pre_tokenizers.WhitespaceSplit(), limit=5),
    "whitespace": make(bert(), pre_tokenizers.Whitespace()),
    "whitespace split": make(normalizers.Lowercase(), pre_tokenizers.WhitespaceSplit()),
    "sequences": make(
        normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()]),
        pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.BertPreTokenizer()])),
    "nfd": make(normalizers.NFD(), pre_tokenizers.BertPreTokenizer()),
    "bert processing": make(bert(), pre_tokenizers.BertPreTokenizer(), processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))),
    "template": make(bert(), pre_tokenizers.BertPreTokenizer(), processors.TemplateProcessing(
        "<s> [CLS] $A:2 [SEP]:3", "[CLS] $B:1 [SEP]:4 $A:5", [("[CLS]", 1), ("[SEP]", 2), ("<s>", 4)])),
    "several added": make(bert(), pre_tokenizers.BertPreTokenizer(), None, [
        AddedToken("[MASK]", special=True, normalized=False, lstrip=True), AddedToken("<mask>", normalized=True, rstrip=True),
        AddedToken("new york"), AddedToken("new york new", normalized=False), AddedToken("ÉMILE", normalized=True), AddedToken("ab"),
        AddedToken("abc", single_word=True), AddedToken("中", normalized=False), AddedToken("aa", normalized=False), AddedToken("<s>", special=True, normalized=False)]),
}
for i, (clean, chinese, accents, lower) in enumerate(itertools.product((True, False), (True, False), (None, True, False), (True, False))):
    tokenizers[f"bert normalizer {i}"] = make(bert(clean, chinese, accents, lower), pre_tokenizers.BertPreTokenizer())
for i, token in enumerate(flags):
    tokenizers[f"added {i}"] = make(bert(), pre_tokenizers.BertPreTokenizer(), None, [token, AddedToken("<s>", lstrip=token.lstrip, rstrip=token.rstrip, normalized=token.normalized, special=True)])


def row(e):
    return [[i, *o, t, s] for i, o, t, s in zip(e.ids, e.offsets, e.type_ids, e.special_tokens_mask)]


cases = []
for name, t in tokenizers.items():
    # The limit for truncation exceeds the length of every template, below which a count of the library underflows.
    rows = {"single": [row(t.encode(x)) for x in TEXTS], "pair": [row(t.encode(a, b)) for a, b in PAIRS]}
    t.enable_truncation(9)
    rows["cut"] = [row(t.encode(x)) for x in TEXTS] + [row(t.encode(a, b)) for a, b in PAIRS]
    t.no_truncation()
    body = json.loads(t.to_str())
    del body["model"]["vocab"]
    cases.append({"name": name, "tokenizer": body, **rows})
out = pathlib.Path(__file__).parent / "data/tokenizers_components.json"
out.write_text(json.dumps({"vocab": vocab, "texts": TEXTS, "pairs": PAIRS, "cases": cases}, separators=(",", ":")) + "\n")
print(len(cases), "tokenizers,", out.stat().st_size, "bytes")
