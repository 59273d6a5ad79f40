"""Small random models of every encoder family, with the results that transformers computes for random token ids.

transformers runs with eager attention. FamilyTests.swift compares every model in data/families with encoderd.

A script of variants (families_bert.py, families_modern.py) is a list of `write` calls:

    from families import fresh, write
    from transformers import BertConfig, BertForSequenceClassification as Classifier

    fresh("bert")                                             # deletes data/families/bert and bert-*
    write("bert", Classifier(BertConfig(**TINY, hidden_act="relu", num_labels=3)))
    write("bert-short", ..., maximum=130)                     # the longest sequence in tokens

`write` creates data/families/NAME with config.json and model.safetensors from `save_pretrained`, and
expected.safetensors. Keep models tiny (`TINY`): all of them are committed, about 100 kB per variant.

Every parameter gets a new random value. Norms, biases and relative biases start as 0 or 1, so a test would not notice if
encoderd ignored them. Values are rounded to `dtype`, by default f16, for storage. The computation uses f32.

expected.safetensors has these tensors for the sequences n = 0, 1, 2, … of `lengths` tokens:

    n.ids             [length], i32
    n.types           [length], i32; only for models with more than one token type
    n.rows            positions of the rows in states and per-token logits; absent if all
    n.queries         positions of the queries in attention maps; absent if all
    n.states.l        [rows, hidden], l = 0 (embeddings) … layers
    n.attention       [layers, heads, queries, length]
    n.logits          [1, labels], or [rows, labels] for a head with logits per token; a question-answering head has two
                      labels, the start and the end of the answer

scripts/check_families.py compares many random configurations, which are not stored. A script of variants lists in OPTIONS
the values that may vary, by the name of the family:

    OPTIONS = {"bert": Options(BertConfig, [BertModel, Classifier], SIZES | dict(hidden_act=ACTIVATIONS, ...))}

NAME.f64 is the tensor NAME computed in f64. It is stored only if torch's f32 result differs from it by more than half the
tolerance. Tolerances: 1e-5 of max(1, |x|) for states and logits, 1e-6 for maps.
"""
import copy, dataclasses, json, pathlib, shutil, typing, zlib
import torch
from safetensors.torch import save_file
from transformers.utils import logging

torch.set_grad_enabled(False)
torch.set_num_threads(1)
logging.disable_progress_bar()
OUT = pathlib.Path(__file__).resolve().parent / "data" / "families"
LENGTHS = (1, 2, 17, 128)
#: Sizes under the names that most configurations of transformers use.
TINY = dict(vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48, max_position_embeddings=132)

#: A value that stands for an option absent from the configuration.
ABSENT = object()
#: Values of `hidden_act`.
ACTIVATIONS = [
    "gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "silu", "swish", "tanh", "sigmoid", "linear", "gelu_python", "gelu_fast",
    "gelu_accurate", "gelu_python_tanh", "quick_gelu", "relu2", "relu6", "leaky_relu", "mish", "gelu_10", "hardswish", "laplace",
    "sqrtsoftplus"]
#: Options of most families. Some sizes fill whole vectors, tiles and panels; others do not.
SIZES = {"vocab_size": [29, 64, 101], ("hidden_size", "num_attention_heads"): [(32, 4), (36, 3), (20, 5), (24, 1), (80, 2), (128, 2), (96, 6)],
         "num_hidden_layers": [1, 2, 3, 4], "intermediate_size": [17, 48, 96, 130], "max_position_embeddings": [24, 64, 150, 200],
         "num_labels": [1, 2, 5]}


@dataclasses.dataclass
class Options:
    """The options of a family that random configurations vary.

    config    a function that makes a configuration from the chosen options
    classes   the model classes to choose from
    options   values by option name, or tuples of values by a tuple of names for options that depend on each other
    maximum   a function from a configuration to the longest sequence in tokens
    headless  the classes whose logits encoderd does not return
    scale     a factor for the random weights, as for `write`
    """
    config: typing.Callable
    classes: list
    options: dict
    maximum: typing.Callable = lambda c: c.max_position_embeddings
    headless: tuple = ()
    scale: float = 1.0


def fresh(*families):
    """Deletes the output directories of these families: FAMILY and FAMILY-*."""
    OUT.mkdir(parents=True, exist_ok=True)
    for folder in list(OUT.iterdir()):
        if any(folder.name == f or folder.name.startswith(f + "-") for f in families): shutil.rmtree(folder)


def perturb(model, scale=1.0):
    """Replaces all parameters by random values.

    Weights get unit gain, embeddings a standard deviation of 0.5, and vectors one of 0.3 around their initial constant if
    they have one.
    """
    tables = {id(m.weight) for m in model.modules() if isinstance(m, torch.nn.Embedding)}
    for p in model.parameters():
        noise = torch.randn_like(p)
        if id(p) in tables: p.copy_(noise * 0.5 * scale)
        elif p.dim() == 1: p.copy_((p.flatten()[0] if p.unique().numel() == 1 else 0) + noise * 0.3)
        else: p.copy_(noise * scale / p[0].numel() ** 0.5)


def tokens(model, length, vocabulary=None):
    """Returns random token ids, and token types if the model has more than one."""
    c = model.config
    ids = torch.randint(0, vocabulary or c.vocab_size, (length,))
    types = getattr(c, "type_vocab_size", 0) or 0
    return ids, torch.randint(0, types, (length,)) if types > 1 else None


def run(model, ids, types=None):
    """Returns states [layers + 1][length, hidden], maps [layers, heads, length, length] and logits [rows, labels] or None."""
    given = {} if types is None else {"token_type_ids": types[None]}
    out = model(input_ids=ids[None], attention_mask=torch.ones(1, len(ids), dtype=torch.long), output_hidden_states=True,
                output_attentions=True, return_dict=True, **given)
    logits = out.get("logits")
    if "start_logits" in out: logits = torch.stack([out.start_logits, out.end_logits], -1)
    if logits is not None: logits = logits[0] if logits.dim() == 3 else logits
    return [s[0] for s in out.hidden_states], torch.cat(list(out.attentions)), logits


def prepared(model, dtype=torch.float16, scale=1.0):
    """Returns the model with new random parameters, set up for eager attention in f32. `dtype` holds them exactly."""
    model = model.eval()
    model.config._attn_implementation = "eager"
    for part in model.modules():
        if hasattr(part, "config") and part.config is not None: part.config._attn_implementation = "eager"
    perturb(model, scale)
    # model.to(dtype) would also convert buffers such as the rotary frequencies, which must stay f32.
    for p in model.parameters(): p.copy_(p.to(dtype).float())
    return model


def save(model, folder, dtype=torch.float16):
    """Writes the model with save_pretrained and its parameters as `dtype`."""
    folder.mkdir(parents=True, exist_ok=True)
    copy.deepcopy(model).to(dtype).save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)


def write(name, model, *, maximum=None, lengths=LENGTHS, dtype=torch.float16, scale=1.0, vocabulary=None, edit=None,
          logits=True, rename=None):
    """Writes data/families/NAME as described above.

    maximum     the longest sequence in tokens, which fills all positions; by default max_position_embeddings
    scale       a factor for the random weights, below 1 for deep or unnormalized networks that would explode
    vocabulary  the upper bound of token ids; by default vocab_size
    edit        a function that changes config.json (a dict) before it is written, for other spellings of a configuration
    logits      False to leave out the logits of the head
    rename      a function from a tensor name to its name in the file, for checkpoints of other tools
    """
    torch.manual_seed(zlib.crc32(name.encode()))
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model = prepared(model, dtype, scale)
    save(model, folder, dtype)
    if edit is not None:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(edit(config) or config, indent=2) + "\n")
    if rename is not None:
        from safetensors.torch import load_file
        tensors = load_file(folder / "model.safetensors")
        save_file({rename(k): v for k, v in tensors.items()}, folder / "model.safetensors", {"format": "pt"})
    maximum = maximum or model.config.max_position_embeddings
    double = copy.deepcopy(model).double()
    expected, worst = {}, {}

    def put(key, value, exact, relative):
        """Adds a tensor. Adds its f64 value too if torch's f32 differs from it by more than half the tolerance."""
        value, exact = value.contiguous(), exact.contiguous()
        error = (value.double() - exact.double()).abs()
        error = (error / exact.double().abs().clamp(min=1) if relative else error).max().item()
        kind = key.split(".")[1]
        worst[kind] = max(worst.get(kind, 0), error)
        expected[key] = value.float()
        if error > (0.5e-5 if relative else 0.5e-6): expected[key + ".f64"] = exact.float()

    for n, length in enumerate([l for l in lengths if l < maximum] + [maximum]):
        ids, types = tokens(model, length, vocabulary)
        expected[f"{n}.ids"] = ids.int()
        if types is not None: expected[f"{n}.types"] = types.int()
        rows = queries = list(range(length))
        if length > 20:
            rows = queries = sorted({0, 1, length // 2 - 1, length - 1})
            if length == maximum and length != 128: queries = [length // 3, length - 1]
            expected[f"{n}.rows"], expected[f"{n}.queries"] = torch.tensor(rows).int(), torch.tensor(queries).int()
        (states, maps, answer), (states64, maps64, answer64) = run(model, ids, types), run(double, ids, types)
        for l, (a, b) in enumerate(zip(states, states64)): put(f"{n}.states.{l}", a[rows], b[rows], True)
        put(f"{n}.attention", maps[:, :, queries], maps64[:, :, queries], False)
        if answer is not None and logits:
            if len(answer) == length and length > 1: answer, answer64 = answer[rows], answer64[rows]
            put(f"{n}.logits", answer, answer64, True)
    save_file(expected, folder / "expected.safetensors")
    size = sum(f.stat().st_size for f in folder.iterdir())
    assert size < 250_000, f"{name}: {size} bytes are too many to commit"
    largest = max(v.abs().max().item() for k, v in expected.items() if ".states." in k)
    print(f"{name:28} {size // 1000:4} kB  |x| {largest:6.1f}  torch's f32 from f64: "
          + "  ".join(f"{k} {v:.1e}" for k, v in worst.items()))
