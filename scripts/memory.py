#!/usr/bin/env python3
"""Peak memory and time of one sequence of 1,024 to 8,192 tokens, through a small random Transformer encoder.

Fails if the memory of the longest grows faster than its length: attention would hold n × n scores.

usage: memory.py [ENCODERD]
"""
import json, os, pathlib, random, struct, subprocess, sys, tempfile, time
from array import array

program = (sys.argv[1:] or [".build/release/encoderd"])[0]
WIDTH, HEADS, LAYERS, INNER, VOCABULARY = 256, 4, 2, 512, 1000
LENGTHS = [512, 1024, 2048, 4096, 8192]
generator = random.Random(7)


def write_model(folder):
    config = {"model_type": "transformer_encoder", "d_model": WIDTH, "nhead": HEADS, "num_layers": LAYERS,
              "dim_feedforward": INNER, "activation": "gelu", "positional_encoding": "sinusoidal",
              "max_length": LENGTHS[-1], "vocab_size": VOCABULARY}
    (folder / "config.json").write_text(json.dumps(config))
    shapes = {"embedding.weight": [VOCABULARY, WIDTH]}
    for i in range(LAYERS):
        layer = f"encoder.layers.{i}."
        shapes[layer + "self_attn.in_proj_weight"] = [3 * WIDTH, WIDTH]
        shapes[layer + "self_attn.in_proj_bias"] = [3 * WIDTH]
        shapes[layer + "self_attn.out_proj.weight"] = [WIDTH, WIDTH]
        shapes[layer + "self_attn.out_proj.bias"] = [WIDTH]
        shapes[layer + "linear1.weight"], shapes[layer + "linear1.bias"] = [INNER, WIDTH], [INNER]
        shapes[layer + "linear2.weight"], shapes[layer + "linear2.bias"] = [WIDTH, INNER], [WIDTH]
        for norm in ("norm1", "norm2"):
            shapes[layer + norm + ".weight"] = shapes[layer + norm + ".bias"] = [WIDTH]
    header, data = {}, bytearray()
    for name, shape in shapes.items():
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        values = array("f", (generator.uniform(-0.1, 0.1) for _ in range(count)))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + 4 * count]}
        data += values.tobytes()
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)


def run(folder, length):
    """Peak resident MiB and seconds of one process that encodes one sequence."""
    ids = json.dumps([generator.randrange(VOCABULARY) for _ in range(length)])
    start = time.perf_counter()
    child = subprocess.Popen([program, "encode", "--model", str(folder), "--json", "-"], stdin=subprocess.PIPE,
                             stdout=subprocess.DEVNULL)
    child.stdin.write(ids.encode())
    child.stdin.close()
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        sys.exit(f"{program} failed at {length} tokens")
    return usage.ru_maxrss / 1024, time.perf_counter() - start


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    write_model(folder)
    peaks = {}
    for length in LENGTHS:
        peaks[length], seconds = run(folder, length)
        print(f"{length:5} tokens: peak {peaks[length]:7.1f} MiB, {seconds * 1e3:7.0f} ms")
growth = [peaks[b] - peaks[a] for a, b in zip(LENGTHS[1:], LENGTHS[2:])]
print("growth with each doubling: " + ", ".join(f"{g:.1f} MiB" for g in growth))
# Linear: each doubling adds twice what the one before did; n × n would add four times that, or 256 MiB for the scores of
# one head at the end.
if any(b > 2.5 * a for a, b in zip(growth, growth[1:])):
    sys.exit("memory grows faster than the sequence")
