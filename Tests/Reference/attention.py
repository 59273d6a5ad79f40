"""Expected values for attention post-processing and for the npy and safetensors writers.

Computes them with numpy and safetensors, and writes Tests/Reference/data/attention.json.
"""
import base64
import io
import json
import pathlib

import numpy as np
import safetensors.numpy

rng = np.random.default_rng(7)
L, H, N = 2, 3, 6
logits = rng.normal(size=(L, H, N, N)) * 2
a = np.exp(logits)
a = (a / a.sum(-1, keepdims=True)).astype(np.float32)
a[0, 0, 2] = np.float32([0.25, 0.125, 0.25, 0.125, 0.125, 0.125])  # ties
a[1, 2] = np.eye(N, dtype=np.float32)[::-1]  # one-hot rows, zeros
special = [True, False, False, False, True, True]
keep = [i for i in range(N) if not special[i]]


def flat(x):
    return [float(v) for v in np.asarray(x, dtype=np.float32).ravel()]


def summary(x, queries, keys):
    x = x.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        h = np.where(x > 0, -x * np.log(x), 0).sum(-1).mean(-1)
    d = (x * np.abs(np.array(queries)[:, None] - np.array(keys)[None])).sum(-1).mean(-1)
    return {"entropy": flat(h), "distance": flat(d)}


def hide(x, queries, normalize):
    rows = [r for r, q in enumerate(queries) if not special[q]]
    y = x[..., rows, :][..., keep].astype(np.float64)
    if normalize:
        s = y.sum(-1, keepdims=True)
        y = np.divide(y, s, out=np.zeros_like(y), where=s > 0)
    return {"shape": list(y.shape), "weights": flat(y), "queries": [queries[r] for r in rows]}


def sparse(x, top_k=None, mass=None):
    out = {"offsets": [0], "index": [], "value": [], "residual": []}
    for row in x.reshape(-1, x.shape[-1]).astype(np.float64):
        order = np.argsort(-row, kind="stable")
        if top_k is not None:
            n = min(top_k, len(row))
        else:
            before = np.concatenate([[0], np.cumsum(row[order])[:-1]])
            n = int((before < mass * row.sum()).sum())
        out["index"] += order[:n].tolist()
        out["value"] += flat(row[order[:n]])
        out["residual"].append(float(np.float32(row[order[n:]].sum())))
        out["offsets"].append(len(out["index"]))
    return out


queries = [5, 1, 3]
# Maps of a recurrent layer, [1, directions, steps, 1 + steps]: forward, then reverse. Column 0 is the initial state.
w = rng.random((1, 2, 4, 5)).astype(np.float32)
w[0, 0] *= np.tril(np.ones((4, 5), np.float32), 1)
w[0, 1, :, 1:] *= np.triu(np.ones((4, 4), np.float32))
w = (w / w.sum(-1, keepdims=True)).astype(np.float32)
forward = summary(w[:, :1], range(4), [-1, 0, 1, 2, 3])
reverse = summary(w[:, 1:], range(4), [4, 0, 1, 2, 3])


def npy(x):
    buffer = io.BytesIO()
    np.save(buffer, x)
    return base64.b64encode(buffer.getvalue()).decode()


# Long rows with many equal weights, [1, 1, 3, 60].
wide = rng.integers(0, 12, size=(1, 1, 3, 60)).astype(np.float32) / 64

values = rng.normal(size=(2, 3)).astype(np.float32)
odd = rng.normal(size=(3,)).astype(np.float32)
metadata = {"tokens": json.dumps([{"text": "a\"b\u202e"}])}
data = {
    "maps": {"shape": [L, H, N, N], "weights": flat(a), "special": special},
    "mean": flat(a.astype(np.float64).mean(1)),
    "max": flat(a.max(1)),
    "summary": summary(a, range(N), range(N)),
    "queries": queries,
    "summary_queries": summary(a[..., queries, :], queries, range(N)),
    "hide": hide(a, list(range(N)), False),
    "renormalize": hide(a, list(range(N)), True),
    "renormalize_queries": hide(a[..., queries, :], queries, True),
    "top_1": sparse(a, top_k=1), "top_2": sparse(a, top_k=2), "top_4": sparse(a, top_k=4),
    "top_99": sparse(a, top_k=99),
    "mass_50": sparse(a, mass=0.5), "mass_95": sparse(a, mass=0.95), "mass_100": sparse(a, mass=1.0),
    "wide": {"shape": list(wide.shape), "weights": flat(wide)},
    "wide_5": sparse(wide, top_k=5), "wide_mass": sparse(wide, mass=0.5),
    "write": {
        "shape": [1, 2, 4, 5], "weights": flat(w),
        "entropy": forward["entropy"] + reverse["entropy"],
        "distance": forward["distance"] + reverse["distance"],
    },
    "values": flat(values), "odd": flat(odd),
    "npy_f32": npy(values), "npy_f16": npy(values.astype(np.float16)), "npy_vector": npy(odd),
    "npy_4d": npy(values.reshape(1, 2, 3, 1)),
    "safetensors_f32": base64.b64encode(safetensors.numpy.save({"attention": values})).decode(),
    "safetensors_f16": base64.b64encode(safetensors.numpy.save({"attention": values.astype(np.float16)})).decode(),
    "safetensors_metadata": base64.b64encode(safetensors.numpy.save({"attention": values}, metadata)).decode(),
    "safetensors_mixed": base64.b64encode(
        safetensors.numpy.save({"index": np.arange(3, dtype=np.int64), "states.0": values,
                                "zodd": odd.astype(np.float16)})).decode(),
    "metadata_tokens": metadata["tokens"],
}
path = pathlib.Path(__file__).parent / "data" / "attention.json"
path.write_text(json.dumps(data, indent=None, separators=(",", ":")) + "\n")
print(path, path.stat().st_size)
