"""Writes Tests/Reference/data/tokenizers: texts in many scripts, tokenizers trained on them, and digests of the tokens.

The Hugging Face `tokenizers` library trains one tokenizer of every kind and tokenizes every text.

    pip install tokenizers babel faker
    python Tests/Reference/tokenizers_corpus.py              # writes everything
    python Tests/Reference/tokenizers_corpus.py PREFIX       # only kinds whose names begin with PREFIX
    python Tests/Reference/tokenizers_corpus.py NAME INDEX   # prints the tokens of one text

The texts have three sources: names of languages, countries, currencies and units from the Unicode CLDR (the copy in Babel);
sentences and addresses from the locales of Faker; and random Unicode from a fixed seed.
"""

import json
import pathlib
import random
import sys

from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors,
                        trainers)

OUT = pathlib.Path(__file__).parent / "data/tokenizers"
LOCALES = """en de fr es pt it nl pl cs tr vi sv hu ro ru uk bg sr el hy ka he ar fa ur hi mr ne bn pa gu ta te kn ml si th
lo my km bo am ti ko ja zh zh_Hant yue mn kk dz chr nqo ii""".split()
FAKER = """ar_AA az_AZ bg_BG bn_BD cs_CZ da_DK de_DE el_GR en_US es_ES fa_IR fr_FR he_IL hi_IN hr_HR hu_HU hy_AM id_ID it_IT
ja_JP ka_GE ko_KR lt_LT ne_NP nl_NL pl_PL pt_BR ro_RO ru_RU sk_SK ta_IN th_TH tr_TR uk_UA vi_VN zh_CN zh_TW""".split()
SPECIAL = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]


def real_texts(rng):
    import babel
    from faker import Faker

    for name in LOCALES:
        try:
            locale = babel.Locale.parse(name)
        except babel.UnknownLocaleError:
            continue
        words = [*locale.languages.values(), *locale.territories.values(), *locale.currencies.values(),
                 *locale.scripts.values(), *locale.months["format"]["wide"].values(),
                 *locale.days["format"]["wide"].values()]
        words = [w for w in words if isinstance(w, str)]
        for _ in range(220):
            yield rng.choice([" ", ", ", "; ", " – "]).join(rng.sample(words, rng.randint(1, 9)))
    for name in FAKER:
        fake = Faker(name)
        fake.seed_instance(7)
        for _ in range(160):
            yield rng.choice([fake.sentence, fake.address, fake.name, fake.company, lambda: fake.paragraph(3)])()


def random_texts(rng, count):
    planes = [(0x20, 0x7F), (0x20, 0x7F), (0xA0, 0x250), (0x250, 0x600), (0x300, 0x370), (0x600, 0x1100), (0x1100, 0x1200),
              (0x1E00, 0x2000), (0x2000, 0x2C00), (0x3000, 0x3400), (0x4E00, 0x9FFF), (0xAC00, 0xD7A4), (0xF900, 0x10000),
              (0x10000, 0x11000), (0x1D400, 0x1D800), (0x1F300, 0x1FB00), (0x20000, 0x20100), (0xE0000, 0xE0200),
              (0, 0x20), (0x80, 0xA0)]
    pieces = [" ", "  ", "\t", "\n", "\r\n", "\n\n", "\u00a0", "\u3000", "\u200b", "\u200d", "\ufeff", "'s", "'re", "don't",
              "I'll", "123", "4567890", "３", "Ⅳ", "½", "[MASK]", "[mask]", "<extra>", " <extra> ", "<LOW>", "<low>", "[CLS]",
              "▁", "Ġ", "é", "e\u0301", "ﬁ", "Å", "Å", "ǆ", "İ", "ß", "ς", "한국", "각", "ㄱ", "👩‍👩‍👧‍👦", "🇫🇷", "क्षि",
              "\u0323\u0307", "a\u0323\u0307", "q\u0307\u0323", "\u0344", "Ω", "\U0001d15e", "ﷺ", "①", "㌀", "..", "?!", "—",
              "_", "a_b", "\u0000", "\ufffd", "\u0085", "\u2028", "\u0600", "word", "Word", "WORD", "don't", "<0x41>"]
    for _ in range(count):
        text = ""
        for _ in range(rng.choice([1, 2, 3, 5, 8, 13, 21])):
            if rng.random() < 0.5:
                text += rng.choice(pieces)
            else:
                low, high = rng.choice(planes)
                text += "".join(chr(c) for c in (rng.randrange(low, high) for _ in range(rng.randint(1, 4)))
                                if not 0xD800 <= c <= 0xDFFF)
        yield text


def bpe(**options):
    return lambda: Tokenizer(models.BPE(unk_token="[UNK]", **options)), trainers.BpeTrainer


def configurations():
    """Yields (name, untrained tokenizer with its pipeline, trainer, options of the trainer) for each kind."""
    def made(model, normalizer=None, pre=None, post=None, decoder=None):
        t = Tokenizer(model)
        if normalizer is not None: t.normalizer = normalizer
        if pre is not None: t.pre_tokenizer = pre
        if decoder is not None: t.decoder = decoder
        if post is not None: t.post_processor = post
        return t

    def template(pair_type=1):
        return processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair=f"[CLS] $A [SEP] $B:{pair_type} [SEP]:{pair_type}",
            special_tokens=[("[CLS]", 1), ("[SEP]", 2)])

    N, P, D = normalizers, pre_tokenizers, decoders
    bytes_ = dict(initial_alphabet=P.ByteLevel.alphabet())
    yield "wordpiece", made(
        models.WordPiece(unk_token="[UNK]"), N.BertNormalizer(), P.BertPreTokenizer(), template(),
        D.WordPiece()), trainers.WordPieceTrainer, {}
    yield "wordpiece-cased", made(
        models.WordPiece(unk_token="[UNK]"), N.Sequence([N.NFKC(), N.BertNormalizer(lowercase=False)]),
        P.BertPreTokenizer(), processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1)), D.WordPiece(cleanup=False),
    ), trainers.WordPieceTrainer, {}
    yield "wordlevel", made(
        models.WordLevel(unk_token="[UNK]"), N.Sequence([N.NFC(), N.Lowercase()]), P.Whitespace(), template(0),
    ), trainers.WordLevelTrainer, {}
    yield "wordlevel-split", made(
        models.WordLevel(unk_token="[UNK]"), N.Sequence([N.NFKD(), N.StripAccents(), N.Strip()]),
        P.Sequence([P.WhitespaceSplit(), P.Punctuation("merged_with_previous"), P.Digits(individual_digits=False)]),
        template()), trainers.WordLevelTrainer, {}
    yield "bpe-bytes", made(
        models.BPE(), None, P.ByteLevel(add_prefix_space=False), processors.ByteLevel(trim_offsets=True),
        D.ByteLevel()), trainers.BpeTrainer, bytes_
    yield "bpe-roberta", made(
        models.BPE(), None, P.ByteLevel(add_prefix_space=True),
        processors.RobertaProcessing(("[SEP]", 2), ("[CLS]", 1)), D.ByteLevel()), trainers.BpeTrainer, bytes_
    yield "bpe-qwen", made(
        models.BPE(), N.NFC(),
        P.Sequence([
            P.Split(Regex(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
                          r"\s*[\r\n]+|\s+(?!\S)|\s+"), "isolated"),
            P.ByteLevel(add_prefix_space=False, use_regex=False)]),
        processors.Sequence([processors.ByteLevel(trim_offsets=False), template()]), D.ByteLevel(),
    ), trainers.BpeTrainer, bytes_
    yield "bpe-llama", made(
        models.BPE(unk_token="[UNK]", byte_fallback=True, fuse_unk=True),
        N.Sequence([N.Prepend("▁"), N.Replace(" ", "▁")]), None, template(),
        D.Sequence([D.Replace("▁", " "), D.ByteFallback(), D.Fuse(), D.Strip(" ", 1, 0)]),
    ), trainers.BpeTrainer, dict(bytes=True)
    yield "bpe-suffix", made(
        models.BPE(unk_token="[UNK]", end_of_word_suffix="</w>"), N.Sequence([N.NFD(), N.Lowercase()]),
        P.Sequence([P.Whitespace(), P.Digits(individual_digits=True)]), template(), D.BPEDecoder(),
    ), trainers.BpeTrainer, dict(end_of_word_suffix="</w>")
    yield "bpe-prefix", made(
        models.BPE(unk_token="[UNK]", continuing_subword_prefix="@@", fuse_unk=True), N.Replace(Regex(r"\s+"), " "),
        P.Sequence([P.Punctuation("isolated"), P.CharDelimiterSplit(" ")]), None,
    ), trainers.BpeTrainer, dict(continuing_subword_prefix="@@")
    unigram = dict(unk_token="[UNK]")
    yield "unigram-metaspace", made(
        models.Unigram(), N.NFKC(), P.Metaspace(), template(), D.Metaspace()), trainers.UnigramTrainer, unigram
    yield "unigram-t5", made(
        models.Unigram(), N.Precompiled(charsmap()), P.Sequence([P.WhitespaceSplit(), P.Metaspace(prepend_scheme="first")]),
        template(), D.Metaspace(prepend_scheme="first")), trainers.UnigramTrainer, unigram
    yield "unigram-xlmr", made(
        models.Unigram(), N.Sequence([N.Precompiled(charsmap()), N.Replace(Regex(" {2,}"), " "), N.Strip(False, True)]),
        P.Metaspace(prepend_scheme="always", split=False), template(0), D.Metaspace()), trainers.UnigramTrainer, unigram
    yield "unigram-nmt", made(
        models.Unigram(), N.Sequence([N.Nmt(), N.NFKC(), N.ByteLevel()]),
        P.Split(Regex(r"Ġ+|[^Ġ]{1,7}"), "merged_with_next"), None, D.ByteLevel()), trainers.UnigramTrainer, unigram
    for behavior in ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]:
        yield f"split-{behavior}", made(
            models.WordLevel(unk_token="[UNK]"), None,
            P.Sequence([P.Split(Regex(r"[aeiou\s]|\d\d"), behavior, invert=behavior == "removed"),
                        P.Split("n", behavior)]), None), trainers.WordLevelTrainer, {}


def charsmap():
    """Returns the nmt_nfkc table of SentencePiece, from a model that it trains."""
    import io

    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2 as pb

    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["some words of a small text", "and some more of them"] * 20), model_writer=out,
        vocab_size=30, model_type="unigram", hard_vocab_limit=False, minloglevel=2)
    model = pb.ModelProto()
    model.ParseFromString(out.getvalue())
    return model.normalizer_spec.precompiled_charsmap


def train(name, tokenizer, trainer, options, texts):
    options = dict(options)
    special = list(SPECIAL)
    if options.pop("bytes", False): special += [f"<0x{b:02X}>" for b in range(256)]
    size = 900 if "bytes" in name else 4000 if "unigram" in name else 700
    if trainer is trainers.BpeTrainer or trainer is trainers.WordPieceTrainer: options["limit_alphabet"] = 400
    if trainer is trainers.UnigramTrainer: options.pop("limit_alphabet", None)
    made = trainer(vocab_size=size + len(special), special_tokens=special, show_progress=False, **options)
    texts = texts[::7]
    # A unigram model keeps every character of its training texts, so CJK and later scripts are left out.
    if trainer is trainers.UnigramTrainer: texts = [t for t in texts[:2300] if max(map(ord, t)) < 0x2E80]
    tokenizer.train_from_iterator(texts, made)
    tokenizer.add_tokens([
        AddedToken("<extra>", lstrip=True, rstrip=True, normalized=False), AddedToken("<low>", single_word=True),
        AddedToken("<LOW>", normalized=True, rstrip=True) if name not in ("wordpiece", "wordlevel", "bpe-suffix")
        else AddedToken("<Other>"),  # Normalizers that lowercase would make <LOW> equal to <low>.
        AddedToken("  ", normalized=False)])
    tokenizer.add_special_tokens([AddedToken("<s p>", lstrip=True, special=True, normalized=False)])
    return tokenizer


def fnv(values):
    h = 0xCBF29CE484222325
    for v in values:
        for byte in int(v).to_bytes(4, "little", signed=False):
            h = (h ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return h


def digest(encoding):
    values = []
    for id, (start, end), mask, kind in zip(encoding.ids, encoding.offsets, encoding.special_tokens_mask, encoding.type_ids):
        values += [id, start, end, mask, kind]
    return fnv(values)


def text_digest(text):
    return fnv(map(ord, text))


def show(name, index):
    texts = json.loads((OUT / "texts.json").read_text())
    t = Tokenizer.from_file(str(OUT / name / "tokenizer.json"))
    e = t.encode(texts[index])
    print(repr(texts[index]))
    print(list(zip(e.ids, e.tokens, e.offsets, e.special_tokens_mask)))
    print(repr(t.decode(e.ids)), repr(t.decode(e.ids, skip_special_tokens=False)))


def main(only=None):
    rng = random.Random(20260)
    texts = [t for t in real_texts(rng) if t][:16000]
    texts += list(random_texts(rng, 20500 - len(texts)))
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "texts.json").write_text(json.dumps(texts, ensure_ascii=False))
    print(len(texts), "texts")
    for name, tokenizer, trainer, options in configurations():
        folder = OUT / name
        if only and not name.startswith(only): continue
        folder.mkdir(exist_ok=True)
        train(name, tokenizer, trainer, options, texts)
        text = tokenizer.to_str()
        (folder / "tokenizer.json").write_text(text)
        # Load the file, as users of the tokenizer do.
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        rows = []
        for i, text in enumerate(texts):
            encoding = tokenizer.encode(text)
            rows.append(digest(encoding))
            if i % 4 == 0:
                rows.append(text_digest(tokenizer.decode(encoding.ids)))
                rows.append(text_digest(tokenizer.decode(encoding.ids, skip_special_tokens=False)))
                rows.append(digest(tokenizer.encode(text, texts[(i + 1) % len(texts)])))
        (folder / "digests.bin").write_bytes(b"".join(r.to_bytes(8, "little")[:4] for r in rows))
        print(name, tokenizer.get_vocab_size(), len(rows))


if __name__ == "__main__":
    show(sys.argv[1], int(sys.argv[2])) if len(sys.argv) == 3 else main(*sys.argv[1:])
