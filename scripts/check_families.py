"""Compares encoderd with transformers for random configurations of every encoder family.

usage: scripts/check_families.py [--variants N] [--seed N] [--program ENCODERD] [FAMILY ...]

OPTIONS in Tests/Reference/families_*.py lists the options that vary. For every family the script saves N models with random
options and weights, and serves them with encoderd. It compares the states of every layer, the logits, and rows of every
attention map with transformers, which runs with eager attention.

Prints one line per family with the largest differences from torch's f32, and the difference of torch's f32 from f64. Exits
with 1 if a difference exceeds its tolerance:
- 1e-5 of max(1, |x|) for states and logits, 1e-6 for maps.
- If torch's f32 differs from f64 by more than half of that, the comparison is with f64. The tolerance is then 1.5 times the
  larger of the one above and the difference of torch's f32.

Needs torch and transformers.
"""
import argparse
import copy
import http.client
import importlib
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "Tests" / "Reference"))

import torch
from safetensors.torch import load as load_safetensors

import transformers

import families

TOLERANCES = {"states": 1e-5, "logits": 1e-5, "attention": 1e-6}


class Server:
    """An encoderd process that serves all models of a folder."""

    def __init__(self, program, folder):
        self.process = subprocess.Popen(
            [program, "serve", "--port", "0", "--models", str(folder), "--access-log", "off"], stderr=subprocess.PIPE, text=True)
        said = []
        for line in self.process.stderr:
            said.append(line)
            match = re.search(r"listening on http://127\.0\.0\.1:(\d+)", line)
            if match:
                self.connection = http.client.HTTPConnection("127.0.0.1", int(match.group(1)), timeout=120)
                return
        self.process.wait()
        raise SystemExit("encoderd did not start:\n" + "".join(said[-5:]))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def ask(self, path, **body):
        self.connection.request("POST", path, json.dumps(body), {
            "Content-Type": "application/json", "Accept": "application/vnd.safetensors"})
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path} {body.get('model')}: {answer.status} {content.decode(errors='replace')}")
        return load_safetensors(content)


def choose(options, rng):
    """Chooses one value for each option. A tuple of names takes its values from one tuple."""
    chosen = {}
    for names, values in options.options.items():
        value = rng.choice(values)
        if isinstance(names, tuple):
            chosen.update(zip(names, value))
        else:
            chosen[names] = value
    return {k: v for k, v in chosen.items() if v is not families.ABSENT}


def differences(found, torch32, torch64, kind):
    """Returns the largest differences from torch's f32, from its f64, and between these two."""
    found, torch32, torch64 = (x.double() for x in (found, torch32, torch64))
    if found.shape != torch32.shape or found.isnan().any():
        return float("inf"), float("inf"), 0.0

    def largest(a, b):
        error = (a - b).abs()
        return (error if kind == "attention" else error / b.abs().clamp(min=1)).max().item()

    return largest(found, torch32), largest(found, torch64), largest(torch32, torch64)


def is_too_much(to32, to64, own, kind):
    """Compares a difference with its tolerance. `own` is the largest difference of torch's f32 from f64 in the model."""
    tolerance = TOLERANCES[kind]
    return to32 >= tolerance if own <= tolerance / 2 else to64 >= 1.5 * max(tolerance, own)


def compare(server, name, model, maximum, rng):
    """Returns the largest (difference, difference of torch's f32) by kind, and the differences above the tolerance."""
    double = copy.deepcopy(model).double()
    noted = []
    lengths = sorted({1, 2, min(17, maximum), rng.randint(1, maximum), maximum})
    sequences = [families.tokens(model, length)[0] for length in lengths]
    wanted = [(families.run(model, ids), families.run(double, ids)) for ids in sequences]
    count = len(wanted[0][0][0])

    def note(kind, found, a, b, where):
        noted.append((kind, *differences(found, a, b, kind), where))

    inputs = [ids.tolist() for ids in sequences]
    for layer in range(count):
        found = server.ask("/v1/encode", model=name, input=inputs, output="states", layer=layer)
        for i, (a, b) in enumerate(wanted):
            note("states", found[f"states.{i}"], a[0][layer], b[0][layer], f"{lengths[i]} tokens, layer {layer}")
    if wanted[0][0][2] is not None and getattr(model, "logits_are_served", True):
        found = server.ask("/v1/encode", model=name, input=inputs, output="logits")
        for i, (a, b) in enumerate(wanted):
            logits = found["logits"][i] if "logits" in found else found[f"logits.{i}"]
            note("logits", logits.reshape(a[2].shape), a[2], b[2], f"{lengths[i]} tokens")
    for i, (a, b) in enumerate(wanted):
        rows = sorted({0, lengths[i] // 2, lengths[i] - 1, rng.randrange(lengths[i])})
        found = server.ask("/v1/attention", model=name, input=inputs[i], queries=rows)
        note("attention", found["attention"], a[1][:, :, rows], b[1][:, :, rows], f"{lengths[i]} tokens")
    worst = {}
    for kind, to32, _, own, _ in noted:
        worst[kind] = tuple(map(max, worst.get(kind, (0, 0)), (to32, own)))
    return worst, [
        f"{name} {where}: {kind} {to32:.1e}, torch's own {own:.1e}" for kind, to32, to64, own, where in noted
        if is_too_much(to32, to64, worst[kind][1], kind)]


def main():
    parser = argparse.ArgumentParser(description="Random variants of families of encoders against transformers.")
    parser.add_argument("families", nargs="*")
    parser.add_argument("--variants", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--program", default=str(ROOT / ".build" / "release" / "encoderd"))
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()
    table = {}
    for script in sorted((ROOT / "Tests" / "Reference").glob("families_*.py")):
        table.update(getattr(importlib.import_module(script.stem), "OPTIONS", {}))
    failed = False
    print(f"{'family':18} {'variants':>8}  " + "  ".join(f"{k + ' (torch)':>19}" for k in TOLERANCES))
    for family in arguments.families or table:
        if family not in table:
            raise SystemExit(f"{family}: no such family; there are {', '.join(table)}")
        rng = random.Random(f"{family} {arguments.seed}")
        torch.manual_seed(rng.randrange(1 << 30))
        worst, wrong = {}, []
        with tempfile.TemporaryDirectory() as folder:
            models = {}
            for i in range(arguments.variants):
                chosen = choose(table[family], rng)
                maker = rng.choice(table[family].classes)
                if maker.__name__.endswith("QuestionAnswering"):
                    chosen["num_labels"] = 2
                model = families.prepared(maker(table[family].config(**chosen)), torch.float32, table[family].scale)
                model.logits_are_served = maker not in table[family].headless
                families.save(model, pathlib.Path(folder) / f"m{i}", torch.float32)
                models[f"m{i}"] = (model, f"{maker.__name__} {chosen}")
            with Server(arguments.program, folder) as server:
                for name, (model, description) in models.items():
                    found, bad = compare(server, name, model, table[family].maximum(model.config), rng)
                    for kind, values in found.items():
                        worst[kind] = tuple(map(max, worst.get(kind, (0, 0)), values))
                    wrong += bad[:2] + ([f"    {description}"] if bad else [])
        shown = [f"{worst[k][0]:.1e} ({worst[k][1]:.1e})" if k in worst else "" for k in TOLERANCES]
        print(f"{family:18} {arguments.variants:8}  " + "  ".join(f"{s:>19}" for s in shown), flush=True)
        for line in wrong[:20]:
            print("  " + line, flush=True)
        failed |= bool(wrong)
    sys.exit(failed)


main()
