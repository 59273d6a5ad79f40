"""Truncated texts and text pairs, cut on either side by the Hugging Face `tokenizers` library.

Writes data/tokenizers_truncation.json. Its `starts` are differences between consecutive offsets.

    python Tests/Reference/tokenizers_truncation.py
"""
import json
import pathlib

from tokenizers import Tokenizer, models, pre_tokenizers, processors

OUT = pathlib.Path(__file__).parent / "data/tokenizers_truncation.json"
WORDS = [f"w{i}" for i in range(12)]
TEMPLATES = {
    "none": None,
    "bert": processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
                                          special_tokens=[("[CLS]", 0), ("[SEP]", 1)]),
    "roberta": processors.RobertaProcessing(("[SEP]", 1), ("[CLS]", 0)),
    "last": processors.TemplateProcessing(single="$A [SEP]", pair="$A $B:1 [SEP]:1", special_tokens=[("[SEP]", 1)]),
}


def main():
    made = []
    for name, processor in TEMPLATES.items():
        for side in ("left", "right"):
            tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(["[CLS]", "[SEP]", "[UNK]", *WORDS])}, unk_token="[UNK]"))
            tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
            if processor: tokenizer.post_processor = processor
            cases = []
            for first in (0, 1, 2, 5, 9):
                for second in (None, 0, 1, 3, 9):
                    for limit in range(5, 20, 2):
                        texts = [" ".join(WORDS[:first])] + ([] if second is None else [" ".join(WORDS[12 - second:])])
                        tokenizer.enable_truncation(limit, strategy="longest_first", direction=side)
                        e = tokenizer.encode(*texts)
                        starts = [start for start, _ in e.offsets]
                        cases.append({"texts": texts, "limit": limit, "ids": e.ids,
                                      "starts": [b - a for a, b in zip([0, *starts], starts)],
                                      "lengths": [end - start for start, end in e.offsets],
                                      "types": "".join(map(str, e.type_ids)),
                                      "special": "".join(map(str, e.special_tokens_mask))})
            made.append({"template": name, "side": side, "file": json.loads(tokenizer.to_str()), "cases": cases})
    OUT.write_text(json.dumps(made, separators=(",", ":")))
    print(OUT.stat().st_size // 1000, "kB", sum(len(m["cases"]) for m in made), "cases")


main()
