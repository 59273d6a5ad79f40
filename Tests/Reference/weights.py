"""Writes small weight files of every format, and their tensors as f32 in expected.safetensors.

Needs torch, numpy and safetensors.

    python Tests/Reference/weights.py
"""

import json
import pathlib

import numpy as np
import torch
from safetensors.torch import save_file

out = pathlib.Path(__file__).parent / "data" / "weights"
out.mkdir(parents=True, exist_ok=True)
torch.manual_seed(7)
a, b, c = torch.randn(5, 3), torch.randn(7), torch.randn(2, 3, 4)
base = {"a": a, "b": b, "layer.c": c}
expected = {}


def expect(file, tensors):
    for name, value in tensors.items():
        expected[f"{file}/{name}"] = torch.as_tensor(value).float().contiguous().clone()


for kind, dtype in [("f32", torch.float32), ("f16", torch.float16), ("bf16", torch.bfloat16), ("f64", torch.float64)]:
    tensors = {k: v.to(dtype) for k, v in base.items()}
    save_file(tensors, out / f"{kind}.safetensors")
    expect(f"{kind}.safetensors", tensors)

save_file({"a": a}, out / "shard-1.safetensors")
save_file({"b": b, "layer.c": c}, out / "shard-2.safetensors")
index = {"metadata": {}, "weight_map": {"a": "shard-1.safetensors", "b": "shard-2.safetensors", "layer.c": "shard-2.safetensors"}}
(out / "sharded.index.json").write_text(json.dumps(index))
expect("sharded.index.json", base)

arrays = {k: v.numpy() for k, v in base.items()}
np.savez(out / "stored.npz", **arrays)
expect("stored.npz", base)
np.savez_compressed(out / "deflated.npz", **arrays)
expect("deflated.npz", base)
fortran = {"a": np.asfortranarray(a.numpy()), "layer.c": np.asfortranarray(c.numpy()).astype(np.float16, order="F")}
np.savez(out / "fortran.npz", **fortran)
expect("fortran.npz", {k: torch.tensor(np.ascontiguousarray(v)) for k, v in fortran.items()})
np.savez(out / "object.npz", a=np.array([{}, 1], dtype=object))

views = dict(base, transposed=a.t(), offset=b[2:5], stepped=b[::2], parameter=torch.nn.Parameter(c[1]), half=a.half())
nested = {"epoch": 3, "model_state": views, "optimizer_state": torch.optim.Adam([torch.nn.Parameter(a)]).state_dict(), "lr": 0.5}
module = torch.nn.LSTM(3, 4)
for name, zipped in [("zip", True), ("legacy", False)]:
    torch.save(nested, out / f"nested-{name}.pt", _use_new_zipfile_serialization=zipped)
    expect(f"nested-{name}.pt", {f"model_state.{k}": v.detach() for k, v in views.items()})
    torch.save(module.state_dict(), out / f"lstm-{name}.pt", _use_new_zipfile_serialization=zipped)
    expect(f"lstm-{name}.pt", {k: v.detach() for k, v in module.state_dict().items()})

save_file(expected, out / "expected.safetensors")
