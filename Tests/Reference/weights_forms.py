"""A small classifier, saved in every supported form of weights. Writes data/forms with one directory per form.

expected.safetensors holds the token ids `ids` and, for each form, NAME.states [tokens, hidden] and NAME.logits
[1, labels]. transformers computes them in f32 with the weights that the respective library reads from the form. For
quantized forms these are the dequantized values; the quantized arithmetic of the library is not used.

    pip install compressed-tensors bitsandbytes accelerate
    python Tests/Reference/weights_forms.py
"""
import copy
import json
import pathlib
import shutil

import torch
import transformers as t
from safetensors.torch import load_file, save_file

torch.set_grad_enabled(False)
torch.manual_seed(11)
OUT = pathlib.Path(__file__).parent / "data/forms"
shutil.rmtree(OUT, ignore_errors=True)
IDS = torch.randint(0, 64, (1, 9))
expected = {"ids": IDS[0].int()}


def model():
    c = t.BertConfig(vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
                     max_position_embeddings=24, num_labels=3)
    made = t.BertForSequenceClassification(c).eval()
    for p in made.parameters(): p.copy_((torch.randn_like(p) * (0.2 if p.dim() > 1 else 0.1)).half().float())
    return made


BASE = model()


def expect(name, state):
    made = copy.deepcopy(BASE)
    made.load_state_dict(state)
    out = made(IDS, output_hidden_states=True)
    expected[name + ".states"], expected[name + ".logits"] = out.hidden_states[-1][0].contiguous(), out.logits.contiguous()


def folder(name, config=None):
    made = OUT / name
    made.mkdir(parents=True)
    c = json.loads(BASE.config.to_json_string(use_diff=False))
    keep = {k: c[k] for k in ("model_type", "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
                              "intermediate_size", "max_position_embeddings", "id2label")}
    keep |= {"architectures": ["BertForSequenceClassification"]} | (config or {})
    (made / "config.json").write_text(json.dumps(keep, indent=1) + "\n")
    return made


def sharded():
    made = folder("sharded")
    c = (made / "config.json").read_text()
    copy.deepcopy(BASE).half().save_pretrained(made, max_shard_size="12KB")
    (made / "config.json").write_text(c)
    assert len(list(made.glob("*.safetensors"))) > 2
    expect("sharded", BASE.state_dict())
    # transformers 5 no longer writes .bin files. These have the form of version 4.
    made = folder("sharded-bin")
    index = json.loads((OUT / "sharded/model.safetensors.index.json").read_text())
    names = sorted(set(index["weight_map"].values()))
    rename = {n: f"pytorch_model-{i + 1:05}-of-{len(names):05}.bin" for i, n in enumerate(names)}
    for old, new in rename.items(): torch.save(load_file(OUT / "sharded" / old), made / new)
    index["weight_map"] = {k: rename[v] for k, v in index["weight_map"].items()}
    (made / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    expect("sharded-bin", BASE.state_dict())


def wrapped():
    state = {k: v.half() for k, v in BASE.state_dict().items()}
    forms = {
        "state-dict": {"epoch": 3, "state_dict": state, "optimizer": {"state": {}, "param_groups": []}},
        "model": {"model": state, "args": {"lr": 0.1}},
        "module": {"module." + k: v for k, v in state.items()},
        "twice": {"checkpoint": {"model": {"module." + k: v for k, v in state.items()}}},
    }
    for name, what in forms.items():
        torch.save(what, folder(f"wrapped-{name}") / "pytorch_model.bin", _use_new_zipfile_serialization=name != "model")
        expect(f"wrapped-{name}", BASE.state_dict())


def compressed():
    from compressed_tensors.compressors import ModelCompressor
    from compressed_tensors.quantization import QuantizationConfig, apply_quantization_config
    for strategy, dtype in [("channel", torch.float32), ("channel-bf16", torch.bfloat16), ("tensor", torch.float32)]:
        made = copy.deepcopy(BASE).to(dtype)
        config = QuantizationConfig.model_validate({
            "config_groups": {"group_0": {"targets": ["Linear"], "weights": {
                "num_bits": 8, "type": "int", "symmetric": True, "strategy": strategy.split("-")[0]}}},
            "ignore": ["classifier"], "format": "int-quantized", "quant_method": "compressed-tensors",
            "quantization_status": "frozen"})
        apply_quantization_config(made, config)
        for part in made.modules():
            if not hasattr(part, "weight_scale"): continue
            w = part.weight.float()
            largest = w.abs().amax(1, keepdim=True) if strategy != "tensor" else w.abs().max()
            # The range is -128 ... 127, as in the observers of compressed-tensors.
            part.weight_scale.data = (largest / 127.5).to(dtype).reshape(part.weight_scale.shape)
            if hasattr(part, "weight_zero_point"): part.weight_zero_point.data.zero_()
        compressor = ModelCompressor.from_pretrained_model(made, quantization_format="int-quantized")
        compressor.compress_model(made)
        state = made.state_dict()
        kinds = {k: v.dtype for k, v in state.items()}
        assert sum(d == torch.int8 and k.endswith(".weight") for k, d in kinds.items()) == 13, kinds
        name = "compressed-" + strategy
        folder_ = folder(name, {"quantization_config": json.loads(json.dumps(
            compressor.quantization_config.model_dump(mode="json"))) | {"quantization_status": "compressed"}})
        save_file({k: v.contiguous() for k, v in state.items()}, folder_ / "model.safetensors", {"format": "pt"})
        # The weights that the library decompresses, in f32.
        for part in made.modules():
            if hasattr(part, "weight_scale"): part.weight_scale.data = part.weight_scale.data.float()
        compressor.decompress_model(made)
        back = {k: v.float() for k, v in made.state_dict().items() if k in BASE.state_dict()}
        expect(name, back)
        print(name, {k: tuple(v.shape) for k, v in state.items() if "layer.0.attention.self.query" in k})


def bits():
    import bitsandbytes as bnb
    made = copy.deepcopy(BASE)
    for name, part in list(made.named_modules()):
        if isinstance(part, torch.nn.Linear) and name != "classifier":
            new = bnb.nn.Linear8bitLt(part.in_features, part.out_features, has_fp16_weights=False)
            new.load_state_dict(part.state_dict())
            made.set_submodule(name, new.to("cpu"))
    made(IDS)
    state = made.state_dict()
    print("bitsandbytes", {k: (v.dtype, tuple(v.shape)) for k, v in state.items() if "layer.0.attention.self.query" in k})
    folder_ = folder("bitsandbytes", {"quantization_config": t.BitsAndBytesConfig(load_in_8bit=True).to_dict()})
    save_file({k: v.contiguous() for k, v in state.items()}, folder_ / "model.safetensors", {"format": "pt"})
    back = {}
    for k, v in state.items():
        if k.endswith(("SCB", "weight_format")): continue
        scb = state.get(k.removesuffix("weight") + "SCB")
        back[k] = v.float() if scb is None or not k.endswith("weight") else bnb.functional.int8_vectorwise_dequant(v, scb).float()
    expect("bitsandbytes", back)


sharded()
wrapped()
compressed()
bits()
save_file(expected, OUT / "expected.safetensors")
size = sum(f.stat().st_size for f in OUT.rglob("*") if f.is_file())
print(size // 1000, "kB")
