"""Expected results of the server for the three published models. Writes data/serve.json.

sentence-transformers computes MiniLM, numpy the encoder of g2p-en, and torch Resemblyzer.

    python Tests/Reference/serve.py
"""
import json, pathlib
import numpy as np, torch
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoTokenizer

torch.set_grad_enabled(False)
ROOT = pathlib.Path(__file__).resolve().parent
MODELS = ROOT.parent.parent / "models"
text, texts, pair = "an RNN reads one step at a time", ["short", "A somewhat longer sentence, with commas.", "漢字 and emoji 🙂"], ("what is a GRU?", "a gated cell")
model = SentenceTransformer(str(MODELS / "minilm"), device="cpu")
tokenizer, bert = AutoTokenizer.from_pretrained(MODELS / "minilm"), AutoModel.from_pretrained(MODELS / "minilm").eval()
outputs = {"minilm.text": model.encode([text]).tolist(), "minilm.texts": [model.encode(t).tolist() for t in texts],
           "minilm.pair": [bert(**tokenizer(*pair, return_tensors="pt")).last_hidden_state[0, :, :].tolist()]}

v = dict(np.load(MODELS / "g2p" / "checkpoint20.npz"))
def states(ids):
    """Returns the states of the g2p-en encoder after each id (g2p_en/g2p.py: grucell and gru)."""
    h, out = np.zeros((1, 256), np.float32), []
    for i in ids:
        a, b = v["enc_emb"][i][None] @ v["enc_w_ih"].T + v["enc_b_ih"], h @ v["enc_w_hh"].T + v["enc_b_hh"]
        r, z = np.split(1 / (1 + np.exp(-(a[:, :512] + b[:, :512]))), 2, -1)
        n = np.tanh(a[:, 512:] + r * b[:, 512:])
        h = (1 - z) * n + z * h
        out.append(h[0].tolist())
    return out
word, ids = "rhythm", [20, 10, 4, 2]
outputs["g2p.word"] = [states([3 + ord(c) - 97 for c in word] + [2])]
outputs["g2p.ids"] = [states(ids)[-1]]

checkpoint = torch.load(MODELS / "resemblyzer" / "pretrained.pt", map_location="cpu", weights_only=False)["model_state"]
lstm, linear = torch.nn.LSTM(40, 256, 3, batch_first=True), torch.nn.Linear(256, 256)
lstm.load_state_dict({k[5:]: t for k, t in checkpoint.items() if k.startswith("lstm.")})
linear.load_state_dict({k[7:]: t for k, t in checkpoint.items() if k.startswith("linear.")})
torch.manual_seed(1)
frames = (torch.rand(31, 40) * 1000).round() / 1000
raw = torch.relu(linear(lstm(frames[None])[1][0][-1]))[0]
outputs["resemblyzer.frames"] = [(raw / raw.norm()).tolist()]

def rounded(x): return [rounded(y) for y in x] if isinstance(x, list) else float(f"{x:.9g}")
inputs = {"text": text, "texts": texts, "pair": {"text": pair[0], "pair": pair[1]}, "word": word, "ids": ids,
          "frames": rounded(frames.tolist())}
(ROOT / "data" / "serve.json").write_text(json.dumps({"inputs": inputs, "outputs": {k: rounded(o) for k, o in outputs.items()}}) + "\n")
