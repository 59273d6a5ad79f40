"""Writes Tests/Reference/data/tokenizer_files: tokenizer directories without tokenizer.json, and digests of their tokens.

The directories hold SentencePiece models, vocab.json with merges.txt, or vocab.txt. AutoTokenizer of transformers computes
the tokens.

    pip install transformers sentencepiece protobuf
    python Tests/Reference/tokenizers_files.py                     # trains the vocabularies and writes everything
    python Tests/Reference/tokenizers_files.py --digests FOLDER    # writes digests of every text, not every 50th, to FOLDER
    python Tests/Reference/tokenizers_files.py NAME INDEX          # prints the tokens of one text

The texts come from tokenizers_corpus.py.
"""

import json
import os
import pathlib
import shutil
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
import sentencepiece
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer

from tokenizers_corpus import fnv

DATA = pathlib.Path(__file__).parent / "data"
OUT = DATA / "tokenizer_files"
STRIDE = 50
FLAGS = dict(single_word=False, lstrip=False, rstrip=False, normalized=False)


def sentencepiece_models():
    """Yields (model name, options of the SentencePiece trainer)."""
    yield "albert", dict(
        model_type="unigram", normalization_rule_name="nmt_nfkc", pad_id=0, unk_id=1, bos_id=-1, eos_id=-1,
        control_symbols=["[CLS]", "[SEP]", "[MASK]"], user_defined_symbols=["(", "<u>", '"'])
    yield "t5", dict(model_type="unigram", normalization_rule_name="nmt_nfkc", pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    yield "mt5", dict(
        model_type="unigram", normalization_rule_name="nfkc", pad_id=0, eos_id=1, unk_id=2, bos_id=-1, byte_fallback=True,
        user_defined_symbols=["<extra_id_1>", "<extra_id_0>"])
    yield "fairseq", dict(
        model_type="unigram", normalization_rule_name="nmt_nfkc", user_defined_symbols=["<user>", "word"])
    yield "fairseq-identity", dict(model_type="unigram", normalization_rule_name="identity")
    yield "deberta", dict(
        model_type="unigram", normalization_rule_name="identity", pad_id=0, bos_id=1, eos_id=2, unk_id=3, pad_piece="[PAD]",
        bos_piece="[CLS]", eos_piece="[SEP]", unk_piece="[UNK]", user_defined_symbols=["<extra>"])
    yield "llama", dict(
        model_type="bpe", normalization_rule_name="identity", byte_fallback=True, split_digits=True,
        allow_whitespace_only_pieces=True, remove_extra_whitespaces=False)
    yield "llama-no-bytes", dict(
        model_type="bpe", normalization_rule_name="nmt_nfkc", user_defined_symbols=["<user>", "Word"])
    yield "gemma", dict(
        model_type="bpe", normalization_rule_name="identity", byte_fallback=True, pad_id=0, eos_id=1, bos_id=2, unk_id=3,
        bos_piece="<bos>", eos_piece="<eos>", pad_piece="<pad>", add_dummy_prefix=False, remove_extra_whitespaces=False,
        user_defined_symbols=["<mask>", "  ", "   ", "\n\n", "<start_of_turn>"])
    yield "folding", dict(
        model_type="unigram", normalization_rule_name="nmt_nfkc_cf", byte_fallback=True, control_symbols=["<ctrl>"])


def added(content, id, **flags):
    return {str(id): {"content": content, **FLAGS, "special": True, **flags}}


def kinds():
    """Yields (name, (vocabulary, name of its file, model_type, tokenizer_config.json, other files)) for each directory."""
    a = lambda content, **flags: {"__type": "AddedToken", "content": content, **FLAGS, **flags}
    bert = ("wordpiece", "vocab.txt")
    yield "bert", (*bert, "bert", None, {})
    yield "bert-cased", (*bert, "bert", dict(do_lower_case=False, tokenizer_class="BertTokenizer", model_max_length=512), {})
    yield "bert-accents", (*bert, "bert", dict(
        strip_accents=False, tokenize_chinese_chars=False, truncation_side="left", mask_token=a("[MASK]", lstrip=True)), {})
    yield "bert-stripped", (*bert, "bert", dict(do_lower_case=False, strip_accents=True, tokenizer_class="BertTokenizerFast"), {
        "special_tokens_map.json": {"additional_special_tokens": ["word", "<extra>"], "sep_token": "[SEP]",
                                    "mask_token": {"content": "[mask]", **FLAGS, "rstrip": True}},
        "added_tokens.json": {"<extra>": 2001, "Word": 2000, "[mask]": 2002}})
    yield "distilbert", (*bert, "distilbert", dict(tokenizer_class="DistilBertTokenizer", do_lower_case=False), {})
    yield "electra", (*bert, "electra", dict(tokenizer_class="ElectraTokenizer"), {})
    yield "nomic-bert", (*bert, "nomic_bert", dict(tokenizer_class="BertTokenizer", added_tokens_decoder={
        **added("[PAD]", 0), **added("[UNK]", 1), **added("[CLS]", 2), **added("[SEP]", 3), **added("[MASK]", 4),
        **added("<low>", 2000, special=False, normalized=True, single_word=True)}), {})
    mpnet = ("wordpiece-mpnet", "vocab.txt")
    yield "mpnet", (*mpnet, "mpnet", None, {})
    yield "mpnet-cased", (*mpnet, "mpnet", dict(
        tokenizer_class="MPNetTokenizer", do_lower_case=False, mask_token=a("<mask>", rstrip=True), strip_accents=True), {})
    bytes_ = ("bytes", "vocab.json")
    yield "roberta", (*bytes_, "roberta", None, {})
    yield "roberta-prefix", (*bytes_, "roberta", dict(add_prefix_space=True, tokenizer_class="RobertaTokenizer"), {})
    yield "roberta-untrimmed", (*bytes_, "roberta", dict(trim_offsets=False, mask_token=a("<mask>", lstrip=True)), {})
    yield "data2vec", (*bytes_, "data2vec-text", dict(tokenizer_class="RobertaTokenizer", added_tokens_decoder={
        **added("<mask>", 4, lstrip=True), **added("<extra>", 1600, rstrip=True, special=False)}), {})
    yield "gpt2", (*bytes_, "gpt2", dict(
        bos_token="<s>", eos_token="</s>", unk_token="<unk>", additional_special_tokens=["<low>"]), {})
    yield "gpt2-bos", (*bytes_, "gpt2", dict(
        add_bos_token=True, add_prefix_space=True, additional_special_tokens=[], pad_token="<pad>"), {})
    yield "qwen2", (*bytes_, "qwen2", dict(tokenizer_class="Qwen2Tokenizer", bos_token=None, added_tokens_decoder={
        **added("<|endoftext|>", 1600), **added("<|im_start|>", 1601, lstrip=True), **added("<low>", 1602, special=False)},
        additional_special_tokens=["<|im_start|>"]), {})
    yield "qwen3", (*bytes_, "qwen3", dict(add_eos_token=True, eos_token="</s>"), {})
    yield "deberta-v1", (*bytes_, "deberta", dict(
        cls_token="<s>", sep_token="</s>", bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>"), {})
    yield "albert", ("albert", "spiece.model", "albert", None, {})
    yield "albert-accents", ("albert", "spiece.model", "albert", dict(
        keep_accents=True, do_lower_case=False, tokenizer_class="AlbertTokenizer", mask_token=a("[MASK]", lstrip=True)), {})
    yield "albert-bos", ("albert", "spiece.model", "albert", dict(add_bos_token=True, add_prefix_space=False), {})
    yield "t5", ("t5", "spiece.model", "t5", None, {})
    yield "t5-extra", ("t5", "spiece.model", "t5", dict(
        extra_ids=3, additional_special_tokens=["<extra_id_0>", "<extra_id_1>", "<extra_id_2>"]), {
        "special_tokens_map.json": {"eos_token": "</s>"}})
    yield "mt5", ("mt5", "spiece.model", "mt5", dict(
        extra_ids=0, tokenizer_class="T5Tokenizer", additional_special_tokens=None), {})
    xlmr = "sentencepiece.bpe.model"
    yield "xlm-roberta", ("fairseq", xlmr, "xlm-roberta", None, {})
    yield "xlm-roberta-map", ("fairseq", xlmr, "xlm-roberta", dict(tokenizer_class="XLMRobertaTokenizer"), {
        "special_tokens_map.json": {"mask_token": {"content": "<mask>", **FLAGS, "lstrip": True}, "bos_token": "<s>"},
        "added_tokens.json": {"<low>": 2002, "<LOW>": 2003}})
    yield "xlm-roberta-identity", ("fairseq-identity", xlmr, "xlm-roberta", dict(add_prefix_space=False), {})
    yield "camembert", ("fairseq", xlmr, "camembert", None, {})
    yield "camembert-config", ("fairseq-identity", xlmr, "camembert", dict(
        tokenizer_class="CamembertTokenizer", additional_special_tokens=["<s>NOTUSED", "</s>NOTUSED"],
        mask_token="<mask>"), {})
    yield "deberta-v2", ("deberta", "spm.model", "deberta-v2", dict(
        do_lower_case=True, split_by_punct=True, tokenizer_class="DebertaV2Tokenizer"), {})
    yield "deberta-v3", ("deberta", "spm.model", "deberta-v2", dict(vocab_type="spm"), {
        "added_tokens.json": {"[MASK]": 2000}})
    yield "deberta-v3-first", ("deberta", "spm.model", "deberta-v2", dict(add_prefix_space=False), {
        "special_tokens_map.json": {k + "_token": f"[{k.upper()}]" for k in ["cls", "sep", "pad", "mask"]} |
        {"unk_token": {"content": "[UNK]", **FLAGS, "normalized": True}}})
    yield "llama", ("llama", "tokenizer.model", "llama", dict(tokenizer_class="LlamaTokenizer", add_bos_token=True), {})
    yield "llama-legacy", ("llama", "tokenizer.model", "llama", dict(
        tokenizer_class="LlamaTokenizer", legacy=True, add_bos_token=True, add_eos_token=True, pad_token="<pad>",
        bos_token=a("<s>", normalized=True)), {})
    yield "llama-plain", ("llama", "tokenizer.model", "llama", dict(
        tokenizer_class="LlamaTokenizerFast", add_prefix_space=False, legacy=False), {})
    yield "llama-no-bytes", ("llama-no-bytes", "tokenizer.model", "llama", dict(tokenizer_class="LlamaTokenizer"), {})
    yield "llama-generic", ("llama-no-bytes", "tokenizer.model", "llama", None, {})
    yield "mistral", ("llama", "tokenizer.model", "mistral", dict(
        tokenizer_class="LlamaTokenizer", add_bos_token=True, add_eos_token=False, added_tokens_decoder={
            **added("<unk>", 0), **added("<s>", 1), **added("</s>", 2)}, unk_token="<unk>", bos_token="<s>",
        eos_token="</s>", additional_special_tokens=[]), {})
    yield "gemma", ("gemma", "tokenizer.model", "gemma3_text", dict(
        tokenizer_class="GemmaTokenizer", add_bos_token=True, add_eos_token=True), {})
    yield "gemma-plain", ("gemma", "tokenizer.model", "gemma", None, {})
    # Settings whose precedence matters: flags in several files, ids beyond those of the model, and renamed placeholders.
    yield "bert-other-tokens", (*bert, "bert", dict(image_token="<image>", start_token=a("<start>", lstrip=True)), {})
    yield "albert-eos", ("albert", "spiece.model", "albert", dict(add_bos_token=False, add_eos_token=True), {})
    yield "t5-map", ("t5", "spiece.model", "t5", dict(extra_ids=2), {
        "special_tokens_map.json": {"additional_special_tokens": ["<extra_id_0>", "<extra_id_1>"]}})
    yield "xlm-roberta-named", ("fairseq", xlmr, "xlm-roberta", dict(bos_token="<b>", cls_token="<b>", pad_token="<p>"), {})
    yield "deberta-v3-unknown", ("deberta", "spm.model", "deberta-v2", dict(unk_token="<unk>"), {})
    yield "llama-map", ("llama", "tokenizer.model", "llama", dict(tokenizer_class="LlamaTokenizer", add_bos_token=True), {
        "special_tokens_map.json": {"bos_token": {"content": "<s>", **FLAGS, "normalized": True}, "unk_token": "<unk>"},
        "added_tokens.json": {"<pad>": 2000}})
    yield "mistral-placeholders", ("llama", "tokenizer.model", "mistral", dict(
        tokenizer_class="LlamaTokenizer", added_tokens_decoder={**added("<unk>", 0), **added("[INST]", 5)}), {})
    yield "gemma-decoder", ("gemma", "tokenizer.model", "gemma2", dict(
        additional_special_tokens=["<start_of_turn>"], added_tokens_decoder={
            **added("<pad>", 0), **added("<mask>", 4, special=False), **added("<start_of_turn>", 8)}), {})
    yield "unigram-generic", ("folding", "tokenizer.model", "xlm-roberta-xl", dict(add_eos_token=True), {})


def train(texts):
    vocabularies = OUT / "vocabularies"
    shutil.rmtree(OUT, ignore_errors=True)
    vocabularies.mkdir(parents=True)
    sample = texts[::7]
    small = [t.replace("\0", " ") for t in sample if max(map(ord, t)) < 0x2E80][:2300]
    for name, options in sentencepiece_models():
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(small), model_prefix=str(vocabularies / name), vocab_size=2000, minloglevel=2,
            character_coverage=0.98, num_threads=1, **options)
        (vocabularies / f"{name}.vocab").unlink()
    for name, special in [("wordpiece", ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]),
                          ("wordpiece-mpnet", ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"])]:
        t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        t.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
        t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        t.train_from_iterator(sample, trainers.WordPieceTrainer(
            vocab_size=2000, special_tokens=special, limit_alphabet=500, show_progress=False))
        tokens = sorted(t.get_vocab(), key=t.get_vocab().get)
        tokens[1999:] = [tokens[1998]]  # A duplicate; AutoTokenizer uses the last position.
        (vocabularies / f"{name}.txt").write_text("".join(token + "\n" for token in tokens))
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.train_from_iterator(sample, trainers.BpeTrainer(
        vocab_size=1600, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.model.save(str(vocabularies))
    (vocabularies / "vocab.json").rename(vocabularies / "bytes.json")
    (vocabularies / "merges.txt").rename(vocabularies / "bytes.txt")


def write(name, kind):
    vocabulary, file, model_type, config, others = kind
    folder = OUT / name
    folder.mkdir(exist_ok=True)

    def link(file, target):
        (folder / file).unlink(missing_ok=True)
        (folder / file).symlink_to(f"../vocabularies/{target}")

    link(file, vocabulary + pathlib.Path(file).suffix)
    if file == "vocab.json": link("merges.txt", f"{vocabulary}.txt")
    (folder / "config.json").write_text(json.dumps({"model_type": model_type}) + "\n")
    if config is not None: (folder / "tokenizer_config.json").write_text(json.dumps(config) + "\n")
    for other, content in others.items(): (folder / other).write_text(json.dumps(content) + "\n")


def digests(tokenizer, texts, stride):
    chosen = range(0, len(texts), stride)
    yield stride

    def digest(encoding, i):
        values = []
        for id, (start, end), special, type_id in zip(
                encoding["input_ids"][i], encoding["offset_mapping"][i], encoding["special_tokens_mask"][i],
                encoding["token_type_ids"][i]):
            values += [id, start, end, special, type_id]
        return fnv(values) & 0xFFFFFFFF

    options = dict(return_offsets_mapping=True, return_special_tokens_mask=True, return_token_type_ids=True)
    singles = tokenizer([texts[i] for i in chosen], **options)
    quarter = list(chosen)[::4]
    pairs = tokenizer([texts[i] for i in quarter], [texts[(i + 1) % len(texts)] for i in quarter], **options)
    for n in range(len(chosen)):
        yield digest(singles, n)
        if n % 4: continue
        for skip in [True, False]:
            text = tokenizer.decode(singles["input_ids"][n], skip_special_tokens=skip, clean_up_tokenization_spaces=False)
            yield fnv([ord(c) for c in text]) & 0xFFFFFFFF
        yield digest(pairs, n // 4)


def main():
    texts = json.loads((DATA / "tokenizers/texts.json").read_text())
    arguments = sys.argv[1:]
    if len(arguments) == 2 and arguments[0] != "--digests":
        tokenizer = AutoTokenizer.from_pretrained(OUT / arguments[0])
        encoding = tokenizer._tokenizer.encode(texts[int(arguments[1])])
        print(repr(texts[int(arguments[1])]))
        print(list(zip(encoding.ids, encoding.tokens, encoding.offsets, encoding.special_tokens_mask)))
        print(repr(tokenizer.decode(encoding.ids)))
        pipeline = json.loads(tokenizer._tokenizer.to_str())
        pipeline["model"].pop("vocab"); pipeline["model"].pop("merges", None)
        print(json.dumps(pipeline, ensure_ascii=False)[:20000])
        return
    wide = pathlib.Path(arguments[1]) if arguments else None
    if not wide: train(texts)
    for name, kind in kinds():
        if not wide: write(name, kind)
        tokenizer = AutoTokenizer.from_pretrained(OUT / name)
        folder = (wide or OUT) / name
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "digests.bin", "wb") as file:
            for value in digests(tokenizer, texts, 1 if wide else STRIDE): file.write(value.to_bytes(4, "little"))
        print(name, type(tokenizer).__name__, len(tokenizer), flush=True)


if __name__ == "__main__":
    main()
