"""Small models of the project's own families with sentence-transformers' modules beside them, and their embeddings.

Writes data/native_modules/NAME: a model directory, and expected.json with the embedding of each request. The networks follow
torch.nn.RNN, GRU, LSTM and TransformerEncoder (https://docs.pytorch.org/docs/stable/nn.html), the modules those of
sentence-transformers (https://sbert.net/docs/package_reference/sentence_transformer/models.html); all in f64.

    python Tests/Reference/native_modules.py
"""
import json
import math
import pathlib
import shutil

import numpy
from safetensors.numpy import save_file

OUT = pathlib.Path(__file__).parent / "data/native_modules"
CHARACTERS = "abcdefgh :"
PREFIX = "sentence_transformers.models."


class Weights:
    """Random tensors under their names, rounded to f32 as the file holds them."""

    def __init__(self, seed):
        self.random = numpy.random.default_rng(seed)
        self.tensors = {}

    def __call__(self, name, *shape):
        value = (self.random.standard_normal(shape) * 0.5).astype(numpy.float32)
        self.tensors[name] = value
        return value.astype(numpy.float64)


def sigmoid(x): return 1 / (1 + numpy.exp(-x))


def softmax(x):
    powers = numpy.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def layer_norm(x, weight, bias, epsilon=1e-5):
    centered = x - x.mean(-1, keepdims=True)
    return centered / numpy.sqrt((centered ** 2).mean(-1, keepdims=True) + epsilon) * weight + bias


# Networks: a function from a sequence's input vectors or ids to its states [length, width].


def recurrent(weights, c):
    kind, hidden, size = c["model_type"], c["hidden_size"], c["input_size"]
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[kind]
    directions = 2 if c.get("bidirectional") else 1
    embedding = weights("embedding.weight", c["vocab_size"], size) if "vocab_size" in c else None
    layers = []
    for layer in range(c["num_layers"]):
        inputs = size if layer == 0 else directions * hidden
        for direction in range(directions):
            suffix = f"_l{layer}" + ("_reverse" if direction else "")
            layers.append((
                weights("rnn.weight_ih" + suffix, gates * hidden, inputs),
                weights("rnn.weight_hh" + suffix, gates * hidden, hidden),
                weights("rnn.bias_ih" + suffix, gates * hidden), weights("rnn.bias_hh" + suffix, gates * hidden)))
    output = None
    if "output_size" in c:
        output = (weights("output.weight", c["output_size"], directions * hidden), weights("output.bias", c["output_size"]))

    def step(x, h, cell, w_ih, w_hh, b_ih, b_hh):
        a, b = w_ih @ x + b_ih, w_hh @ h + b_hh
        if kind == "rnn": return numpy.tanh(a + b), cell
        if kind == "gru":
            r, z = sigmoid(a[:hidden] + b[:hidden]), sigmoid(a[hidden:2 * hidden] + b[hidden:2 * hidden])
            n = numpy.tanh(a[2 * hidden:] + r * b[2 * hidden:])
            return (1 - z) * n + z * h, cell
        i, f, g, o = numpy.split(a + b, 4)
        cell = sigmoid(f) * cell + sigmoid(i) * numpy.tanh(g)
        return sigmoid(o) * numpy.tanh(cell), cell

    def run(x):
        x = embedding[x] if embedding is not None else x
        for layer in range(c["num_layers"]):
            parts = []
            for direction in range(directions):
                h, cell, states = numpy.zeros(hidden), numpy.zeros(hidden), [None] * len(x)
                order = range(len(x) - 1, -1, -1) if direction else range(len(x))
                for t in order:
                    h, cell = step(x[t], h, cell, *layers[layer * directions + direction])
                    states[t] = h
                parts.append(numpy.array(states))
            x = numpy.concatenate(parts, 1)
        if output is None or "output_activation" not in c: return x
        y = x @ output[0].T + output[1]
        return {"tanh": numpy.tanh, "softmax": softmax}[c["output_activation"]](y)

    return run


def transformer(weights, c):
    width, heads, inner = c["d_model"], c["nhead"], c["dim_feedforward"]
    positions = weights("position.weight", c["max_length"], width)
    if "vocab_size" in c:
        embedding = weights("embedding.weight", c["vocab_size"], width)
    else:
        project = (weights("input.weight", width, c["input_size"]), weights("input.bias", width))
    layers = []
    for i in range(c["num_layers"]):
        name = f"encoder.layers.{i}."
        layers.append([weights(name + n, *s) for n, s in [
            ("self_attn.in_proj_weight", (3 * width, width)), ("self_attn.in_proj_bias", (3 * width,)),
            ("self_attn.out_proj.weight", (width, width)), ("self_attn.out_proj.bias", (width,)),
            ("linear1.weight", (inner, width)), ("linear1.bias", (inner,)),
            ("linear2.weight", (width, inner)), ("linear2.bias", (width,)),
            ("norm1.weight", (width,)), ("norm1.bias", (width,)), ("norm2.weight", (width,)), ("norm2.bias", (width,))]])

    def run(x):
        x = (embedding[x] if "vocab_size" in c else x @ project[0].T + project[1]) + positions[:len(x)]
        for w_in, b_in, w_out, b_out, w_1, b_1, w_2, b_2, n_1, c_1, n_2, c_2 in layers:
            q, k, v = (part.reshape(len(x), heads, -1).transpose(1, 0, 2) for part in numpy.split(x @ w_in.T + b_in, 3, 1))
            a = softmax(q @ k.transpose(0, 2, 1) / math.sqrt(width / heads)) @ v
            x = layer_norm(x + a.transpose(1, 0, 2).reshape(len(x), width) @ w_out.T + b_out, n_1, c_1)
            x = layer_norm(x + numpy.maximum(x @ w_1.T + b_1, 0) @ w_2.T + b_2, n_2, c_2)
        return x

    return run


def attention(weights, c):
    q = weights("query.weight", c["key_size"], c["input_size"])
    k = weights("key.weight", c["key_size"], c["input_size"])
    v = weights("value.weight", c["value_size"], c["input_size"])
    return lambda x: softmax((x @ q.T) @ (x @ k.T).T / math.sqrt(c["key_size"])) @ (x @ v.T)


NETWORKS = {"rnn": recurrent, "gru": recurrent, "lstm": recurrent, "transformer_encoder": transformer,
            "self_attention": attention}


# Modules: a function of a vector, after the pooling of states [length, width] from position `skipped` on.


def pool(states, mode, skipped):
    rows = states[skipped:]
    if mode == "cls": return rows[0]
    if mode == "lasttoken": return rows[-1]
    if mode == "max": return rows.max(0)
    if mode == "mean": return rows.mean(0)
    if mode == "mean_sqrt_len_tokens": return rows.sum(0) / math.sqrt(len(rows))
    weight = numpy.arange(skipped + 1, len(states) + 1)[:, None]
    return (rows * weight).sum(0) / weight.sum()


def module(name, settings, folder, seed):
    """Writes a module's folder and returns its function."""
    if name == "Normalize": return lambda x: x / max(numpy.linalg.norm(x), 1e-12)
    weights = Weights(seed)
    folder.mkdir(parents=True)
    if name == "Dense":
        w = weights("linear.weight", settings["out_features"], settings["in_features"])
        b = weights("linear.bias", settings["out_features"])
        f = {"Tanh": numpy.tanh, "Identity": lambda x: x, "ReLU": lambda x: numpy.maximum(x, 0)}[
            settings["activation_function"].split(".")[-1]]
        run = lambda x: f(w @ x + b)
        if settings.get("use_residual"):
            run = lambda x, plain=run: plain(x) + x
    else:
        w, b = weights("norm.weight", settings["dimension"]), weights("norm.bias", settings["dimension"])
        run = lambda x: layer_norm(x, w, b)
    (folder / "config.json").write_text(json.dumps(settings, indent=2) + "\n")
    save_file(weights.tensors, folder / "model.safetensors")
    return run


def tokens(text): return [CHARACTERS.index(x) + 1 if x in CHARACTERS else 0 for x in text] + [len(CHARACTERS) + 1]


def write(name, seed, config, pooling, modules, prompts=None, default_prompt=None, max_length=None):
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "1_Pooling").mkdir(parents=True)
    weights = Weights(seed)
    run = NETWORKS[config["model_type"]](weights, config)
    save_file(weights.tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "1_Pooling/config.json").write_text(json.dumps(pooling, indent=2) + "\n")
    entries = [("Transformer", ""), ("Pooling", "1_Pooling")]
    steps = []
    for kind, settings in modules:
        path = f"{len(entries)}_{kind}"
        steps.append(module(kind, settings, folder / path, seed + len(entries)))
        entries.append((kind, path))
    (folder / "modules.json").write_text(json.dumps(
        [{"idx": i, "name": str(i), "path": path, "type": PREFIX + kind} for i, (kind, path) in enumerate(entries)],
        indent=2) + "\n")
    if prompts:
        (folder / "config_sentence_transformers.json").write_text(json.dumps(
            {"prompts": prompts, "default_prompt_name": default_prompt}, indent=2) + "\n")
    if max_length:
        (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": max_length}, indent=2) + "\n")
    reads_text = "vocab_size" in config
    if reads_text:
        vocabulary = {"<unk>": 0} | {x: i + 1 for i, x in enumerate(CHARACTERS)} | {"</s>": len(CHARACTERS) + 1}
        (folder / "characters.json").write_text(json.dumps(
            {"vocab": vocabulary, "unknown": "<unk>", "suffix": ["</s>"]}, indent=1) + "\n")

    modes = pooling["pooling_mode"]
    modes = [modes] if isinstance(modes, str) else modes
    cases = []

    def case(request, x, skipped=0):
        states = run(x)
        vector = numpy.concatenate([pool(states, mode, skipped) for mode in modes])
        for step in steps: vector = step(vector)
        cases.append({"request": request, "embedding": [float(v) for v in vector]})

    if reads_text:
        for options, prompt in [({}, (prompts or {}).get(default_prompt, "")), ({"prompt": ""}, "")] + [
                ({"prompt_name": n}, t) for n, t in (prompts or {}).items()]:
            for text in ["a", "bad cafe", "hhhh gg", "a: bcd"]:
                ids = tokens(prompt + text)
                # A character vocabulary keeps its suffix where it cuts.
                if max_length and len(ids) > max_length: ids = ids[:max_length - 1] + ids[-1:]
                skipped = len(prompt) if not pooling.get("include_prompt", True) else 0
                case({"input": text, **options}, numpy.array(ids), min(skipped, len(ids) - 1))
    else:
        random = numpy.random.default_rng(seed + 100)
        for length in [1, 2, 7, 19]:
            x = random.standard_normal((length, config["input_size"])).round(3)
            case({"input": x.tolist()}, x[:max_length] if max_length else x)
    (folder / "expected.json").write_text(json.dumps(cases) + "\n")


def dense(inputs, outputs, activation="Tanh", **more):
    return ("Dense", {"in_features": inputs, "out_features": outputs, "bias": True,
                      "activation_function": "torch.nn.modules.activation." + activation, **more})


IDS = {"vocab_size": len(CHARACTERS) + 2}
PROMPTS = {"query": "ab: ", "none": ""}

if __name__ == "__main__":
    write("rnn-dense", 1, {"model_type": "rnn", "input_size": 5, "hidden_size": 9, "num_layers": 2},
          {"pooling_mode": "mean"}, [dense(9, 12), dense(12, 7, "Identity"), ("Normalize", {})])
    write("gru-poolings", 2,
          {"model_type": "gru", "input_size": 5, "hidden_size": 6, "num_layers": 1, "bidirectional": True},
          {"pooling_mode": ["max", "mean", "weightedmean", "mean_sqrt_len_tokens", "cls"]},
          [("Normalize", {}), ("LayerNorm", {"dimension": 60}), dense(60, 60, "ReLU", use_residual=True)], max_length=11)
    write("lstm-prompts", 3,
          {"model_type": "lstm", "input_size": 4, "hidden_size": 8, "num_layers": 2, **IDS},
          {"pooling_mode": ["lasttoken", "weightedmean"], "include_prompt": False}, [dense(16, 5), ("Normalize", {})],
          PROMPTS, "query", 9)
    write("gru-output", 4,
          {"model_type": "gru", "input_size": 5, "hidden_size": 6, "num_layers": 1, "output_size": 10,
           "output_activation": "softmax"},
          {"pooling_mode": ["lasttoken", "max", "lasttoken"]}, [dense(30, 4, "Identity")])
    write("rnn-output-ids", 5,
          {"model_type": "rnn", "input_size": 5, "hidden_size": 6, "num_layers": 1, "output_size": 3,
           "output_activation": "tanh", **IDS},
          {"pooling_mode": "mean", "include_prompt": False}, [("Normalize", {})], PROMPTS, None, 12)
    encoder = {"model_type": "transformer_encoder", "d_model": 8, "nhead": 2, "num_layers": 2, "dim_feedforward": 12,
               "positional_encoding": "learned", "max_length": 24}
    write("transformer-prompts", 6, {**encoder, **IDS}, {"pooling_mode": "weightedmean", "include_prompt": False},
          [dense(8, 10), ("LayerNorm", {"dimension": 10}), ("Normalize", {})], PROMPTS, "query", 10)
    write("transformer-features", 7, {**encoder, "input_size": 3}, {"pooling_mode": ["cls", "lasttoken"]},
          [dense(16, 6)])
    write("attention", 8, {"model_type": "self_attention", "input_size": 5, "key_size": 4, "value_size": 6},
          {"pooling_mode": "mean_sqrt_len_tokens"}, [("LayerNorm", {"dimension": 6}), ("Normalize", {})])
