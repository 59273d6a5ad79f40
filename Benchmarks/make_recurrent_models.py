"""Writes model directories of the recurrent networks that the peers are measured on, with torch's initial weights:
an LSTM 40 -> 256 x 3 (the shape of Resemblyzer's voice encoder), a GRU 256 and a tanh RNN 256.

usage: make_recurrent_models.py DIRECTORY      writes DIRECTORY/lstm256, gru256, rnn256 for `encoderd bench --model`
"""
import json
import os
import sys

import torch
from safetensors.torch import save_file

torch.manual_seed(0)
CASES = [("lstm", torch.nn.LSTM, 40, 256, 3), ("gru", torch.nn.GRU, 256, 256, 1), ("rnn", torch.nn.RNN, 256, 256, 1)]
for kind, module, inputs, hidden, layers in CASES:
    directory = os.path.join(sys.argv[1], f"{kind}{hidden}")
    os.makedirs(directory, exist_ok=True)
    network = module(inputs, hidden, layers)
    save_file(
        {f"rnn.{name}": value.detach().contiguous() for name, value in network.state_dict().items()},
        os.path.join(directory, "model.safetensors"),
    )
    configuration = dict(model_type=kind, input_size=inputs, hidden_size=hidden, num_layers=layers)
    with open(os.path.join(directory, "config.json"), "w") as file:
        json.dump(configuration, file, indent=2)
