"""Rotary frequencies for every spelling of config.json, from the classes of transformers. Writes data/rope.json.

    python Tests/Reference/rope.py
"""
import json, pathlib
import torch
from transformers import Gemma3TextConfig, LlamaConfig, ModernBertConfig, Qwen2Config
from transformers.models.gemma3.modeling_gemma3 import Gemma3RotaryEmbedding
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding
from transformers.models.modernbert.modeling_modernbert import ModernBertRotaryEmbedding

cases = []


def case(config_class, keys, length=1, layer=None):
    """Adds the frequencies and the attention factor that the class of transformers uses for `length` positions."""
    config = config_class(**json.loads(json.dumps(keys)))
    classes = {LlamaConfig: LlamaRotaryEmbedding, Qwen2Config: LlamaRotaryEmbedding, ModernBertConfig: ModernBertRotaryEmbedding,
               Gemma3TextConfig: Gemma3RotaryEmbedding}
    rope = classes[config_class](config)
    given = () if layer is None else (layer,)
    rope(torch.zeros(1, 1), torch.arange(length)[None], *given)
    prefix = "" if layer is None else layer + "_"
    cases.append(dict(
        family=config.model_type, config=keys, length=length, layer=layer,
        head_dim=getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads,
        maximum=config.max_position_embeddings, frequencies=getattr(rope, prefix + "inv_freq").tolist(),
        attention_factor=float(getattr(rope, prefix + "attention_scaling"))))


SIZES = dict(hidden_size=128, num_attention_heads=2, max_position_embeddings=4096)
LLAMA3 = dict(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=1024)
YARN = dict(factor=4.0, original_max_position_embeddings=1024)
N = 32
LONG = dict(short_factor=[1 + 0.05 * i for i in range(N)], long_factor=[1.5 + i for i in range(N)], original_max_position_embeddings=1024)

for theta in (1000.0, 10000.0, 500000.0, 1000000.0): case(LlamaConfig, dict(SIZES, rope_theta=theta))
case(LlamaConfig, SIZES)
case(LlamaConfig, dict(SIZES, rope_parameters=dict(rope_type="default", rope_theta=1234.5)))
case(LlamaConfig, dict(SIZES, rope_theta=5000.0, rope_scaling=None))
case(LlamaConfig, dict(SIZES, rope_theta=5000.0, rope_scaling=dict(type="linear", factor=2.5)))
case(LlamaConfig, dict(SIZES, rope_parameters=dict(rope_type="linear", rope_theta=5000.0, factor=2.5)))
for length in (1, 4096, 4097, 6000): case(LlamaConfig, dict(SIZES, rope_scaling=dict(rope_type="dynamic", factor=3.0)), length)
case(LlamaConfig, dict(SIZES, rope_theta=500000.0, rope_scaling=dict(rope_type="llama3", **LLAMA3)))
case(LlamaConfig, dict(SIZES, rope_parameters=dict(rope_type="llama3", rope_theta=10000.0, **LLAMA3)))
case(Qwen2Config, dict(SIZES, rope_theta=1000000.0, rope_scaling=dict(type="yarn", **YARN)))
case(Qwen2Config, dict(SIZES, rope_parameters=dict(rope_type="yarn", rope_theta=10000.0, factor=4.0)))
case(Qwen2Config, dict(SIZES, rope_parameters=dict(rope_type="yarn", beta_fast=16.0, beta_slow=2.0, truncate=False, **YARN)))
case(Qwen2Config, dict(SIZES, rope_parameters=dict(rope_type="yarn", mscale=0.7, mscale_all_dim=1.1, **YARN)))
case(Qwen2Config, dict(SIZES, rope_parameters=dict(rope_type="yarn", attention_factor=0.8, **YARN)))
case(Qwen2Config, dict(SIZES, original_max_position_embeddings=512, rope_parameters=dict(rope_type="yarn", factor=8.0)))
for length in (1024, 1025):
    case(LlamaConfig, dict(SIZES, rope_scaling=dict(rope_type="longrope", **LONG)), length)
    case(LlamaConfig, dict(SIZES, rope_scaling=dict(rope_type="longrope", factor=2.0, **LONG)), length)
case(LlamaConfig, dict(SIZES, rope_scaling=dict(rope_type="longrope", attention_factor=1.25, **LONG)))
case(LlamaConfig, dict(SIZES, rope_parameters=dict(rope_type="proportional", rope_theta=1e6, partial_rotary_factor=0.25)))
case(LlamaConfig, dict(SIZES, rope_parameters=dict(rope_type="proportional", rope_theta=1e6, partial_rotary_factor=0.3, factor=2.0)))

for layer in ("full_attention", "sliding_attention"):
    types = dict(layer_types=["full_attention", "sliding_attention"], num_hidden_layers=2)
    for config_class, near, far in ((ModernBertConfig, "local_rope_theta", "global_rope_theta"),
                                    (Gemma3TextConfig, "rope_local_base_freq", "rope_theta")):
        more = dict(SIZES, **types, **(dict(head_dim=48) if config_class is Gemma3TextConfig else {}))
        case(config_class, more, layer=layer)
        case(config_class, dict(more, **{near: 300.0, far: 7000.0}), layer=layer)
        case(config_class, dict(more, **{far: 7000.0}, rope_scaling=dict(rope_type="linear", factor=8.0)), layer=layer)
        case(config_class, dict(more, rope_parameters=dict(
            full_attention=dict(rope_type="yarn", rope_theta=90000.0, factor=2.0),
            sliding_attention=dict(rope_type="default", rope_theta=900.0))), layer=layer)
        case(config_class, dict(more, **{near: 300.0}, rope_parameters=dict(
            full_attention=dict(rope_type="dynamic", factor=2.0))), 5000, layer=layer)

path = pathlib.Path(__file__).resolve().parent / "data" / "rope.json"
path.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
print(len(cases), "cases", path.stat().st_size, "bytes")
