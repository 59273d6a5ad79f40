#!/usr/bin/env python3
"""Measures peak memory and time of one sequence of 512 to 8,192 tokens in a small random Transformer encoder.

usage: memory.py [ENCODERD]

Exits with 1 if memory grows faster than the length of the sequence, as it would if attention stored n × n scores.
"""
import json, os, pathlib, random, struct, subprocess, sys, tempfile, time
from array import array

program = (sys.argv[1:] or [".build/release/encoderd"])[0]
WIDTH, HEADS, LAYERS, INNER, VOCABULARY = 256, 4, 2, 512, 1000
LENGTHS = [512, 1024, 2048, 4096, 8192]
generator = random.Random(7)


def write_model(folder):
    """Writes config.json and random weights of the encoder."""
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
    """Encodes one sequence in a new process. Returns its peak resident memory in MiB and its seconds."""
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
print("growth per doubling of the length: " + ", ".join(f"{g:.1f} MiB" for g in growth))
# With linear memory each doubling adds twice as much as the one before. With n × n scores it would add four times as much: the
# scores of one head for the longest sequence take 256 MiB.
if any(b > 2.5 * a for a, b in zip(growth, growth[1:])):
    sys.exit("memory grows faster than the length of the sequence")
