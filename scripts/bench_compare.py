#!/usr/bin/env python3
"""Compares two builds of encoderd on this machine, with runs that take turns.

usage: bench_compare.py OLD NEW [--rounds N] [--only models|tokenizers|http] [--threads T] [--precisions f32,int8]

OLD and NEW are two encoderd programs. Each measurement runs OLD and NEW once per round, in alternating order. A cell's
ratio is the median of NEW over the median of OLD, in units of speed, so that less than 1 is slower:

- models: `encoderd bench`, every cell of models/minilm and models/resemblyzer, best rate of each run;
- tokenizers: `encoderd bench --tokenizer`, MB/s of lines and documents;
- http: /health in requests per second (wrk, 64 connections), and /v1/encode of one short text on one connection in
  requests per second. Needs wrk.

Exits with 1 if a cell's ratio is below 0.98.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

from bench_http import added_latency, throughput
from local_server import free_port, wait_for_answer

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIMIT = 0.98


def model_cells(program, model, precision, threads):
    """Rates by cell, in tokens or steps per second."""
    lines = subprocess.run(
        [program, "bench", "--model", model, "--threads", threads, "--precision", precision, "--json"], check=True,
        capture_output=True, text=True).stdout.splitlines()
    cells = {}
    for line in map(json.loads, lines):
        shape = f"{line['batch']}x{line.get('tokens', line.get('steps'))}"
        cells[f"{model.name} {precision} {shape}"] = line.get("best_tok_s", line.get("best_steps_s"))
    return cells


def tokenizer_cells(program, model, text):
    """Rates by kind of text, in MB/s."""
    lines = subprocess.run(
        [program, "bench", "--tokenizer", model, "--text", text, "--json"], check=True, capture_output=True,
        text=True).stdout.splitlines()
    return {f"tokenizer {model.name} {line['cell']}": line["best_mb_s"] for line in map(json.loads, lines)}


def documents():
    """Returns the paths of the committed Markdown files, sorted."""
    listed = subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return sorted(listed.splitlines())


def by_turns(rounds, old, new, measure):
    """Runs `measure` of both builds once per round and returns the figures of each cell."""
    found = {}
    for turn in range(rounds):
        order = ((0, old), (1, new)) if turn % 2 == 0 else ((1, new), (0, old))
        for which, build in order:
            for cell, value in measure(build).items():
                found.setdefault(cell, ([], []))[which].append(value)
    return found


def report(found):
    """Prints a row per cell and returns the cells that are too slow."""
    slow = []
    for cell, (old, new) in found.items():
        ratio = statistics.median(new) / statistics.median(old)
        best = max(new) / max(old)
        print(f"{cell:50} {statistics.median(old):12.4g} {statistics.median(new):12.4g} {ratio:7.3f} {best:7.3f}",
              flush=True)
        if ratio < LIMIT:
            slow.append(cell)
    return slow


def http_cells(arguments):
    """Figures of both builds, served at the same time and asked in turns."""
    processes, ports = [], []
    with tempfile.TemporaryDirectory() as folder:
        try:
            for name, program in (("old", arguments.old), ("new", arguments.new)):
                ports.append(free_port())
                with open(pathlib.Path(folder) / f"{name}.log", "w") as log:
                    processes.append(subprocess.Popen(
                        [program, "serve", "--port", str(ports[-1]), "--model", f"m={ROOT / 'models/minilm'}",
                         "--access-log", "off"], stderr=log))
            for port in ports:
                wait_for_answer(f"http://127.0.0.1:{port}/ready")

            def measure(port):
                wait = added_latency(port, 1500, False)[0]
                return {"GET /health, requests/s": throughput(port, 4), "POST /v1/encode, requests/s": 1e6 / wait}

            return by_turns(arguments.rounds, ports[0], ports[1], measure)
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait()


def main():
    parser = argparse.ArgumentParser(description="Two builds of encoderd, in turns.")
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("models", "tokenizers", "http"))
    parser.add_argument("--threads", default="1")
    parser.add_argument("--precisions", default="f32,int8")
    arguments = parser.parse_args()
    slow = []
    print(f"{'cell':50} {'old median':>12} {'new median':>12} {'ratio':>7} {'best':>7}")
    if arguments.only in (None, "models"):
        for model in ("minilm", "resemblyzer"):
            for precision in arguments.precisions.split(","):
                slow += report(by_turns(
                    arguments.rounds, arguments.old, arguments.new,
                    lambda build: model_cells(build, ROOT / "models" / model, precision, arguments.threads)))
    if arguments.only in (None, "tokenizers"):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as text:
            for path in documents():
                text.write((ROOT / path).read_text())
            text.flush()
            slow += report(by_turns(
                arguments.rounds, arguments.old, arguments.new,
                lambda build: tokenizer_cells(build, ROOT / "models/minilm", text.name)))
    if arguments.only in (None, "http"):
        slow += report(http_cells(arguments))
    print("slower than 0.98: " + ", ".join(slow) if slow else "no cell is slower than 0.98")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
