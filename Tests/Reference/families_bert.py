"""BERT and its kin, in each variant of their configurations that changes the arithmetic. Writes data/families.

    python Tests/Reference/families_bert.py [FAMILY ...]
"""
import sys
from transformers import BertConfig, BertForSequenceClassification, BertForTokenClassification, BertModel
from families import TINY, fresh, write


def bert():
    write("bert", BertModel(BertConfig(**TINY)))
    write("bert-relu-classes", BertForSequenceClassification(BertConfig(**TINY, hidden_act="relu", num_labels=3)))
    write("bert-tokens", BertForTokenClassification(BertConfig(**TINY, hidden_act="gelu_new", type_vocab_size=3, num_labels=5)))


ALL = {f.__name__: f for f in (bert,)}
for name in sys.argv[1:] or ALL:
    fresh(name.replace("_", "-"))
    ALL[name]()
