"""Writes data/kernels_*.safetensors: inputs in f32, and the results that torch and numpy compute from them in f64.

All random numbers are seeded. Needs torch, numpy, safetensors and transformers.

    python Tests/Reference/kernels.py
"""
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import load_file, save_file

DATA = pathlib.Path(__file__).parent / "data"
DATA.mkdir(exist_ok=True)
rng = np.random.default_rng(7)


def normal(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def f64(x):
    return torch.from_numpy(np.ascontiguousarray(x)).double()


ACTIVATIONS = {
    "identity": lambda x: x,
    "relu": F.relu,
    "gelu": F.gelu,
    "geluTanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "quickGelu": lambda x: x * torch.sigmoid(1.702 * x), "relu6": torch.nn.functional.relu6,
    "reluSquared": lambda x: torch.relu(x).square(), "leakyRelu": torch.nn.functional.leaky_relu,
    "mish": torch.nn.functional.mish, "elu": torch.nn.functional.elu,
    "clippedGelu": lambda x: torch.clip(F.gelu(x), -10, 10), "hardSwish": F.hardswish,
    "laplace": lambda x: 0.5 * (1 + torch.erf((x - 0.707107).div(0.282095 * 2 ** 0.5))),
    "sqrtSoftplus": lambda x: F.softplus(x).sqrt(),
}


def dense():
    a, w, bias, residual = normal(17, 1536), normal(96, 1536), normal(96), normal(17, 96)
    out = {"a": a, "w": w, "bias": bias, "residual": residual}
    for n in (1, 31, 33, 96):
        for k in (1, 7, 384, 1536):
            out[f"product.{n}.{k}"] = (f64(a[:, :k]) @ f64(w[:n, :k]).T).float().numpy()
    # The sum of the absolute values of the terms of each product. Tests allow rounding errors relative to it.
    for k in (1, 7, 384, 1536):
        out[f"terms.{k}"] = (f64(a[:, :k]).abs() @ f64(w[:, :k]).abs().T).float().numpy()
    pre = f64(a[:, :384]) @ f64(w[:, :384]).T / 16 + f64(bias)
    for name, f in ACTIVATIONS.items():
        out[f"activated.{name}"] = f(pre).float().numpy()
    tall = normal(300, 40)
    out["tall"] = tall
    out["tall.product"] = (f64(tall) @ f64(w[:33, :40]).T + f64(bias[:33])).float().numpy()
    save_file(out, DATA / "kernels_dense.safetensors")


def activations():
    x = np.concatenate([
        np.linspace(-12, 12, 1201), np.linspace(-0.01, 0.01, 101), np.linspace(-110, 110, 441),
        [0.0, -0.0, 1e-45, -1e-45, 1e-39, -1e-39, 1e-30, -1e-30, 1e-8, 3.4e38, -3.4e38, 1e10, -1e10, np.inf, -np.inf,
         np.nan]]).astype(np.float32)
    out = {"x": x, "exp": torch.exp(f64(x)).numpy()}
    for name, f in ACTIVATIONS.items():
        out[name] = f(f64(x)).numpy()
    # For subnormals and infinities F.gelu in f64 equals torch in f32: x * Phi(x), NaN at -inf.
    save_file(out, DATA / "kernels_activations.safetensors")


def attention():
    q, k, v = normal(300, 64), normal(300, 64) * 1.5, normal(300, 64)
    out = {"q": q, "k": k, "v": v}
    for n in (1, 2, 17, 128, 300):
        for d, dv in ((5, 5), (32, 32), (33, 33), (64, 64), (32, 7), (5, 40)):
            scores = f64(q[:n, :d]) @ f64(k[:n, :d]).T / np.sqrt(d)
            weights = torch.softmax(scores, -1)
            # Every 9th row, to keep the file small, and the last row, which is in the last tile.
            rows = sorted(set(range(0, n, 9)) | {n - 1})
            out[f"out.{n}.{d}.{dv}"] = (weights @ f64(v[:n, :dv]))[rows].float().numpy()
            if d == dv:
                out[f"lse.{n}.{d}"] = torch.logsumexp(scores, -1).float().numpy()
                out[f"weights.{n}.{d}"] = weights[[0, n // 2, n - 1]].float().numpy()
    save_file(out, DATA / "kernels_attention.safetensors")


def rows():
    out = {}
    for width in (1, 5, 16, 31, 33, 384, 1000):
        x = normal(3, width) * np.float32(3) + np.float32(1)
        weight, bias = normal(width), normal(width)
        out[f"x.{width}"], out[f"weight.{width}"], out[f"bias.{width}"] = x, weight, bias
        norm = F.layer_norm(f64(x), (width,), f64(weight), None, 1e-5)
        out[f"norm.{width}"] = norm.float().numpy()
        out[f"norm_bias.{width}"] = (norm + f64(bias)).float().numpy()
        out[f"softmax.{width}"] = torch.softmax(f64(x) * 4, -1).float().numpy()
    save_file(out, DATA / "kernels_rows.safetensors")


def recurrent():
    torch.manual_seed(3)
    out = {}
    steps, count, inputs = 6, 3, 11
    for hidden in (1, 5, 32, 37):
        for cell in ("tanh", "relu", "gru", "lstm", "lstm_proj"):
            for biased in (True, False):
                if cell == "lstm_proj" and hidden < 5:
                    continue
                proj = hidden - 2 if cell == "lstm_proj" else 0
                if cell in ("tanh", "relu"):
                    net = torch.nn.RNN(inputs, hidden, nonlinearity=cell, bias=biased)
                elif cell == "gru":
                    net = torch.nn.GRU(inputs, hidden, bias=biased)
                else:
                    net = torch.nn.LSTM(inputs, hidden, bias=biased, proj_size=proj)
                net = net.double()
                with torch.no_grad():
                    for p in net.parameters():
                        p.copy_((p * 2).float().double())
                    x = torch.randn(steps, count, inputs).double()
                    size = proj or hidden
                    h0 = (torch.randn(1, count, size) * 0.5).double()
                    c0 = (torch.randn(1, count, hidden) * 0.5).double()
                    projection = x @ net.weight_ih_l0.T
                    if biased:
                        projection = projection + net.bias_ih_l0
                        bhh = net.bias_hh_l0.clone()
                        if cell == "gru":
                            bhh[2 * hidden:] = 0
                        projection = projection + bhh
                    lstm = cell.startswith("lstm")
                    y, last = net(x, (h0, c0) if lstm else h0)
                    key = f"{cell}.{hidden}.{int(biased)}"
                    out[f"{key}.inputs"] = projection.float().numpy()
                    out[f"{key}.hh"] = net.weight_hh_l0.float().numpy()
                    out[f"{key}.h0"] = h0[0].float().numpy()
                    out[f"{key}.y"] = y.float().numpy()
                    if cell == "gru" and biased:
                        out[f"{key}.bias_hn"] = net.bias_hh_l0[2 * hidden:].float().numpy()
                    if lstm:
                        out[f"{key}.c0"] = c0[0].float().numpy()
                        out[f"{key}.c"] = last[1][0].float().numpy()
                    if proj:
                        out[f"{key}.hr"] = net.weight_hr_l0.float().numpy()
                    # The gates, from the states of torch by the equations in its documentation.
                    previous = torch.cat([h0, y[:-1]])
                    hh = previous @ net.weight_hh_l0.T
                    if cell == "gru":
                        bhn = net.bias_hh_l0[2 * hidden:] if biased else 0
                        r = torch.sigmoid(projection[..., :hidden] + hh[..., :hidden])
                        z = torch.sigmoid(projection[..., hidden:2 * hidden] + hh[..., hidden:2 * hidden])
                        n = torch.tanh(projection[..., 2 * hidden:] + r * (hh[..., 2 * hidden:] + bhn))
                        gates = torch.cat([r, z, n], -1)
                    elif lstm:
                        i, f, g, o = (projection + hh).chunk(4, -1)
                        gates = torch.cat([torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)], -1)
                    else:
                        gates = ACTIVATIONS[cell](projection + hh)
                    out[f"{key}.gates"] = gates.float().numpy()
    save_file({k: np.ascontiguousarray(v) for k, v in out.items()}, DATA / "kernels_recurrent.safetensors")


def dense_low_precision():
    """Products of the factors of dense(), rounded to bf16 and int8. The products are computed in f64."""
    data = load_file(DATA / "kernels_dense.safetensors")
    a, w = data["a"].copy(), data["w"]
    # Rows that need asymmetric quantization: of one sign, far from zero, constant, and of wide range.
    a[3] = np.abs(a[3])
    a[5] = 40 + a[5] / 8
    a[7] = 2.5
    a[9, ::97] *= 60
    out = {"a": a}
    for k in (1, 7, 384, 1536):
        x, u = a[:, :k], w[:, :k]
        bf16 = lambda t: torch.from_numpy(t).to(torch.bfloat16).double().numpy()
        out[f"bf16.{k}"] = (bf16(x) @ bf16(u).T).astype(np.float32)
        out[f"bf16.terms.{k}"] = (np.abs(bf16(x)) @ np.abs(bf16(u)).T).astype(np.float32)
        least = x.min(1, keepdims=True)
        span = x.max(1, keepdims=True) - least
        step = span.astype(np.float64) / 255
        q = np.where(span > 0, np.rint((x - least) * (np.float32(255) / np.where(span > 0, span, 1)).astype(np.float64)), 0)
        scale = np.abs(u).max(1, keepdims=True) / np.float32(127)
        codes = np.rint(u.astype(np.float64) / scale.astype(np.float64))
        weights = codes * scale.astype(np.float64)
        out[f"int8.{k}"] = ((least.astype(np.float64) + q * step) @ weights.T).astype(np.float32)
        out[f"int8.terms.{k}"] = ((np.abs(least) + q * step) @ np.abs(weights).T).astype(np.float32)
        # The quantization step of a row times the largest weight: the change if one value rounds to the other step.
        out[f"int8.step.{k}"] = (step @ np.abs(weights).max(1)[None, :]).astype(np.float32)
    save_file(out, DATA / "kernels_packed_dense.safetensors")


def recurrent_low_precision():
    """Single steps of recurrent cells in each precision, by torch's equations in f64 on the rounded h and weights.

    The gates of all cells but the last begin at the edges of panels.
    """
    generator = np.random.default_rng(11)
    bf16 = lambda t: torch.from_numpy(t).to(torch.bfloat16).double().numpy()
    sigmoid = lambda t: 1 / (1 + np.exp(-t))

    def int8_weights(w):
        scale = (np.abs(w).max(1, keepdims=True) / np.float32(127)).astype(np.float64)
        return np.rint(w / scale) * scale

    def int8_rows(x):
        least = x.min(1, keepdims=True).astype(np.float64)
        span = x.max(1, keepdims=True) - least
        levels = (x - least) * 255 / span
        # No value may be close to the midpoint of two steps, since f32 could round it to the other step.
        assert np.abs(levels - np.floor(levels) - 0.5).min() > 1e-4
        return least + np.rint(levels) * span / 255

    rounded = {
        "f32": (lambda w: w.astype(np.float64), lambda x: x.astype(np.float64)),
        "bf16": (bf16, bf16),
        "int8": (int8_weights, int8_rows),
    }
    out = {}
    count = 3
    for cell, hidden, output in [("lstm", 128, 128), ("gru", 96, 96), ("tanh", 160, 160), ("gru", 37, 37)]:
        gates = {"lstm": 4, "gru": 3, "tanh": 1}[cell]
        normal = lambda *shape: generator.normal(size=shape).astype(np.float32)
        w, x, h = normal(gates * hidden, output) / np.float32(output**0.5), normal(count, gates * hidden), normal(count, output)
        bias, c = normal(hidden), normal(count, hidden)
        # No weight may be close to such a midpoint either.
        codes = w / (np.abs(w).max(1, keepdims=True) / np.float32(127))
        w[np.abs(codes - np.floor(codes) - 0.5) < 1e-3] *= np.float32(0.9)
        key = f"{cell}.{hidden}"
        out |= {f"{key}.hh": w, f"{key}.inputs": x, f"{key}.h": h, f"{key}.bias": bias, f"{key}.c": c}
        for precision, (weights, rows) in rounded.items():
            product = (rows(h) @ weights(w).T).reshape(count, gates, hidden)
            a = x.astype(np.float64).reshape(count, gates, hidden)
            if cell == "tanh":
                y = np.tanh(a[:, 0] + product[:, 0])
            elif cell == "gru":
                r, z = sigmoid(a[:, 0] + product[:, 0]), sigmoid(a[:, 1] + product[:, 1])
                n = np.tanh(a[:, 2] + r * (product[:, 2] + bias))
                y = (1 - z) * n + z * h
            else:
                i, f, g, o = (a + product).transpose(1, 0, 2)
                state = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
                y = sigmoid(o) * np.tanh(state)
                out[f"{key}.{precision}.c"] = state.astype(np.float32)
            out[f"{key}.{precision}.y"] = y.astype(np.float32)
    save_file({k: np.ascontiguousarray(v) for k, v in out.items()}, DATA / "kernels_packed_recurrent.safetensors")


def attention_spans():
    """Attention masks built index by index with the mask functions of transformers, for up to several blocks of keys."""
    from transformers import masking_utils as masks

    # A separate generator, so that the other files do not change.
    own = np.random.default_rng(11)
    q, k, v = (own.standard_normal((1300, 16)).astype(np.float32) for _ in range(3))
    out = {"q": q, "k": k, "v": v}
    spans = {
        "causal": masks.causal_mask_function,
        "causal.1": masks.sliding_window_causal_mask_function(1),
        "causal.40": masks.sliding_window_causal_mask_function(40),
        "causal.600": masks.sliding_window_causal_mask_function(600),
        # ModernBERT passes local_attention // 2 as `sliding_window`.
        "local.0": masks.sliding_window_bidirectional_mask_function(0),
        "local.7": masks.sliding_window_bidirectional_mask_function(7 // 2),
        "local.128": masks.sliding_window_bidirectional_mask_function(128 // 2),
        "local.1000": masks.sliding_window_bidirectional_mask_function(1000 // 2),
    }
    for n in (1, 40, 129, 1300):
        rows = sorted(set(range(0, n, 61)) | {n - 1})
        out[f"rows.{n}"] = np.array(rows, dtype=np.float32)
        i, j = torch.arange(n)[:, None], torch.arange(n)[None, :]
        scores = f64(q[:n]) @ f64(k[:n]).T / 4
        for name, mask in spans.items():
            visible = mask(0, 0, i, j).expand(n, n)
            weights = torch.softmax(scores.masked_fill(~visible, float("-inf")), -1)
            out[f"out.{name}.{n}"] = (weights @ f64(v[:n]))[rows].float().numpy()
            if n <= 129:
                out[f"weights.{name}.{n}"] = weights[rows].float().numpy()
    save_file({k: np.ascontiguousarray(x) for k, x in out.items()}, DATA / "kernels_attention_spans.safetensors")


def beyond_bert():
    """Score biases and soft caps, RMS norms, and rotary positions."""
    own = np.random.default_rng(12)
    out = {}
    q, k, v = (own.standard_normal((1300, 16)).astype(np.float32) for _ in range(3))
    # Score biases by distance, from -1299 to 1299.
    bias = (2 * own.standard_normal(2599)).astype(np.float32)
    out.update(q=q, k=k, v=v, bias=bias)
    for n in (1, 40, 129, 1300):
        rows = sorted(set(range(0, n, 61)) | {n - 1})
        out[f"rows.{n}"] = np.array(rows, dtype=np.float32)
        i, j = torch.arange(n)[:, None], torch.arange(n)[None, :]
        scores = f64(q[:n]) @ f64(k[:n]).T / 4
        distance = f64(bias)[(j - i) + 1299]
        for name, these in {
            "bias": scores + distance, "cap": 3 * torch.tanh(scores / 3), "both": 3 * torch.tanh(scores / 3) + distance,
            "causal": (scores + distance).masked_fill(j > i, float("-inf")),
        }.items():
            weights = torch.softmax(these, -1)
            out[f"out.{name}.{n}"] = (weights @ f64(v[:n]))[rows].float().numpy()
            if n <= 129:
                out[f"weights.{name}.{n}"] = weights[rows].float().numpy()
    for width in (1, 5, 16, 31, 33, 384, 1000):
        x = own.standard_normal((3, width)).astype(np.float32)
        weight = own.standard_normal(width).astype(np.float32)
        out[f"rms.x.{width}"], out[f"rms.weight.{width}"] = x, weight
        out[f"rms.{width}"] = torch.nn.functional.rms_norm(f64(x), (width,), f64(weight), 1e-6).float().numpy()
    for pairs in (1, 3, 8, 16, 33, 64):
        # Pairs (i, i + pairs) as in transformers' rotate_half, and adjacent pairs (2i, 2i + 1).
        x = own.standard_normal((2, 2 * pairs + 3)).astype(np.float32)
        angle = own.uniform(-3, 3, pairs)
        cos, sin = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
        out[f"rotary.x.{pairs}"], out[f"rotary.cos.{pairs}"], out[f"rotary.sin.{pairs}"] = x, cos, sin
        a, b = f64(x[:, :pairs]), f64(x[:, pairs:2 * pairs])
        halves = torch.cat([a * f64(cos) - b * f64(sin), b * f64(cos) + a * f64(sin), f64(x[:, 2 * pairs:])], 1)
        out[f"rotary.halves.{pairs}"] = halves.float().numpy()
        a, b = f64(x[:, 0:2 * pairs:2]), f64(x[:, 1:2 * pairs:2])
        turned = torch.stack([a * f64(cos) - b * f64(sin), b * f64(cos) + a * f64(sin)], 2).reshape(2, 2 * pairs)
        out[f"rotary.interleaved.{pairs}"] = torch.cat([turned, f64(x[:, 2 * pairs:])], 1).float().numpy()
    save_file({k: np.ascontiguousarray(x) for k, x in out.items()}, DATA / "kernels_beyond_bert.safetensors")


# The guard is needed because transformers imports a package with the name of this file.
if __name__ == "__main__":
    dense()
    activations()
    beyond_bert()
    attention()
    attention_spans()
    rows()
    recurrent()
    dense_low_precision()
    recurrent_low_precision()
