"""Compares embeddings in bf16 and int8 with those in f32, for sentences from docstrings of the Python library.

usage: scripts/fidelity.py [MODEL_DIRECTORY [ENCODERD]]

Serves the model in each precision on a free port and embeds the same sentences. Prints the mean and the lowest cosine
similarity to f32, and Spearman's correlation of the similarities of all pairs. Exits with 1 if a goal is missed. Needs numpy.
"""
import ast
import http.client
import json
import pathlib
import re
import subprocess
import sys
import sysconfig

import numpy as np

MODEL = sys.argv[1] if len(sys.argv) > 1 else "models/minilm"
PROGRAM = sys.argv[2] if len(sys.argv) > 2 else ".build/release/encoderd"
SENTENCES = 2000
# The minimum of the mean cosine similarity and of Spearman's correlation.
GOALS = {"bf16": (0.9995, 0.999), "int8": (0.995, 0.995)}


def sentences():
    """Returns distinct sentences of 30 to 400 characters, evenly spread over the standard library."""
    found = {}
    for path in sorted(pathlib.Path(sysconfig.get_path("stdlib")).rglob("*.py")):
        if "site-packages" in path.parts or "test" in path.parts or "tests" in path.parts:
            continue
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError, ValueError):
            continue
        for node in ast.walk(tree):
            if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                continue
            for paragraph in re.split(r"\n\s*\n", ast.get_docstring(node) or ""):
                if ">>>" in paragraph:
                    continue
                for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z])", " ".join(paragraph.split())):
                    if 30 <= len(sentence) <= 400 and re.match(r"[A-Z].*[a-z][.!?]$", sentence):
                        found.setdefault(sentence)
    every = list(found)
    step = max(1, len(every) // SENTENCES)
    return every[::step][:SENTENCES]


def embeddings(texts, precision):
    """Returns the embeddings of the texts, [texts, dimensions]."""
    server = subprocess.Popen(
        [PROGRAM, "serve", "--port", "0", "--model", f"m={MODEL}", "--precision", precision], stderr=subprocess.PIPE,
        text=True)
    try:
        port = None
        for line in server.stderr:
            match = re.search(r"listening on http://127\.0\.0\.1:(\d+)", line)
            if match:
                port = int(match.group(1))
                break
        if port is None:
            sys.exit(f"{PROGRAM} did not start")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        rows = []
        for first in range(0, len(texts), 32):
            body = json.dumps({"model": "m", "input": texts[first:first + 32], "output": "embedding"})
            connection.request("POST", "/v1/encode", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = json.loads(answer.read())
            if answer.status != 200:
                sys.exit(f"{answer.status}: {content}")
            rows += [item["embedding"] for item in content["data"]]
        return np.array(rows, dtype=np.float64)
    finally:
        server.terminate()
        server.wait()


def similarities(x):
    """Returns the cosine similarities of all pairs of rows."""
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    return (x @ x.T)[np.triu_indices(len(x), 1)]


def ranks(x):
    """Returns the rank of each value."""
    out = np.empty(len(x))
    out[np.argsort(x, kind="stable")] = np.arange(len(x))
    return out


texts = sentences()
exact = embeddings(texts, "f32")
exact_pairs = similarities(exact)
exact_ranks = ranks(exact_pairs)
missed = False
for precision, (cosine_goal, spearman_goal) in GOALS.items():
    got = embeddings(texts, precision)
    cosines = (got * exact).sum(1) / np.linalg.norm(got, axis=1) / np.linalg.norm(exact, axis=1)
    spearman = np.corrcoef(exact_ranks, ranks(similarities(got)))[0, 1]
    missed |= cosines.mean() < cosine_goal or spearman < spearman_goal
    print(json.dumps({
        "precision": precision, "sentences": len(texts), "mean_cosine": round(cosines.mean(), 6),
        "least_cosine": round(cosines.min(), 6), "spearman": round(spearman, 6)}), flush=True)
sys.exit(missed)
