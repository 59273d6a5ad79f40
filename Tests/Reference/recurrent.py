"""Expected values of small recurrent networks and of the two published recurrent checkpoints.

torch.nn.RNN, GRU and LSTM compute the small networks in f32. The output is
data/recurrent/NAME/{config.json,model.safetensors,expected.safetensors} for each of them, and
data/recurrent_real.safetensors for the checkpoints.

Weight maps are computed in f64: contributions step by step from the cells of torch, Jacobians by torch.autograd. Of
their rows for long sequences, only LONG_ROWS are stored.

    python Tests/Reference/recurrent.py
"""
import copy, itertools, json, pathlib, shutil
import numpy as np
import torch
from safetensors.torch import save_file

torch.manual_seed(11)
ROOT = pathlib.Path(__file__).resolve().parent
OUT = ROOT / "data" / "recurrent"
MODELS = ROOT.parent.parent / "models"
LONG_ROWS = [250, 499]
CELLS = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}


def contribution(cell, kind, inputs, layer, direction, h0, c0):
    """Returns write contributions of one direction of one layer, [T, T + 1] in f64, for inputs [T, inputs]."""
    suffix = f"_l{layer}" + ("_reverse" if direction else "")
    w = {n: getattr(cell, n + suffix).double().detach() if hasattr(cell, n + suffix) else None
         for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")}
    H = cell.hidden_size
    bi = w["bias_ih"] if w["bias_ih"] is not None else 0
    bh = w["bias_hh"] if w["bias_hh"] is not None else 0
    T = len(inputs)
    times = range(T - 1, -1, -1) if direction else range(T)
    h, c = h0.double().clone(), None if c0 is None else c0.double().clone()
    keep, write = {}, {}
    for t in times:
        gi = w["weight_ih"] @ inputs[t].double() + bi
        gh = w["weight_hh"] @ h + bh
        if kind == "gru":
            r, z = torch.sigmoid(gi[:H] + gh[:H]), torch.sigmoid(gi[H:2*H] + gh[H:2*H])
            n = torch.tanh(gi[2*H:] + r * gh[2*H:])
            h = (1 - z) * n + z * h
            keep[t], write[t] = z, 1 - z
        else:
            g = gi + gh
            i, f, u, o = torch.sigmoid(g[:H]), torch.sigmoid(g[H:2*H]), torch.tanh(g[2*H:3*H]), torch.sigmoid(g[3*H:])
            c = f * c + i * u
            h = o * torch.tanh(c)
            if w["weight_hr"] is not None: h = w["weight_hr"] @ h
            keep[t], write[t] = f, i * u
    order = list(times)
    out = torch.zeros(T, T + 1, dtype=torch.float64)
    for place, t in enumerate(order):
        kept = torch.ones(H, dtype=torch.float64)
        for s in reversed(order[: place + 1]):
            term = kept * write[s]
            out[t, s + 1] = term.mean() if kind == "gru" else term.norm()
            kept = kept * keep[s]
        out[t, 0] = kept.mean() if kind == "gru" else (kept * c0.double()).norm()
    return out.float()


def jacobian(cell, kind, x, h, c, rows):
    """Returns the norms of d h_t / d x_s, [rows, T] computed in f64 with the cell of torch."""
    cell = copy.deepcopy(cell).double()
    h, c = h.double(), c.double()
    def top(v): return cell(v[None], (h, c) if kind == "lstm" else h)[0][0][rows]
    j = torch.autograd.functional.jacobian(top, x.double())      # [rows, width, T, inputs]
    return j.pow(2).sum((1, 3)).sqrt().detach().float()


def case(name, kind, inputs, hidden, layers=1, directions=1, bias=True, lengths=(9, 1, 5), output_bias=True, **keys):
    vocabulary = keys.get("vocab_size")
    options = {"num_layers": layers, "bidirectional": directions == 2, "bias": bias, "batch_first": True}
    if keys.get("proj_size"): options["proj_size"] = keys["proj_size"]
    if kind == "rnn" and keys.get("nonlinearity"): options["nonlinearity"] = keys["nonlinearity"]
    cell = CELLS[kind](inputs, hidden, **options).eval()
    # Larger weights than torch's initialization, so that gates are not all close to one half.
    with torch.no_grad():
        for p in cell.parameters(): p.mul_(2 if kind != "rnn" else 1)
    state = keys.get("proj_size") or hidden
    width = directions * state
    tensors = {"rnn." + k: v.detach().clone() for k, v in cell.named_parameters()}
    if vocabulary:
        embedding = torch.nn.Embedding(vocabulary, inputs)
        tensors["embedding.weight"] = embedding.weight.detach()
    output = None
    if keys.get("output_size"):
        output = torch.nn.Linear(width, keys["output_size"], bias=output_bias)
        tensors.update({"output." + k: v.detach() for k, v in output.named_parameters()})
    activation = {None: lambda x: x, "identity": lambda x: x, "relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid,
                  "softmax": lambda x: torch.softmax(x, -1)}[keys.get("output_activation")]
    expected = {}
    for n, length in enumerate(lengths):
        if vocabulary:
            ids = torch.randint(0, vocabulary, (length,))
            expected[f"{n}.ids"] = ids.int()
            x = embedding(ids).detach()
        else:
            x = torch.randn(length, inputs)
            expected[f"{n}.input"] = x
        h0 = torch.randn(layers * directions, 1, state) * 0.5
        c0 = torch.randn(layers * directions, 1, hidden) * 0.5
        for start in ("zero", "given"):
            h, c = (torch.zeros_like(h0), torch.zeros_like(c0)) if start == "zero" else (h0, c0)
            if start == "given": expected[f"{n}.given.h0"], expected[f"{n}.given.c0"] = h0[:, 0], c0[:, 0]
            # Layer by layer with separate cells, to get the states of every layer.
            y = x
            key = f"{n}.{start}"
            for layer in range(layers):
                one = CELLS[kind](y.shape[1], hidden, **{**options, "num_layers": 1}).eval()
                for p, _ in list(one.named_parameters()):
                    getattr(one, p).data = getattr(cell, p.replace("_l0", f"_l{layer}")).data.clone()
                rows = slice(layer * directions, (layer + 1) * directions)
                y, _ = one(y[None], (h[rows], c[rows]) if kind == "lstm" else h[rows])
                y = y[0].detach()
                expected[f"{key}.states.{layer + 1}"] = y
            whole, last = cell(x[None], (h, c) if kind == "lstm" else h)
            assert torch.allclose(whole[0], y, atol=1e-6)
            if kind == "lstm":
                expected[f"{key}.h"], expected[f"{key}.c"] = last[0][:, 0].detach(), last[1][:, 0].detach()
                final = last[0]
            else:
                expected[f"{key}.h"] = last[:, 0].detach()
                final = last
            final = torch.cat([final[-directions + d, 0] for d in range(directions)])
            projected = output is not None and "output_activation" in keys
            if output is not None: expected[f"{key}.logits"] = activation(output(y)).detach()
            rows = activation(output(y)) if projected else y
            expected[f"{key}.last"] = (activation(output(final)) if projected else final).detach()
            expected[f"{key}.mean"] = rows.mean(0).detach()
            expected[f"{key}.max"] = rows.max(0).values.detach()
            if length < 500 and max(lengths) == 500: continue
            rows = LONG_ROWS if length == 500 else list(range(length))
            expected[f"{key}.jacobian"] = jacobian(cell, kind, x, h, c, rows)
            if kind == "rnn": continue
            maps, y = [], x
            for layer in range(layers):
                for d in range(directions):
                    r = layer * directions + d
                    maps.append(contribution(cell, kind, y, layer, d, h[r, 0], c[r, 0] if kind == "lstm" else None)[rows])
                y = expected[f"{key}.states.{layer + 1}"]
            expected[f"{key}.contribution"] = torch.stack(maps).reshape(layers, directions, len(rows), length + 1)
    folder = OUT / name
    folder.mkdir(parents=True)
    config = {"model_type": kind, "input_size": inputs, "hidden_size": hidden, "num_layers": layers,
              "bidirectional": directions == 2, "bias": bias, **keys}
    (folder / "config.json").write_text(json.dumps(config) + "\n")
    save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "model.safetensors")
    save_file({k: v.contiguous() for k, v in expected.items()}, folder / "expected.safetensors")


shutil.rmtree(OUT, ignore_errors=True)
sizes = itertools.cycle([(3, 7), (5, 16), (4, 17), (8, 12), (1, 1), (6, 33)])
for kind, layers, directions, bias in itertools.product(CELLS, (1, 2), (1, 2), (True, False)):
    inputs, hidden = next(sizes)
    case(f"{kind}-{layers}-{directions}-{'bias' if bias else 'plain'}", kind, inputs, hidden, layers, directions, bias)
case("rnn-relu", "rnn", 4, 9, 2, 2, nonlinearity="relu")
case("lstm-proj", "lstm", 5, 12, 2, 2, proj_size=7)
case("lstm-proj-1", "lstm", 5, 18, 3, 1, False, proj_size=4)
case("rnn-ids", "rnn", 6, 8, 1, 1, vocab_size=11)
case("gru-ids", "gru", 6, 8, 3, 2, vocab_size=11)
case("lstm-ids-head", "lstm", 6, 8, 1, 2, vocab_size=11, output_size=5)
case("rnn-head", "rnn", 3, 8, 1, 1, output_size=2)
for activation in ("identity", "relu", "tanh", "sigmoid", "softmax"):
    case(f"gru-out-{activation}", "gru", 3, 8, 1, 2 if activation == "relu" else 1, output_size=6, output_activation=activation)
case("lstm-norm", "lstm", 3, 8, 1, 1, output_size=6, output_activation="relu", normalize=True, pooling="mean")
case("rnn-long", "rnn", 4, 24, 1, 1, lengths=(500, 37))
case("gru-long", "gru", 4, 24, 1, 1, lengths=(500, 37))
case("lstm-long", "lstm", 4, 24, 1, 1, lengths=(500, 37))
case("rnn-deep", "rnn", 4, 17, 3, 2, False)
case("lstm-deep", "lstm", 3, 33, 3, 2)
case("gru-head-plain", "gru", 3, 7, 1, 2, output_size=3, output_bias=False)
case("gru-deep-long", "gru", 3, 9, 2, 2, lengths=(500,))
case("lstm-deep-long", "lstm", 3, 17, 2, 1, proj_size=9, lengths=(500,))

# The encoder of g2p-en in numpy, as in the package (g2p_en/g2p.py: grucell, gru, predict).
real = {}
v = {k: a for k, a in np.load(MODELS / "g2p" / "checkpoint20.npz").items()}
def sigmoid(x): return 1 / (1 + np.exp(-x))
graphemes = ["<pad>", "<unk>", "</s>"] + [chr(97 + i) for i in range(26)]
for n, word in enumerate(["transformer", "a", "rhythm", "supercalifragilisticexpialidocious"]):
    ids = [graphemes.index(c) for c in word] + [2]
    h = np.zeros((1, 256), np.float32)
    states = []
    for i in ids:
        x = v["enc_emb"][i][None]
        rzn_ih = x @ v["enc_w_ih"].T + v["enc_b_ih"]
        rzn_hh = h @ v["enc_w_hh"].T + v["enc_b_hh"]
        rz_ih, n_ih = rzn_ih[:, :512], rzn_ih[:, 512:]
        rz_hh, n_hh = rzn_hh[:, :512], rzn_hh[:, 512:]
        rz = sigmoid(rz_ih + rz_hh)
        r, z = np.split(rz, 2, -1)
        new = np.tanh(n_ih + r * n_hh)
        h = (1 - z) * new + z * h
        states.append(h[0])
    real[f"g2p.{n}.ids"] = torch.tensor(ids, dtype=torch.int32)
    real[f"g2p.{n}.states"] = torch.tensor(np.stack(states)).float()

# Resemblyzer's VoiceEncoder.forward (resemblyzer/voice_encoder.py).
checkpoint = torch.load(MODELS / "resemblyzer" / "pretrained.pt", map_location="cpu", weights_only=False)["model_state"]
lstm = torch.nn.LSTM(40, 256, 3, batch_first=True)
lstm.load_state_dict({k[5:]: t for k, t in checkpoint.items() if k.startswith("lstm.")})
linear = torch.nn.Linear(256, 256)
linear.load_state_dict({k[7:]: t for k, t in checkpoint.items() if k.startswith("linear.")})
for n, frames in enumerate((160, 23)):
    x = torch.rand(frames, 40) ** 4
    with torch.no_grad():
        y, (h, _) = lstm(x[None])
        raw = torch.relu(linear(h[-1]))
        real[f"voice.{n}.input"], real[f"voice.{n}.states"] = x, y[0][-40:].contiguous()
        real[f"voice.{n}.embedding"] = (raw / torch.norm(raw, dim=1, keepdim=True))[0]
save_file(real, ROOT / "data" / "recurrent_real.safetensors")
