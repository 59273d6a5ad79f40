"""Expected values of Transformer encoders in f32.

The models are torch.nn.TransformerEncoder, softmax(QK^T/sqrt(d))V and BERT of transformers with random weights, and
all-MiniLM-L6-v2 as published. transformers runs with eager attention.

Writes data/transformer/NAME/{config.json,model.safetensors,expected.safetensors} for each small model,
data/minilm.safetensors and data/minilm_attention.safetensors.

    python Tests/Reference/transformer.py
"""
import itertools, json, math, pathlib, shutil
import torch
from safetensors.torch import save_file
from transformers import AutoModel, AutoTokenizer, BertConfig, BertForSequenceClassification, BertForTokenClassification, BertModel

torch.manual_seed(5)
torch.set_grad_enabled(False)
ROOT = pathlib.Path(__file__).resolve().parent
OUT = ROOT / "data" / "transformer"
MODELS = ROOT.parent.parent / "models"
LENGTHS = (7, 1, 12)


def poolings(y):
    """Returns the poolings of one sequence without padding, as the Pooling module of sentence-transformers."""
    n = torch.arange(1, len(y) + 1, dtype=torch.float32)[:, None]
    return {"mean": y.mean(0), "cls": y[0], "last": y[-1], "max": y.max(0).values, "mean_sqrt_len": y.sum(0) / math.sqrt(len(y)),
            "weighted_mean": (y * n).sum(0) / n.sum()}


def save(name, config, tensors, expected):
    folder = OUT / name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config) + "\n")
    save_file({k: v.detach().clone().contiguous() for k, v in tensors.items()}, folder / "model.safetensors")
    save_file({k: v.detach().clone().contiguous() for k, v in expected.items()}, folder / "expected.safetensors")


def sinusoidal(length, d):
    """Returns sinusoidal positions as in PyTorch's tutorial (transformer_tutorial.py, class PositionalEncoding)."""
    position = torch.arange(length).unsqueeze(1)
    div_term = torch.exp(torch.arange(0, d, 2) * (-math.log(10000.0) / d))
    pe = torch.zeros(length, d)
    pe[:, 0::2] = torch.sin(position * div_term)
    pe[:, 1::2] = torch.cos(position * div_term)[:, : d // 2]
    return pe


def attend(attention, x):
    """Returns the attention weights of a torch.nn.MultiheadAttention."""
    return attention(x, x, x, need_weights=True, average_attn_weights=False)[1][0]


def encoder(name, d, heads, layers, ff, *, norm_first=False, activation="relu", bias=True, encoding="sinusoidal", vocab=None,
            inputs=None, scale=False, final=False, lengths=LENGTHS, limit=20):
    layer = torch.nn.TransformerEncoderLayer(d, heads, ff, dropout=0, activation=activation, batch_first=True, norm_first=norm_first, bias=bias)
    norm = torch.nn.LayerNorm(d, bias=bias) if final else None
    model = torch.nn.TransformerEncoder(layer, layers, norm=norm, enable_nested_tensor=False).eval()
    for p in model.parameters(): p.copy_(torch.randn_like(p) * (0.4 if p.dim() == 1 else 1 / math.sqrt(p.shape[1])))
    for n, p in model.named_parameters():
        if "norm" in n and n.endswith("weight"): p.add_(1)
    tensors = {"encoder." + k: v for k, v in model.state_dict().items()}
    config = {"model_type": "transformer_encoder", "d_model": d, "nhead": heads, "num_layers": layers, "dim_feedforward": ff,
              "activation": activation, "norm_first": norm_first, "positional_encoding": encoding, "max_length": limit}
    if not bias: config["bias"] = False
    if vocab:
        config.update(vocab_size=vocab, scale_embedding=scale)
        table = torch.randn(vocab, d) * 0.5
        tensors["embedding.weight"] = table
    else:
        config["input_size"] = inputs
        tensors["input.weight"], tensors["input.bias"] = torch.randn(d, inputs) / math.sqrt(inputs), torch.randn(d) * 0.3
    if encoding == "learned": tensors["position.weight"] = torch.randn(limit, d) * 0.5
    expected = {}
    for n, length in enumerate(lengths):
        if vocab:
            ids = torch.randint(0, vocab, (length,))
            expected[f"{n}.ids"] = ids.int()
            x = table[ids] * (math.sqrt(d) if scale else 1)
        else:
            features = torch.randn(length, inputs)
            expected[f"{n}.input"] = features
            x = torch.nn.functional.linear(features, tensors["input.weight"], tensors["input.bias"])
        if encoding == "sinusoidal": x = x + sinusoidal(length, d)
        if encoding == "learned": x = x + tensors["position.weight"][:length]
        expected[f"{n}.states.0"] = x
        y, maps = x[None], []
        for i, l in enumerate(model.layers):
            maps.append(attend(l.self_attn, l.norm1(y) if norm_first else y))
            y = l(y)
            if final and i == layers - 1: y = norm(y)
            expected[f"{n}.states.{i + 1}"] = y[0]
        assert torch.allclose(model(x[None]), y, atol=1e-5)
        expected[f"{n}.attention"] = torch.stack(maps)
        for k, v in poolings(y[0]).items(): expected[f"{n}.{k}"] = v
    save(name, config, tensors, expected)


def self_attention(name, inputs, key, value, score, zero=False):
    tensors = {"query.weight": torch.randn(key, inputs), "key.weight": torch.randn(key, inputs), "value.weight": torch.randn(value, inputs)}
    config = {"model_type": "self_attention", "input_size": inputs, "key_size": key, "value_size": value, "attention_score": score}
    expected = {}
    for n, length in enumerate(LENGTHS):
        x = torch.randn(length, inputs)
        if zero: x[length // 2] = 0
        q, k, v = (x @ tensors[f"{p}.weight"].T for p in ("query", "key", "value"))
        scores = q @ k.T / math.sqrt(key) if score == "scaled_dot_product" else torch.nn.functional.cosine_similarity(q[:, None], k[None], dim=-1)
        a = torch.softmax(scores, -1)
        y = a @ v
        expected.update({f"{n}.input": x, f"{n}.states.0": x, f"{n}.states.1": y, f"{n}.attention": a[None, None]})
        for p, e in poolings(y).items(): expected[f"{n}.{p}"] = e
    save(name, config, tensors, expected)


def bert(name, cls, hidden, heads, layers, ff, activation="gelu", labels=None, prefix=False, tensorflow=False, **options):
    config = BertConfig(vocab_size=29, hidden_size=hidden, num_attention_heads=heads, num_hidden_layers=layers, intermediate_size=ff,
                        hidden_act=activation, max_position_embeddings=16, type_vocab_size=2, attn_implementation="eager", **options)
    if labels: config.id2label, config.label2id = dict(enumerate(labels)), {l: i for i, l in enumerate(labels)}
    model = cls(config).eval()
    for n, p in model.named_parameters():
        p.copy_(torch.randn_like(p) * (0.3 if p.dim() == 1 else 1 / math.sqrt(p.shape[1])))
        if "LayerNorm.weight" in n: p.add_(1)
    expected = {}
    for n, length in enumerate(LENGTHS):
        ids, types = torch.randint(0, 29, (length,)), torch.randint(0, 2, (length,))
        expected[f"{n}.ids"], expected[f"{n}.types"] = ids.int(), types.int()
        out = model(input_ids=ids[None], token_type_ids=types[None], attention_mask=torch.ones(1, length, dtype=torch.long),
                    output_hidden_states=True, output_attentions=True)
        for i, h in enumerate(out.hidden_states): expected[f"{n}.states.{i}"] = h[0]
        expected[f"{n}.mean.0"] = out.hidden_states[0][0].mean(0)
        expected[f"{n}.attention"] = torch.cat(out.attentions)
        if cls is not BertModel: expected[f"{n}.logits"] = out.logits.reshape(-1, len(labels))
        for k, v in poolings(out.hidden_states[-1][0]).items(): expected[f"{n}.{k}"] = v
    written = json.loads(model.config.to_json_string(use_diff=False))
    written["architectures"] = [cls.__name__]
    state = dict(model.state_dict())
    if prefix and cls is BertModel: state = {"bert." + k: v for k, v in state.items()}
    if tensorflow: state = {k.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): v for k, v in state.items()}
    save(name, written, state, expected)


shutil.rmtree(OUT, ignore_errors=True)
shapes = itertools.cycle([(16, 4, 2, 24), (20, 5, 1, 33), (12, 1, 2, 17), (32, 2, 1, 64)])
for norm_first, activation, encoding, source in itertools.product((False, True), ("relu", "gelu"), ("sinusoidal", "learned", "none"), ("ids", "features")):
    d, heads, layers, ff = next(shapes)
    encoder(f"{'pre' if norm_first else 'post'}-{activation}-{encoding}-{source}", d, heads, layers, ff, norm_first=norm_first,
            activation=activation, encoding=encoding, vocab=13 if source == "ids" else None, inputs=5 if source == "features" else None)
encoder("plain", 16, 4, 2, 24, bias=False, vocab=13)
encoder("plain-pre-final", 16, 4, 2, 24, bias=False, norm_first=True, final=True, inputs=3)
encoder("scaled", 16, 2, 2, 24, vocab=13, scale=True, final=True)
encoder("odd", 15, 3, 2, 31, vocab=13)
encoder("wide-head", 80, 1, 1, 40, inputs=9, encoding="learned")
for score in ("scaled_dot_product", "cosine"):
    self_attention(f"self-{score}", 6, 5, 9, score)
    self_attention(f"self-{score}-wide", 24, 64, 48, score)
bert("bert", BertModel, 32, 4, 2, 48)
bert("bert-prefix", BertModel, 20, 5, 1, 37, "relu", prefix=True)
bert("bert-tanh", BertModel, 24, 3, 2, 40, "gelu_new", layer_norm_eps=1e-5)
bert("bert-silu", BertModel, 16, 1, 1, 40, "silu")
bert("bert-classes", BertForSequenceClassification, 32, 4, 2, 48, labels=["no", "maybe", "yes"])
bert("bert-tokens", BertForTokenClassification, 32, 4, 1, 48, labels=["O", "B-PER", "I-PER", "B-LOC", "I-LOC"])
# Positions so large that their angles exceed many full turns.
encoder("long", 12, 1, 1, 16, vocab=13, lengths=(200, 1, 40), limit=300)
# A query and a key of zeros: torch's cosine_similarity of them with any vector is 0.
self_attention("self-cosine-zero", 6, 5, 9, "cosine", zero=True)
# Norms named as in checkpoints converted from TensorFlow. transformers up to version 4 renames them while loading.
bert("bert-tensorflow", BertModel, 16, 2, 1, 24, prefix=True, tensorflow=True)

# MiniLM, with texts truncated to its limit of 256 tokens.
tokenizer = AutoTokenizer.from_pretrained(MODELS / "minilm")
model = AutoModel.from_pretrained(MODELS / "minilm", attn_implementation="eager").eval()
double = AutoModel.from_pretrained(MODELS / "minilm", attn_implementation="eager").eval().double()
texts = ["an RNN reads one step at a time", "", "A", "The quick brown fox jumps over the lazy dog.", "naïve café — Ünïcödé ✓ 漢字 🙂",
         "Attention is all you need, said the paper; recurrence was all they had.", "0123456789 " * 12, "Long ago, " * 90,
         "A network with attention weighs all words of a sentence at once; a recurrent one walks from word to word. " * 14,
         "SELECT name, COUNT(*) FROM users WHERE id >= 42 GROUP BY name;", "¿Dónde está la biblioteca? Не знаю. どこですか",
         "unbelievably counterintuitive antidisestablishmentarianism"]
expected, attention = {}, {}
for n, text in enumerate(texts):
    e = tokenizer(text, truncation=True, max_length=256, return_tensors="pt")
    out = model(**e, output_hidden_states=True, output_attentions=True)
    y = out.last_hidden_state[0]
    v = torch.nn.functional.normalize(y.mean(0), dim=0)
    expected[f"{n}.ids"] = e["input_ids"][0].int()
    expected[f"{n}.embedding"] = v
    # All rows of the states of short texts, every 32nd row of longer ones.
    rows = range(0, len(y), 1 if len(y) < 24 else 32)
    expected[f"{n}.rows"] = torch.tensor(list(rows), dtype=torch.int32)
    for l in (0, 3, 6): expected[f"{n}.states.{l}"] = out.hidden_states[l][0][list(rows)]
    # The two rows of the maps, the same in all layers and heads, that differ most between f32 and f64 in torch.
    maps = torch.cat(out.attentions)
    exact = torch.cat(double(**e, output_attentions=True).attentions)
    some = (maps - exact).abs().amax((0, 1, 3)).topk(min(2, len(y))).indices
    attention[f"{n}.queries"], attention[f"{n}.f32"], attention[f"{n}.f64"] = some.int(), maps[:, :, some], exact[:, :, some].float()
(ROOT / "data" / "minilm.json").write_text(json.dumps(texts) + "\n")
for name, values in (("minilm", expected), ("minilm_attention", attention)):
    save_file({k: v.detach().clone().contiguous() for k, v in values.items()}, ROOT / "data" / f"{name}.safetensors")
