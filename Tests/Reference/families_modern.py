"""NomicBERT, ModernBERT, T5 encoders, Llama and related families, and Gemma 3.

Covers each variant of their configurations that changes the arithmetic. Writes data/families.

    python Tests/Reference/families_modern.py [FAMILY ...]
"""
import json, sys, types
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F
from transformers.modeling_outputs import BaseModelOutput
from transformers import (
    Gemma3ForCausalLM, Gemma3TextConfig, Gemma3TextForSequenceClassification, Gemma3TextModel, LlamaConfig,
    LlamaForQuestionAnswering, LlamaForSequenceClassification, LlamaForTokenClassification, LlamaModel, MT5Config, MT5EncoderModel,
    MistralConfig, MistralForSequenceClassification, MistralForTokenClassification, MistralModel, ModernBertConfig,
    ModernBertForQuestionAnswering, ModernBertForSequenceClassification, ModernBertForTokenClassification, ModernBertModel,
    NomicBertConfig, NomicBertForSequenceClassification, NomicBertForTokenClassification, NomicBertModel, Qwen2Config,
    Qwen2ForSequenceClassification, Qwen2ForTokenClassification, Qwen2Model, Qwen3Config, Qwen3ForCausalLM,
    Qwen3ForSequenceClassification, Qwen3ForTokenClassification, Qwen3Model, T5Config, T5EncoderModel, T5ForConditionalGeneration,
    T5ForTokenClassification, UMT5Config, UMT5EncoderModel)
import families
from families import ABSENT, ACTIVATIONS, SIZES, TINY, Options, fresh, write

LONGEST = TINY["max_position_embeddings"]


# NomicBERT ------------------------------------------------------------------------------------------------------------

class Nomic(nn.Module):
    """NomicBERT with the configuration keys and tensor names of its publisher.

    Source: https://huggingface.co/nomic-ai/nomic-bert-2048 (modeling_hf_nomic_bert.py).
    """

    class Layer(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.attn, self.mlp = nn.Module(), nn.Module()
            self.attn.Wqkv = nn.Linear(c.n_embd, 3 * c.n_embd, c.qkv_proj_bias)
            self.attn.out_proj = nn.Linear(c.n_embd, c.n_embd, c.qkv_proj_bias)
            gated = c.activation_function in ("glu", "swiglu", "geglu")
            inner = -(-c.n_inner // 256) * 256 if gated else c.n_inner
            for name in ("fc11", "fc12") if gated else ("fc1",):
                setattr(self.mlp, name, nn.Linear(c.n_embd, inner, c.mlp_fc1_bias))
            self.mlp.fc2 = nn.Linear(inner, c.n_embd, c.mlp_fc2_bias)
            self.norm1, self.norm2 = (nn.LayerNorm(c.n_embd, c.layer_norm_epsilon) for _ in range(2))

    def __init__(self, **keys):
        super().__init__()
        self.keys = dict(
            model_type="nomic_bert", architectures=["NomicBertModel"], vocab_size=64, n_embd=32, n_head=4, n_inner=256,
            n_layer=2, n_positions=LONGEST, max_trained_positions=LONGEST, activation_function="swiglu", causal=False,
            layer_norm_epsilon=1e-12, mlp_fc1_bias=False, mlp_fc2_bias=False, qkv_proj_bias=False, pad_vocab_size_multiple=16,
            parallel_block=False, prenorm=False, rotary_emb_base=1000, rotary_emb_fraction=1.0, rotary_emb_interleaved=False,
            rotary_emb_scale_base=None, rotary_scaling_factor=None, type_vocab_size=2, use_rms_norm=False)
        self.keys.update(keys)
        c = self.config = types.SimpleNamespace(**self.keys, max_position_embeddings=self.keys["n_positions"])
        rows = -(-c.vocab_size // c.pad_vocab_size_multiple) * c.pad_vocab_size_multiple
        self.embeddings, self.encoder = nn.Module(), nn.Module()
        self.embeddings.word_embeddings = nn.Embedding(rows, c.n_embd)
        if c.type_vocab_size > 0: self.embeddings.token_type_embeddings = nn.Embedding(c.type_vocab_size, c.n_embd)
        if c.rotary_emb_fraction <= 0: self.embeddings.position_embeddings = nn.Embedding(c.n_positions, c.n_embd)
        self.emb_ln = nn.LayerNorm(c.n_embd, c.layer_norm_epsilon)
        self.encoder.layers = nn.ModuleList([Nomic.Layer(c) for _ in range(c.n_layer)])

    def rotated(self, x):
        """Returns x [length, heads, headDim] with each pair of its first values rotated by position · frequency."""
        c, length = self.config, len(x)
        width = int(x.shape[-1] * c.rotary_emb_fraction)
        if width == 0: return x
        base = float(c.rotary_emb_base)
        if c.rotary_scaling_factor and length > c.max_trained_positions:
            s = c.rotary_scaling_factor
            base *= (s * length / c.max_trained_positions - (s - 1)) ** (width / (width - 2))
        angles = torch.outer(torch.arange(length).float(), 1 / base ** (torch.arange(0, width, 2).float() / width))
        cos, sin = angles.cos().to(x.dtype)[:, None], angles.sin().to(x.dtype)[:, None]
        rotary, rest = x[..., :width], x[..., width:]
        if c.rotary_emb_interleaved:
            a, b = rotary[..., 0::2], rotary[..., 1::2]
            rotary = torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)
        else:
            a, b = rotary.chunk(2, -1)
            rotary = torch.cat((a * cos - b * sin, a * sin + b * cos), -1)
        return torch.cat((rotary, rest), -1)

    def forward(self, input_ids, token_type_ids=None, **_):
        c, ids = self.config, input_ids[0]
        x = self.embeddings.word_embeddings(ids)
        if c.type_vocab_size > 0:
            x = x + self.embeddings.token_type_embeddings(torch.zeros_like(ids) if token_type_ids is None else token_type_ids[0])
        if c.rotary_emb_fraction <= 0: x = x + self.embeddings.position_embeddings(torch.arange(len(ids)))
        x = self.emb_ln(x)
        states, maps = [x[None]], []
        for layer in self.encoder.layers:
            q, k, v = layer.attn.Wqkv(x).view(len(x), 3, c.n_head, -1).unbind(1)
            q, k = self.rotated(q), self.rotated(k)
            weights = (torch.einsum("qhd,khd->hqk", q, k) / q.shape[-1] ** 0.5).softmax(-1)
            x = layer.norm1(layer.attn.out_proj(torch.einsum("hqk,khd->qhd", weights, v).flatten(1)) + x)
            mlp = layer.mlp
            if hasattr(mlp, "fc11"):
                gate = {"glu": torch.sigmoid, "swiglu": F.silu, "geglu": F.gelu}[c.activation_function]
                y = torch.sigmoid(mlp.fc12(x)) * mlp.fc11(x) if c.activation_function == "glu" else mlp.fc11(x) * gate(mlp.fc12(x))
            else:
                y = F.gelu(mlp.fc1(x))
            x = layer.norm2(mlp.fc2(y) + x)
            states.append(x[None]); maps.append(weights[None])
        return BaseModelOutput(last_hidden_state=x[None], hidden_states=tuple(states), attentions=tuple(maps))

    def save_pretrained(self, folder, **_):
        (folder / "config.json").write_text(json.dumps(self.keys, indent=2) + "\n")
        save_file(self.state_dict(), folder / "model.safetensors", {"format": "pt"})


class OwnNames(nn.Module):
    """A model saved with the tensor names of transformers, which differ from the published names."""
    def __init__(self, model):
        super().__init__()
        self.model, self.config = model, model.config

    def forward(self, **given): return self.model(**given)

    def save_pretrained(self, folder, **given): self.model.save_pretrained(folder, save_original_format=False, **given)


def nomic():
    write("nomic", NomicBertModel(NomicBertConfig(**TINY)))
    write("nomic-gelu", OwnNames(NomicBertModel(NomicBertConfig(
        **TINY, hidden_act="gelu", head_dim=12, type_vocab_size=3, layer_norm_eps=1e-3,
        rope_parameters=dict(rope_type="linear", factor=4.0, rope_theta=500.0)))))
    write("nomic-classes", NomicBertForSequenceClassification(NomicBertConfig(**TINY, num_labels=3)))
    write("nomic-tokens", NomicBertForTokenClassification(NomicBertConfig(**TINY, num_labels=5)))
    write("nomic-own", Nomic())
    write("nomic-own-geglu", Nomic(activation_function="geglu", vocab_size=60, n_inner=200, qkv_proj_bias=True, mlp_fc1_bias=True,
                                   mlp_fc2_bias=True, layer_norm_epsilon=1e-5, rotary_emb_interleaved=True))
    write("nomic-own-glu", Nomic(n_layer=1, activation_function="glu", rotary_emb_fraction=0.5, mlp_fc2_bias=True, type_vocab_size=0))
    write("nomic-own-gelu", Nomic(activation_function="gelu", n_inner=48, mlp_fc1_bias=True, rotary_emb_fraction=0.0))
    write("nomic-own-gelu-new", Nomic(activation_function="gelu_new", n_inner=48, rotary_emb_fraction=0.5, rotary_emb_interleaved=True))
    write("nomic-own-scaled", Nomic(n_layer=1, rotary_scaling_factor=2, max_trained_positions=66))


# ModernBERT -----------------------------------------------------------------------------------------------------------

def modernbert():
    sizes = dict(TINY, pad_token_id=0, bos_token_id=None, eos_token_id=None, cls_token_id=None, sep_token_id=None)
    four = dict(sizes, num_hidden_layers=4)
    types = ["full_attention", "sliding_attention"]
    write("modernbert", ModernBertModel(ModernBertConfig(**four, local_attention=16)))
    write("modernbert-biases", ModernBertModel(ModernBertConfig(
        **sizes, layer_types=types[::-1], local_attention=15, norm_bias=True, attention_bias=True, mlp_bias=True,
        hidden_activation="silu", norm_eps=1e-3)))
    write("modernbert-scaled", ModernBertModel(ModernBertConfig(
        **sizes, layer_types=types, local_attention=40, hidden_activation="gelu_pytorch_tanh", rope_parameters=dict(
            full_attention=dict(rope_type="yarn", factor=2.0, rope_theta=1000.0, original_max_position_embeddings=66),
            sliding_attention=dict(rope_type="linear", factor=3.0, rope_theta=100.0)))))

    def older(c):
        for key in ("layer_types", "rope_parameters"): c.pop(key)
        return c | dict(global_attn_every_n_layers=2, global_rope_theta=16000.0, local_rope_theta=50.0, position_embedding_type="absolute")

    write("modernbert-older", ModernBertForSequenceClassification(ModernBertConfig(
        **dict(sizes, num_hidden_layers=3), global_attn_every_n_layers=2, local_attention=6, num_labels=3, hidden_activation="relu",
        rope_parameters=dict(full_attention=dict(rope_theta=16000.0), sliding_attention=dict(rope_theta=50.0)))), edit=older)
    # `sliding_window`, if present, is half of the window and takes precedence over `local_attention`.
    write("modernbert-mean", ModernBertForSequenceClassification(ModernBertConfig(
        **sizes, num_labels=1, classifier_pooling="mean", classifier_bias=True, norm_bias=True, classifier_activation="silu",
        local_attention=6)), edit=lambda c: c | dict(local_attention=128, sliding_window=3))
    write("modernbert-tokens", ModernBertForTokenClassification(ModernBertConfig(**sizes, num_labels=5)))


# T5 -------------------------------------------------------------------------------------------------------------------

class EncoderOf(nn.Module):
    """The encoder of an encoder-decoder model, saved together with the decoder."""
    def __init__(self, model):
        super().__init__()
        self.model, self.config = model, model.config

    def forward(self, input_ids, **given): return self.model.get_encoder()(input_ids, **given)

    def save_pretrained(self, folder, **given): self.model.save_pretrained(folder, **given)


def t5():
    # T5 does not divide scores by √d_kv. Weights of unit gain would make them larger than in any trained model.
    def write(*given, **more): families.write(*given, scale=0.6, **more)

    sizes = dict(vocab_size=64, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4)
    write("t5", T5EncoderModel(T5Config(**sizes)), maximum=200)
    write("t5-gated", T5EncoderModel(T5Config(**dict(sizes, num_heads=3, d_kv=16), feed_forward_proj="gated-gelu",
        relative_attention_num_buckets=12, relative_attention_max_distance=50, layer_norm_epsilon=1e-3)), maximum=132)
    write("t5-silu", T5ForTokenClassification(T5Config(**sizes, feed_forward_proj="gated-silu", num_labels=3)), maximum=132)
    write("t5-gelu", EncoderOf(T5ForConditionalGeneration(T5Config(**sizes, feed_forward_proj="gelu"))), maximum=132)
    write("t5-mt5", MT5EncoderModel(MT5Config(**sizes)), maximum=132, edit=lambda c: without(c, "feed_forward_proj"))
    write("t5-umt5", UMT5EncoderModel(UMT5Config(**sizes)), maximum=300)
    small = dict(sizes, d_model=16, d_kv=4, d_ff=24, num_layers=1)
    for name in ("gelu_fast", "gelu_accurate", "quick_gelu", "relu2", "relu6", "leaky_relu", "mish", "tanh", "sigmoid", "linear",
                 "gelu_10", "hardswish", "laplace", "sqrtsoftplus"):
        for gated in ("", "gated-"):
            if gated and name not in ("quick_gelu", "relu2", "mish", "gelu_10", "laplace"): continue
            write(f"t5-{gated}{name.replace('_', '-')}", T5EncoderModel(T5Config(**small, feed_forward_proj=gated + name)),
                  maximum=24, lengths=(1, 2, 17))


# Llama and related families -------------------------------------------------------------------------------------------

GROUPED = dict(TINY, num_key_value_heads=2)


def flat(keys, **older):
    """Returns an edit to the spelling of older files.

    It replaces `rope_parameters` by `rope_theta` and `rope_scaling`, and removes the layer types.
    """
    def edit(c):
        for key in ("rope_parameters", *keys): c.pop(key, None)
        return c | older
    return edit


def llama():
    write("llama", LlamaModel(LlamaConfig(**TINY)))
    write("llama-3", LlamaForTokenClassification(LlamaConfig(
        **GROUPED, attention_bias=True, mlp_bias=True, num_labels=3, head_dim=12, hidden_act="gelu", rms_norm_eps=1e-3,
        rope_parameters=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, rope_theta=5000.0,
                             original_max_position_embeddings=64))),
        edit=flat([], rope_theta=5000.0, rope_scaling=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0,
                                                           high_freq_factor=4.0, original_max_position_embeddings=64)))
    n = TINY["hidden_size"] // TINY["num_attention_heads"] // 2
    long = dict(rope_type="longrope", rope_theta=10000.0, original_max_position_embeddings=66,
                short_factor=[1.0 + 0.1 * i for i in range(n)], long_factor=[2.0 + i for i in range(n)])
    write("llama-longrope", LlamaModel(LlamaConfig(**GROUPED, rope_parameters=long)))
    write("llama-mistral", MistralModel(MistralConfig(**GROUPED, sliding_window=20)))
    write("llama-mistral-whole", MistralModel(MistralConfig(**GROUPED, sliding_window=None, head_dim=16, is_causal=False)))


def qwen2():
    write("qwen2", Qwen2Model(Qwen2Config(**GROUPED)))
    write("qwen2-window", Qwen2Model(Qwen2Config(
        **GROUPED, use_sliding_window=True, sliding_window=10, max_window_layers=1,
        rope_parameters=dict(rope_type="yarn", factor=2.0, original_max_position_embeddings=66, rope_theta=1e6))),
        edit=flat(["layer_types"], rope_theta=1e6, rope_scaling=dict(type="yarn", factor=2.0, original_max_position_embeddings=66)))
    write("qwen2-both-ways", Qwen2ForTokenClassification(Qwen2Config(
        **GROUPED, is_causal=False, use_sliding_window=True, sliding_window=10, num_labels=3,
        layer_types=["sliding_attention", "full_attention"])))
    write("qwen2-dynamic", Qwen2Model(Qwen2Config(
        **dict(GROUPED, max_position_embeddings=66), rope_parameters=dict(rope_type="dynamic", factor=2.0, rope_theta=10000.0))), maximum=132)


def qwen3():
    write("qwen3", Qwen3ForCausalLM(Qwen3Config(**GROUPED, head_dim=16)), logits=False)
    write("qwen3-biases", Qwen3Model(Qwen3Config(
        **dict(TINY, num_hidden_layers=3), num_key_value_heads=1, head_dim=8, attention_bias=True, hidden_act="relu",
        use_sliding_window=True, sliding_window=7, layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        rope_parameters=dict(rope_type="linear", factor=2.0, rope_theta=1000.0))))
    write("qwen3-classes", Qwen3ForSequenceClassification(Qwen3Config(**GROUPED, head_dim=16, num_labels=3, pad_token_id=0)),
          vocabulary=3)
    write("qwen3-yarn", Qwen3Model(Qwen3Config(
        **dict(GROUPED, max_position_embeddings=66), head_dim=16, rope_parameters=dict(
            rope_type="yarn", factor=2.0, rope_theta=10000.0, beta_fast=8.0, beta_slow=0.5, mscale=0.7, mscale_all_dim=0.9,
            truncate=False))), maximum=132)
    write("qwen3-proportional", Qwen3Model(Qwen3Config(
        **GROUPED, head_dim=16, rope_parameters=dict(rope_type="proportional", rope_theta=10000.0, partial_rotary_factor=0.5))))


# Gemma 3 --------------------------------------------------------------------------------------------------------------

def gemma3():
    sizes = dict(GROUPED, head_dim=16)
    write("gemma3", Gemma3TextModel(Gemma3TextConfig(
        **dict(sizes, num_hidden_layers=3), use_bidirectional_attention=True, sliding_window=16, query_pre_attn_scalar=24,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"])))

    def older(c):
        for key in ("rope_parameters", "layer_types", "_sliding_window_pattern"): c.pop(key)
        return c | dict(sliding_window_pattern=2, rope_theta=5000.0, rope_local_base_freq=70.0, sliding_window=9,
                        rope_scaling=dict(rope_type="linear", factor=8.0))

    write("gemma3-older", Gemma3TextModel(Gemma3TextConfig(
        **sizes, use_bidirectional_attention=True, sliding_window=9, layer_types=["sliding_attention", "full_attention"],
        rope_parameters=dict(full_attention=dict(rope_type="linear", factor=8.0, rope_theta=5000.0),
                             sliding_attention=dict(rope_type="default", rope_theta=70.0)))), edit=older)
    write("gemma3-causal", Gemma3ForCausalLM(Gemma3TextConfig(
        **sizes, sliding_window=10, sliding_window_pattern=2, attention_bias=True, rms_norm_eps=1e-3, hidden_activation="gelu",
        attn_logit_softcapping=5.0, final_logit_softcapping=7.0)), logits=False)
    # Without `pad_token_id` in config.json token 0 is padding, and these sequences end with it.
    write("gemma3-classes", Gemma3TextForSequenceClassification(Gemma3TextConfig(**sizes, num_labels=3, sliding_window=100)),
          vocabulary=2, edit=lambda c: without(c, "pad_token_id"))


# Options of random configurations --------------------------------------------------------------------------------------

HEADS = ("hidden_size", "num_attention_heads")
#: Head dimensions that are even, as rotary embeddings require.
EVEN = SIZES | {HEADS: [(32, 4), (36, 3), (20, 5), (24, 1), (80, 2), (128, 2), (96, 6)]}
WIDTHS = [ABSENT, ABSENT, 4, 12, 16, 26]
TYPES = ["full_attention", "sliding_attention"]
#: Numbers of layers, with the attention type of each layer.
LAYERS = {("num_hidden_layers", "layer_types"): [
    (1, TYPES[:1]), (1, TYPES[1:]), (2, TYPES), (3, TYPES[::-1] + TYPES[1:]), (3, ABSENT), (4, ABSENT)]}


def rotary_parameters():
    """Returns rotary parameters that fit any head dimension."""
    return [ABSENT, dict(rope_type="default", rope_theta=100.0), dict(rope_type="linear", factor=3.0, rope_theta=1e4),
            dict(rope_type="dynamic", factor=2.0, rope_theta=5e3),
            dict(rope_type="yarn", factor=2.5, rope_theta=1e4, original_max_position_embeddings=20),
            dict(rope_type="yarn", factor=4.0, rope_theta=1e6, original_max_position_embeddings=40, attention_factor=0.8, beta_fast=16.0),
            dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, rope_theta=5e3,
                 original_max_position_embeddings=16)]


def rotary_parameters_by_type():
    """Returns rotary parameters of ModernBERT and Gemma 3, one set for each attention type."""
    return [ABSENT] + [dict(full_attention=a, sliding_attention=b) for a, b in (
        (dict(rope_type="default", rope_theta=500.0), dict(rope_type="default", rope_theta=20.0)),
        (dict(rope_type="linear", factor=8.0, rope_theta=1e5), dict(rope_type="default", rope_theta=1e3)),
        (dict(rope_type="yarn", factor=2.0, rope_theta=1e3, original_max_position_embeddings=20),
         dict(rope_type="linear", factor=3.0, rope_theta=100.0)))]


#: Sizes of decoder families with grouped-query attention.
GROUPS = {("hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim"): [
    (32, 4, 4, ABSENT), (32, 4, 2, ABSENT), (24, 6, 3, 8), (36, 3, 1, 10), (80, 2, 2, 16), (128, 8, 1, ABSENT), (96, 6, 2, 12)]}
LIKE_LLAMA = SIZES | GROUPS | dict(
    hidden_act=ACTIVATIONS, rms_norm_eps=[1e-6, 1e-5, 1e-2], attention_bias=[False, True], pad_token_id=[0],
    rope_parameters=rotary_parameters(), is_causal=[ABSENT, ABSENT, False])
del LIKE_LLAMA[HEADS]
SLIDING = LAYERS | dict(use_sliding_window=[True], sliding_window=[1, 5, 16, 300], max_window_layers=[0, 1, 2])


def without(options, *names): return {k: v for k, v in options.items() if k not in names}


OPTIONS = {
    "nomic-bert": Options(NomicBertConfig, [NomicBertModel, NomicBertForSequenceClassification, NomicBertForTokenClassification], EVEN | dict(
        hidden_act=ACTIVATIONS, head_dim=WIDTHS, type_vocab_size=[1, 2, 3], layer_norm_eps=[1e-12, 1e-5, 1e-2], rope_parameters=rotary_parameters())),
    "nomic-own": Options(lambda **keys: keys, [lambda keys: Nomic(**keys)], {
        "vocab_size": [29, 64, 101], ("n_embd", "n_head"): EVEN[HEADS], "n_layer": [1, 2, 3], "n_inner": [48, 200, 256, 300],
        "n_positions": [24, 64, 150], "max_trained_positions": [40, 150],
        "activation_function": ["swiglu", "geglu", "glu", "gelu", "gelu_new"],
        "rotary_emb_fraction": [0.0, 1.0, 1.0, 1.0], "rotary_emb_interleaved": [False, True], "rotary_emb_base": [1000, 20.0],
        "rotary_scaling_factor": [None, 2, 4.0], "qkv_proj_bias": [False, True], "mlp_fc1_bias": [False, True], "mlp_fc2_bias": [False, True],
        "type_vocab_size": [0, 2], "layer_norm_epsilon": [1e-12, 1e-3], "pad_vocab_size_multiple": [1, 16, 64]}),
    "modernbert": Options(
        ModernBertConfig, [ModernBertModel, ModernBertForSequenceClassification, ModernBertForTokenClassification,
                           ModernBertForQuestionAnswering],
        without(EVEN, "num_hidden_layers") | LAYERS | dict(
            hidden_activation=ACTIVATIONS, local_attention=[1, 2, 7, 16, 128, 500], norm_bias=[False, True], attention_bias=[False, True],
            mlp_bias=[False, True], norm_eps=[1e-5, 1e-2], classifier_pooling=["cls", "mean"], classifier_bias=[False, True],
            classifier_activation=ACTIVATIONS, rope_parameters=rotary_parameters_by_type(), pad_token_id=[0], bos_token_id=[1], eos_token_id=[2],
            cls_token_id=[1], sep_token_id=[2], global_attn_every_n_layers=[ABSENT, 2, 3])),
    "t5": Options(
        T5Config, [T5EncoderModel, T5ForTokenClassification], LIKE_T5 := dict(
            vocab_size=[29, 64, 101], d_model=[20, 32, 80], d_kv=[4, 8, 20], d_ff=[17, 48, 130], num_layers=[1, 2, 3], num_heads=[1, 3, 4],
            relative_attention_num_buckets=[8, 12, 32], relative_attention_max_distance=[20, 128], layer_norm_epsilon=[1e-6, 1e-2],
            num_labels=[1, 3], feed_forward_proj=ACTIVATIONS + ["gated-" + name for name in ACTIVATIONS]),
        lambda c: 150, scale=0.6),
    "mt5": Options(MT5Config, [MT5EncoderModel], LIKE_T5, lambda c: 150, scale=0.6),
    "umt5": Options(UMT5Config, [UMT5EncoderModel], LIKE_T5, lambda c: 150, scale=0.6),
    "llama": Options(LlamaConfig, [LlamaModel, LlamaForSequenceClassification, LlamaForTokenClassification, LlamaForQuestionAnswering],
                     LIKE_LLAMA | dict(mlp_bias=[False, True])),
    "mistral": Options(MistralConfig, [MistralModel, MistralForSequenceClassification, MistralForTokenClassification],
                       without(LIKE_LLAMA, "attention_bias") | dict(sliding_window=[None, 1, 5, 16, 300])),
    "qwen2": Options(Qwen2Config, [Qwen2Model, Qwen2ForSequenceClassification, Qwen2ForTokenClassification],
                     without(LIKE_LLAMA, "attention_bias", "num_hidden_layers") | SLIDING),
    "qwen3": Options(Qwen3Config, [Qwen3Model, Qwen3ForSequenceClassification, Qwen3ForTokenClassification],
                     without(LIKE_LLAMA, "num_hidden_layers") | SLIDING),
    # If `head_dim` is absent it is 256, and `query_pre_attn_scalar` must then be 256 too. Otherwise scores would be larger
    # than in a trained model, and the rounding of f32 would dominate in torch as in encoderd.
    "gemma3": Options(
        Gemma3TextConfig, [Gemma3TextModel, Gemma3TextForSequenceClassification],
        without(LIKE_LLAMA, *GROUPS, "hidden_act", "num_hidden_layers", "is_causal") | LAYERS | dict(
            hidden_activation=ACTIVATIONS, sliding_window=[2, 5, 16, 300], rope_parameters=rotary_parameters_by_type(),
            sliding_window_pattern=[ABSENT, 2, 3], use_bidirectional_attention=[False, True, True],
        ) | {tuple(GROUPS)[0] + ("query_pre_attn_scalar",): [
            (32, 4, 4, ABSENT, ABSENT), (32, 4, 2, 16, 24), (24, 6, 3, 8, 8), (36, 3, 1, 10, 256), (128, 8, 1, ABSENT, 256)]}),
}

ALL = {f.__name__: f for f in (nomic, modernbert, t5, llama, qwen2, qwen3, gemma3)}
if __name__ == "__main__":
    for name in sys.argv[1:] or ALL:
        fresh(name)
        ALL[name]()
