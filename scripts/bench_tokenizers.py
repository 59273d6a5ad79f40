"""Measures tokenizers on one thread in MB/s: encoderd beside the Rust library of the Hugging Face package `tokenizers`.

    python scripts/bench_tokenizers.py TEXT TOKENIZER.json… [--rounds 3] [--json FILE]

TEXT is a file, `docstrings` or `messages`. `docstrings` are English docstrings of the Python library. `messages` are gettext
messages of this machine in about 100 languages. Both have 4 MB in random order.

The text is measured line by line and in documents of 50 kB, split like `encoderd bench --tokenizer` splits it. The figure of
the library is the faster of `encode` per text and `encode_batch` without parallelism. The two programs take turns. The table
has the best and the median of all rounds.

With `train` instead of a TOKENIZER.json, the script first trains WordPiece, byte-level BPE and Unigram vocabularies of 30,000
tokens on TEXT.
"""

import argparse
import ast
import gettext
import json
import os
import pathlib
import random
import statistics
import subprocess
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

ROOT = pathlib.Path(__file__).parents[1]
DOCUMENT = 50_000
TEXT = 4_000_000


def docstrings():
    """Returns paragraphs of the docstrings of the Python library."""
    for path in sorted(pathlib.Path(os.__file__).parent.rglob("*.py")):
        if "-packages" in str(path):
            continue
        try:
            tree = ast.parse(path.read_text())
        except (SyntaxError, UnicodeDecodeError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                for paragraph in (ast.get_docstring(node) or "").split("\n\n"):
                    yield " ".join(paragraph.split())


def messages():
    """Returns translations from the gettext catalogs of this machine."""
    for path in sorted(pathlib.Path("/usr/share/locale").glob("*/LC_MESSAGES/*.mo")):
        try:
            with path.open("rb") as file:
                catalog = gettext.GNUTranslations(file)._catalog
        except (OSError, IndexError, UnicodeDecodeError):
            continue
        for key, text in catalog.items():
            if key:
                yield from text.split("\n")


def sample(lines):
    """Returns about 4 MB of distinct lines in random order."""
    lines = sorted({line for line in lines if len(line) > 20 and line.isprintable()})
    random.Random(1).shuffle(lines)
    size = 0
    for line in lines:
        size += len(line.encode()) + 1
        if size > TEXT:
            return
        yield line


def train(lines, folder):
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    settings = {"vocab_size": 30_000, "special_tokens": special, "show_progress": False}
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    kinds = {
        "wordpiece": (models.WordPiece(unk_token="<unk>"), normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer(),
                      trainers.WordPieceTrainer(**settings)),
        "bytelevel": (models.BPE(), None, byte_level, trainers.BpeTrainer(initial_alphabet=byte_level.alphabet(), **settings)),
        "unigram": (models.Unigram(), normalizers.NFKC(), pre_tokenizers.Metaspace(), trainers.UnigramTrainer(unk_token="<unk>", **settings)),
    }
    for name, (model, normalizer, pre_tokenizer, trainer) in kinds.items():
        tokenizer = Tokenizer(model)
        if normalizer:
            tokenizer.normalizer = normalizer
        tokenizer.pre_tokenizer = pre_tokenizer
        tokenizer.train_from_iterator(lines, trainer)
        tokenizer.post_processor = processors.BertProcessing(("</s>", 2), ("<s>", 0))
        path = folder / name / "tokenizer.json"
        path.parent.mkdir()
        tokenizer.save(str(path))
        yield path


def documents(lines):
    out, parts, size = [], [], 0
    for line in lines:
        parts.append(line)
        size += len(line.encode()) + 1
        if size >= DOCUMENT:
            out.append("\n".join(parts) + "\n")
            parts, size = [], 0
    return out or ["\n".join(parts) + "\n"]


def library(tokenizer, texts):
    """Returns the speed of one pass of the library in MB/s, and the number of its tokens."""
    size = sum(len(text.encode()) for text in texts)
    start = time.perf_counter()
    tokens = sum(len(tokenizer.encode(text)) for text in texts)
    one = time.perf_counter() - start
    start = time.perf_counter()
    tokenizer.encode_batch(texts)
    batch = time.perf_counter() - start
    return size / min(one, batch) / 1e6, tokens


def encoderd(path, text, cell):
    command = [ROOT / ".build/release/encoderd", "bench", "--tokenizer", path, "--text", text, "--cell", cell, "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("text")
    parser.add_argument("tokenizers", nargs="+")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", help="where the figures go, a line each")
    arguments = parser.parse_args()
    own = {"docstrings": docstrings, "messages": messages}.get(arguments.text)
    lines = list(sample(own()) if own else (line for line in pathlib.Path(arguments.text).read_text().split("\n") if line))
    cells = {"sentences": lines, "documents": documents(lines)}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        text = pathlib.Path(folder) / "text"
        text.write_text("\n".join(lines))
        paths = []
        for name in arguments.tokenizers:
            paths += train(lines, pathlib.Path(folder)) if name == "train" else [pathlib.Path(name)]
        print(f"{'tokenizer':16} {'cell':10} {'encoderd best':>14} {'median':>8} {'library best':>13} {'median':>8} {'ratio':>6}")
        for path in paths:
            tokenizer = Tokenizer.from_file(str(path))
            tokenizer.no_truncation()
            tokenizer.no_padding()
            for cell, texts in cells.items():
                ours, theirs = [], []
                for _ in range(arguments.rounds):
                    theirs.append(library(tokenizer, texts))
                    ours.append(encoderd(path, text, cell))
                assert all(row["tokens"] == theirs[0][1] for row in ours), f"{path}: {ours[0]['tokens']} tokens, not {theirs[0][1]}"
                best = max(row["best_mb_s"] for row in ours), max(speed for speed, _ in theirs)
                median = statistics.median(row["median_mb_s"] for row in ours), statistics.median(speed for speed, _ in theirs)
                name = path.parent.name
                print(f"{name:16} {cell:10} {best[0]:14.1f} {median[0]:8.1f} {best[1]:13.1f} {median[1]:8.1f} {best[0] / best[1]:6.1f}", flush=True)
                rows.append({"tokenizer": name, "cell": cell, "best_mb_s": best[0], "median_mb_s": median[0],
                             "library_best_mb_s": round(best[1], 2), "library_median_mb_s": round(median[1], 2), "load_ms": ours[0]["load_ms"]})
    if arguments.json:
        pathlib.Path(arguments.json).write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    main()
