"""Small models with modules of sentence-transformers, and the results of that library for some texts.

Writes data/sentence.

    pip install sentence-transformers
    python Tests/Reference/sentence_modules.py
"""
import json
import pathlib
import shutil

import torch
import transformers
from sentence_transformers import CrossEncoder, SentenceTransformer, SparseEncoder, models
from sentence_transformers.sparse_encoder import models as sparse
from tokenizers import Tokenizer, models as tokens, normalizers, pre_tokenizers, processors

OUT = pathlib.Path(__file__).parent / "data/sentence"
WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] a b c d e f query passage : what is the of".split()
TEXTS = ["a b c", "What is THE d of e f", "query", "", "f f f f unknown a"]


def base(folder, model, types=False):
    shutil.rmtree(folder, ignore_errors=True)
    t = Tokenizer(tokens.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    t.normalizer, t.pre_tokenizer = normalizers.NFC(), pre_tokenizers.Whitespace()
    t.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    for p in model.parameters(): p.data = torch.randn_like(p) * 0.3
    model.save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=t, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", model_max_length=30,
        **({"model_input_names": ["input_ids", "token_type_ids", "attention_mask"]} if types else {})).save_pretrained(folder)


def config():
    return transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24,
        max_position_embeddings=32)


def dense(name, **pooling):
    torch.manual_seed(5)
    folder = OUT / name
    base("/tmp/sentence-base", transformers.BertModel(config()))
    transformer = models.Transformer("/tmp/sentence-base", do_lower_case=True)
    first = models.Dense(16, 12, activation_function=torch.nn.Tanh())
    second = models.Dense(12, 20, bias=False, activation_function=torch.nn.Identity())
    norm = models.LayerNorm(20)
    norm.norm.weight.data = torch.randn(20)
    model = SentenceTransformer(
        modules=[transformer, models.Pooling(16, **pooling), first, second, norm, models.Normalize()],
        prompts={"query": "query : ", "passage": "passage : "}, default_prompt_name="passage", device="cpu")
    shutil.rmtree(folder, ignore_errors=True)
    model.save(str(folder), create_model_card=False)
    cases = []
    for request in [{}, {"prompt_name": "query"}, {"prompt": "what is "}, {"prompt": ""}]:
        for text in TEXTS:
            cases.append({"request": {"input": text, **request}, "embedding": model.encode(text, **request).tolist()})
    (folder / "expected.json").write_text(json.dumps(cases))


def splade(name, **pooling):
    torch.manual_seed(6)
    folder = OUT / name
    base("/tmp/sentence-base", transformers.BertForMaskedLM(config()))
    model = SparseEncoder(
        modules=[sparse.MLMTransformer("/tmp/sentence-base"), sparse.SpladePooling(**pooling)], device="cpu")
    shutil.rmtree(folder, ignore_errors=True)
    model.save(str(folder), create_model_card=False)
    cases = []
    for text in TEXTS:
        vector = model.encode(text, convert_to_sparse_tensor=False)
        found = [(i, v) for i, v in enumerate(vector.tolist()) if v != 0]
        cases.append({"request": {"input": text}, "index": [i for i, _ in found], "value": [v for _, v in found]})
    (folder / "expected.json").write_text(json.dumps(cases))


def poolings(name, modes, with_dense):
    """Writes a model whose vector concatenates several poolings, optionally followed by a Dense module."""
    torch.manual_seed(7)
    folder = OUT / name
    base("/tmp/sentence-base", transformers.BertModel(config()))
    modules = [models.Transformer("/tmp/sentence-base"), models.Pooling(16, pooling_mode=modes)]
    if with_dense: modules.append(models.Dense(16 * len(modes), 12, activation_function=torch.nn.Tanh()))
    model = SentenceTransformer(modules=modules, device="cpu")
    shutil.rmtree(folder, ignore_errors=True)
    model.save(str(folder), create_model_card=False)
    cases = [{"request": {"input": text}, "embedding": model.encode(text).tolist()} for text in TEXTS]
    (folder / "expected.json").write_text(json.dumps(cases))


def encoder_alone(name):
    """Writes a model whose config.json names a head that its weight file lacks, as all-mpnet-base-v2 does.

    All flags of its Pooling module are false, which means mean pooling. sentence_bert_config.json overrides config.json.
    """
    torch.manual_seed(9)
    folder = OUT / name
    base("/tmp/sentence-base", transformers.BertModel(config()))
    SentenceTransformer(modules=[models.Transformer("/tmp/sentence-base"), models.Pooling(16)], device="cpu").save(
        str(folder), create_model_card=False)

    def edit(file, change):
        settings = json.loads((folder / file).read_text())
        (folder / file).write_text(json.dumps(change(settings), indent=2) + "\n")

    edit("config.json", lambda c: c | {"architectures": ["BertForMaskedLM"]})
    edit("1_Pooling/config.json", lambda c: {"word_embedding_dimension": 16, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": False})
    edit("sentence_bert_config.json", lambda c: c | {
        "config_args": {"hidden_act": "relu"}, "model_args": {"add_pooling_layer": False}, "tokenizer_args": {"model_max_length": 5}})
    model = SentenceTransformer(str(folder), device="cpu")
    assert model[0].model.config.hidden_act == "relu" and model.max_seq_length == 5
    cases = [{"request": {"input": text}, "embedding": model.encode(text).tolist()} for text in TEXTS]
    (folder / "expected.json").write_text(json.dumps(cases))


def cross(name, labels, activation=None, types=False):
    """Writes a CrossEncoder, which scores text pairs."""
    torch.manual_seed(8)
    folder = OUT / name
    c = config()
    c.num_labels = labels
    base("/tmp/sentence-base", transformers.BertForSequenceClassification(c), types)
    model = CrossEncoder("/tmp/sentence-base", device="cpu", **({"activation_fn": activation} if activation else {}))
    shutil.rmtree(folder, ignore_errors=True)
    model.save(str(folder), create_model_card=False)
    pairs = [[a, b] for a in TEXTS[:3] for b in TEXTS[1:]]
    cases = []
    for pair, logits, scores in zip(pairs, model.predict(pairs, activation_fn=torch.nn.Identity()), model.predict(pairs)):
        cases.append({"request": {"input": {"text": pair[0], "pair": pair[1]}}, "logits": logits.reshape(-1).tolist(),
                      "scores": scores.reshape(-1).tolist()})
    (folder / "expected.json").write_text(json.dumps(cases))


if __name__ == "__main__":
    dense("dense", pooling_mode="mean")
    dense("dense-without-prompt", pooling_mode="mean", include_prompt=False)
    splade("splade", pooling_strategy="max")
    splade("splade-sum", pooling_strategy="sum", activation_function="log1p_relu")
    poolings("poolings", ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"], False)
    poolings("poolings-dense", ["max", "mean"], True)
    encoder_alone("encoder-alone")
    cross("cross", 1)
    cross("cross-types", 2, torch.nn.Sigmoid(), types=True)
    cross("cross-identity", 1, torch.nn.Identity())
    cross("cross-sigmoid", 3, torch.nn.Sigmoid())
    cross("cross-classes", 3, torch.nn.Softmax(dim=-1))
