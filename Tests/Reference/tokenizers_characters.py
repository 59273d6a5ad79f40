"""The character vocabulary of g2p-en's GRU encoder, in the form of characters.json: its `graphemes`
(https://github.com/Kyubyong/g2p, class G2p), by which `encode` numbers a word's letters before "</s>".

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
