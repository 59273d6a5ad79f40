"""Expected tokens for TokenizerTests, from the Hugging Face `tokenizers` library and the MiniLM tokenizer.json.

    python Tests/Reference/tokenizers_texts.py [models/minilm]

The file must not be named tokenizers.py, which would shadow the library for every script in this folder.
"""

import json
import pathlib
import random
import sys
import unicodedata

from tokenizers import Tokenizer

HERE = pathlib.Path(__file__).parent
MODEL = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parents[1] / "models/minilm"

tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
tokenizer.no_truncation()
tokenizer.no_padding()
cut = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
cut.enable_truncation(256)
cut.no_padding()

LANGUAGES = [
    "The quick brown fox jumps over the lazy dog's back, doesn't it?", "Le cœur déçu mais l'âme plutôt naïve",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich", "El pingüino Wenceslao hizo kilómetros",
    "Quel vituperabile xenofobo zelante assaggia il whisky", "À noite, vovô Kowalsky vê o ímã cair no pé do pinguim",
    "Pchnąć w tę łódź jeża lub ośm skrzyń fig", "Příliš žluťoučký kůň úpěl ďábelské ódy",
    "Árvíztűrő tükörfúrógép", "Pijamalı hasta yağız şoföre çabucak güvendi İSTANBUL ısı",
    "Съешь ещё этих мягких французских булок, да выпей чаю", "Чуєш їх, доцю, га? Кумедна ж ти, прощайся без ґольфів!",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία ΟΔΥΣΣΕΥΣ", "דג סקרן שט בים מאוכזב ולפתע מצא חברה", "שָׁלוֹם עֲלֵיכֶם",
    "نص حكيم له سر قاطع وذو شأن عظيم", "السَّلَامُ عَلَيْكُمْ", "ایک ٹیلے پر واقع مزار", "ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण",
    "আমি বাংলায় গান গাই", "ਪੰਜਾਬੀ ਭਾਸ਼ਾ", "ગુજરાતી લિપિ", "தமிழ் மொழி உலகின் தொன்மையான", "తెలుగు భాష", "ಕನ್ನಡ ನುಡಿ",
    "മലയാളം ലിപി", "සිංහල භාෂාව", "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า", "ພາສາລາວ", "မြန်မာဘာသာ", "ភាសាខ្មែរ", "བོད་སྐད་",
    "ქართული ენა", "Հայերեն լեզու", "አማርኛ ቋንቋ", "ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ", "いろはにほへと ちりぬるを", "イロハニホヘト ガギグゲゴ", "ｶﾞｷﾞ ﾊﾟﾋﾟ",
    "私はガラスを食べられます。", "我能吞下玻璃而不伤身体。", "我能吞下玻璃而不傷身體。", "키스의 고유조건은 입술끼리 만나야",
    "Tôi có thể ăn thủy tinh mà không hại gì.", "Kæmi ný öxi hér ykist þjófum nú", "Ég get etið gler án þess að meiða mig",
    "ᚠᛇᚻ᛫ᛒᛦᚦ᛫ᚠᚱᚩᚠᚢᚱ", "𐌼𐌰𐌲 𐌲𐌻𐌴𐍃 𐌹̈𐍄𐌰𐌽", "ᠮᠣᠩᠭᠣᠯ ᠬᠡᠯᠡ", "Ꙗко до́бри", "𞤀𞤁𞤂𞤃 𞤆𞤵𞤤𞤢𞤪", "𐐔𐐯𐑅𐐨𐑉𐐯𐐻",
]
NASTY = [
    "", " ", "   ", "\t\n\r ", "\u00a0\u2003\u3000", "\u2028\u2029", "\u200b", "\ufeff", "\0", "a\0b", "\x01\x02", "a\x0bb\x0cc",
    "\x7f\x80\x85\x9f", "\ufffd", "a\ufffdb", "\ufffe\uffff", "\ue000\uf8ff", "\U000f0000\U0010fffd", "\U0010ffff", "\u0378\u0379",
    "\u200e\u200f\u202a\u202eabc\u202c", "\u2066abc\u2069", "soft\u00adhyphen", "zero\u200dwidth\u200cjoin", "\u2060\u180e\u061c",
    "[CLS]", "[SEP]", "[PAD]", "[MASK]", "[UNK]", "[cls]", "[sep]", "[Sep]", "[ CLS ]", "[[CLS]]", "[CLS][SEP]", "a[MASK]b",
    " [MASK] ", "[MASK", "MASK]", "[MAS\u200bK]", "[MÁSK]", "[unused1]", "##ing", "## ing", "#", "##", "play##ing", "[CLS] hello [SEP]",
    "[CL[CLS]S]", "x[SEP]\u0301y", "é[SEP]é", "中[CLS]文", "İ", "i̇", "İİİ", "ı", "ß", "ẞ", "ſ", "ς", "ΣΑΣ", "ΣΑΣ.", "Ά", "ﬁ ﬀ ﬃ ﬆ",
    "ǅ ǆ Ǆ", "Ⅷ ⅷ", "Ⓐ ⓐ", "ℌ 𝔥 𝒽 𝐇𝐞𝐥𝐥𝐨", "Å Å Å", "Ω Ω", "ﷺ", "㍿ ㌀", "½ ² ³ ⁵", "e\u0301", "é", "ệ", "e\u0323\u0302", "e\u0302\u0323",
    "\u0301", "\u0301a", "a\u0301\u0323\u0300", "q\u0307\u0323", "a\u0315\u0300\u05ae\u0300b", "\u0344", "\u0340\u0341\u0343", "\u1e9b\u0323",
    "\u0958 \u09dc \u0f43", "\u302e\u302fa", "\U0001d15e \U0001d160", "\U0001d165\U0001d16e", "\u093c\u0327", "\u3099か\u3099",
    "각", "\u1100\u1161\u11a8", "\u1100\u1161", "\u1161\u11a8", "가\u11a8", "힣", "\ua960\ud7b0\ud7fb", "ᄀ ᄁ", "가각간갇갈",
    "😀", "😀😀", "a😀b", "👨‍👩‍👧‍👦", "👍🏽", "🇩🇪🇫🇷", "❤️", "1️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "☕️!", "\U0001fae0\U0001fae8", "©®™",
    "中文", "中a文", "㐀䶿一鿿", "\U00020000\U0002a6df", "\U0002a700\U0002b73f", "\U0002b740\U0002b81f", "\U0002b820\U0002b91f",
    "\U0002b920\U0002ceaf", "\U0002ceb0", "\uf900\ufaff", "\U0002f800\U0002fa1f", "\U00030000", "〇々〆", "、。「」", "ー",
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "a.b.c", "don't", "it’s “quoted” – yes — no…", "¡¿§¶·«»", "‚„†‡•‰", "$€£¥₹₿", "a_b", "x^y`z",
    "\u2e3a\u2e5d\u061d\u1b7d\u1e95e", "\u037e\u0387\u055a\u05be\u060c\u066a", "\ufe50\uff01\uff5f", "\U00010100\U00012470\U0001da87", "‿⁀⁔",
    "1234567890", "3.14159", "1,000,000", "٠١٢٣", "१२३", "１２３ＡＢＣａｂｃ", "https://example.org/a?b=c&d=%20#e", "a@b.co",
    "def f(x): return x**2  # squared", "{\"a\": [1, 2.5e-3, null]}", "C:\\path\\file", "<p class='x'>&amp;</p>", "\\u0041", "%s%d%n",
    "UPPER lower MiXeD", "supercalifragilisticexpialidocious", "antidisestablishmentarianism unaffable", "zzzzqqqqxxxx",
    "a" * 99, "a" * 100, "a" * 101, "é" * 100, "é" * 101, "e\u0301" * 60, "e\u0301" * 110, "中" * 120, "\u0301" * 300, "x" * 5000, "ab" * 50 + " " + "cd" * 51,
    ".".join("abcdefghij"), "-" * 300, " ".join(["word"] * 253), " ".join(["word"] * 254), " ".join(["word"] * 255), " ".join(["unaffable"] * 90),
    ("The café's naïve 中文 text, №5 — " * 400)[:10000], "\n".join(["line"] * 50), "a" + "\u0323\u0301" * 40, "tab\tseparated\tvalues",
]
LONG_SPECIAL = ["[MASK]" * 300, " ".join(["a [MASK]"] * 200), "[SEP]" * 253 + "a b c", "word " * 252 + "[SEP]" * 9 + "x"]


def random_texts():
    rng = random.Random(20240607)
    blocks = [(0x20, 0x7F), (0, 0x250), (0x250, 0x600), (0x600, 0x1100), (0x1100, 0x2000), (0x2000, 0x3000), (0x3000, 0xA000),
              (0xA000, 0xD800), (0xE000, 0x10000), (0x10000, 0x12000), (0x1D000, 0x1F000), (0x1F000, 0x20000), (0x20000, 0x30000), (0xE0000, 0x110000)]
    marks = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000 and unicodedata.combining(chr(c))]
    words = "[CLS] [SEP] [MASK] the cat sat on a MAT unaffable ##ing Émile naïve 中文 한국 été ﬁne İx \u0301 \u200d".split(" ")
    for n in range(70):
        a, b = blocks[n % len(blocks)]
        yield "".join(chr(rng.randrange(a, b)) for _ in range(rng.randrange(1, 40)))
    for _ in range(50):
        yield "".join(rng.choice("aeiouAEIOU가각ཱ한gq\u05d0") + "".join(rng.choice(marks) for _ in range(rng.randrange(5))) for _ in range(12))
    for _ in range(50):
        yield rng.choice(["", " "]).join(rng.choice(words) for _ in range(rng.randrange(1, 30)))
    for _ in range(30):
        yield "".join(chr(c) for c in (rng.randrange(0x110000) for _ in range(30)) if not 0xD800 <= c < 0xE000)


def delta(values):
    return [b - a for a, b in zip([0] + values, values)]


def row(encoding):
    # Differences of starts, and lengths instead of ends, make the file smaller.
    starts = [o[0] for o in encoding.offsets]
    return {"ids": encoding.ids, "starts": delta(starts), "lengths": [b - a for a, b in encoding.offsets],
            "types": "".join(map(str, encoding.type_ids)), "special": "".join(map(str, encoding.special_tokens_mask))}


def case(text, pair=None):
    full, short = tokenizer.encode(text, pair), cut.encode(text, pair)
    out = {"text": text, **({"pair": pair} if pair is not None else {}), "full": row(full)}
    if short.ids != full.ids:
        out["cut"] = row(short)
    return out


texts = LANGUAGES + NASTY + LONG_SPECIAL + list(random_texts())
# The texts in different languages in upper case, reversed, and without spaces.
texts += [t.upper() for t in LANGUAGES] + [t[::-1] for t in LANGUAGES] + [t.replace(" ", "") for t in LANGUAGES]
texts = list(dict.fromkeys(texts))
rng = random.Random(7)
pairs = [(a, b) for a, b in zip(LANGUAGES, LANGUAGES[1:])] + [("", ""), ("a", ""), ("", "b"), ("[SEP]", "[CLS]")]
w, u = "word ", "unaffable "
for a, b in [(126, 126), (126, 127), (127, 126), (127, 127), (128, 125), (300, 10), (10, 300), (300, 300), (253, 0), (254, 0), (0, 254), (260, 255),
             (255, 260), (256, 257), (257, 256), (1000, 1000)]:
    pairs += [(w * a, w * b), (u * (a // 3) + w * (a % 3), w * b), (w * a, "a[MASK]" * (b // 2))]
pairs += [(u * 100, u * 101), (u * 101, u * 100), (u * 100, w * 400), (w * 400, u * 100), (w + u * 100, u * 100), (u * 100, w + u * 100), (w * 2 + u * 99, u * 99)]

cases = [case(t) for t in texts] + [case(a, b) for a, b in pairs]
out = HERE / "data/tokenizers_minilm.json"
out.parent.mkdir(exist_ok=True)
out.write_text(json.dumps(cases, ensure_ascii=True, separators=(",", ":")) + "\n")
print(len(texts), "texts,", len(pairs), "pairs,", sum("cut" in c for c in cases), "cut,", out.stat().st_size, "bytes")


# Digests of all code points: one FNV-1a hash per block of 256.
def digest(block):
    """Returns the digest of a block.

    In planes without assigned characters it covers the normalized text only. In other planes each code point occurs in two
    words with a combining mark, and the digest also covers their tokens.
    """
    h = 0xCBF29CE484222325
    codes = [c for c in range(block * 256, block * 256 + 256) if not 0xD800 <= c < 0xE000]
    if 0x400 <= block < 0xE00 or block >= 0xF00:
        values = []
        text = "".join(map(chr, codes))
    else:
        text = " ".join("a" + chr(c) + "B\u0323" + chr(c) for c in codes)
        e = tokenizer.encode(text)
        values = [x for i, o in zip(e.ids, e.offsets) for x in (i, *o)]
    for v in values + [ord(x) for x in tokenizer.normalizer.normalize_str(text)]:
        h = ((h ^ v) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{h:016x}"


(HERE / "data/tokenizers_codepoints.json").write_text(json.dumps([digest(b) for b in range(0x1100)], separators=(",", ":")) + "\n")
