"""Writes the character vocabulary of the GRU encoder of g2p-en as models/templates/g2p/characters.json.

It lists `graphemes` of class G2p (https://github.com/Kyubyong/g2p). Its `encode` maps the letters of a word to these ids
and appends "</s>".

    python Tests/Reference/tokenizers_characters.py
"""

import json
import pathlib
import string

graphemes = ["<pad>", "<unk>", "</s>"] + list(string.ascii_lowercase)
out = pathlib.Path(__file__).parent.parent.parent / "models/templates/g2p/characters.json"
out.write_text(
    json.dumps({"vocab": {g: i for i, g in enumerate(graphemes)}, "unknown": "<unk>", "prefix": [], "suffix": ["</s>"], "lowercase": True}, indent=1) + "\n"
)
