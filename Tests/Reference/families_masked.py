"""Masked language models of every family that has them: logits over the vocabulary for every token.

Writes data/families.

    python Tests/Reference/families_masked.py
"""
import transformers as t
from families import TINY, write

TINY = TINY | dict(max_position_embeddings=24)
SHORT = dict(lengths=(1, 2, 17))
AFTER = dict(lengths=(1, 2, 17), maximum=22)

if __name__ == "__main__":
    write("bert-masked", t.BertForMaskedLM(t.BertConfig(**TINY, hidden_act="relu")), **SHORT)
    write("distilbert-masked", t.DistilBertForMaskedLM(t.DistilBertConfig(
        vocab_size=64, dim=32, n_layers=2, n_heads=4, hidden_dim=48, max_position_embeddings=24)), **SHORT)
    write("roberta-masked", t.RobertaForMaskedLM(t.RobertaConfig(**TINY)), **AFTER)
    write("xlm-roberta-xl-masked", t.XLMRobertaXLForMaskedLM(t.XLMRobertaXLConfig(**TINY)), **AFTER)
    write("deberta-v1-masked", t.DebertaForMaskedLM(t.DebertaConfig(**TINY, relative_attention=True)), **SHORT)
    write("deberta-v1-masked-new", t.DebertaForMaskedLM(t.DebertaConfig(**TINY, legacy=False)), **SHORT)
    write("data2vec-text-masked", t.Data2VecTextForMaskedLM(t.Data2VecTextConfig(**TINY)), **AFTER)
    write("camembert-masked", t.CamembertForMaskedLM(t.CamembertConfig(**TINY, tie_word_embeddings=False)), **AFTER)
    write("electra-masked", t.ElectraForMaskedLM(t.ElectraConfig(**TINY, embedding_size=16)), **SHORT)
    write("albert-masked", t.AlbertForMaskedLM(t.AlbertConfig(**TINY, embedding_size=16)), **SHORT)
    write("mpnet-masked", t.MPNetForMaskedLM(t.MPNetConfig(**TINY)), **AFTER)
    write("deberta-v2-masked", t.DebertaV2ForMaskedLM(t.DebertaV2Config(**TINY, relative_attention=True)), **SHORT)
    write("deberta-v2-masked-new", t.DebertaV2ForMaskedLM(t.DebertaV2Config(**TINY, legacy=False)), **SHORT)
    write("modernbert-masked", t.ModernBertForMaskedLM(t.ModernBertConfig(
        **TINY, pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2, norm_bias=True,
        classifier_bias=True)), **SHORT)
    write("nomic-masked", t.NomicBertForMaskedLM(t.NomicBertConfig(**TINY)), **SHORT)
