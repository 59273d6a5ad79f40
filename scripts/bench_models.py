"""Measures the example models in every precision. Prints a table and writes JSON lines to a file.

usage: scripts/bench_models.py [THREADS [JSON_FILE]]

JSON_FILE is .build/bench.jsonl by default. If numpy is installed, the recurrent models of the comparison with other libraries
are created (Benchmarks/make_recurrent_models.py). Otherwise Resemblyzer is the only recurrent model.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
THREADS = sys.argv[1] if len(sys.argv) > 1 else "1"
FILE = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / ".build" / "bench.jsonl"


def bench(model, precision, out):
    result = subprocess.run(
        [ROOT / ".build/release/encoderd", "bench", "--model", model, "--threads", THREADS, "--precision", precision,
         "--json"], check=True, capture_output=True, text=True).stdout
    out.write(result)
    lines = [json.loads(line) for line in result.splitlines()]
    cells = [f"{line['batch']}x{line.get('tokens', line.get('steps'))}" for line in lines]
    return cells, [line.get("best_tok_s", line.get("best_steps_s")) for line in lines]


with tempfile.TemporaryDirectory() as folder, FILE.open("w") as out:
    made = subprocess.run(
        [sys.executable, ROOT / "Benchmarks/make_recurrent_models.py", folder], capture_output=True).returncode == 0
    models = [ROOT / "models/minilm"]
    models += [pathlib.Path(folder) / name for name in ("lstm256", "gru256", "rnn256")] if made else [
        ROOT / "models/resemblyzer"]
    for model in models:
        for i, precision in enumerate(("f32", "bf16", "int8")):
            cells, figures = bench(model, precision, out)
            if i == 0:
                print(f"\n{model.name}, {THREADS} threads, best {'tokens' if model.name == 'minilm' else 'steps'}/s")
                print("".join(f"{cell:>12}" for cell in [""] + cells))
            print("".join(f"{cell:>12}" for cell in [precision] + figures), flush=True)
print(f"\nJSON lines: {FILE}")
