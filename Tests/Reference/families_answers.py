"""Question-answering models of every family that has such a head: logits for the start and the end of the answer.

Writes data/families.

    python Tests/Reference/families_answers.py
"""
import transformers as t
from families import TINY, write

TINY = TINY | dict(max_position_embeddings=24)
SHORT = dict(lengths=(1, 2, 17))
AFTER = dict(lengths=(1, 2, 17), maximum=22)
ALIKE = TINY | dict(num_key_value_heads=2, pad_token_id=None)

if __name__ == "__main__":
    write("bert-answers", t.BertForQuestionAnswering(t.BertConfig(**TINY)), **SHORT)
    write("distilbert-answers", t.DistilBertForQuestionAnswering(t.DistilBertConfig(
        vocab_size=64, dim=32, n_layers=2, n_heads=4, hidden_dim=48, max_position_embeddings=24)), **SHORT)
    write("roberta-answers", t.RobertaForQuestionAnswering(t.RobertaConfig(**TINY)), **AFTER)
    write("xlm-roberta-xl-answers", t.XLMRobertaXLForQuestionAnswering(t.XLMRobertaXLConfig(**TINY)), **AFTER)
    write("electra-answers", t.ElectraForQuestionAnswering(t.ElectraConfig(**TINY, embedding_size=16)), **SHORT)
    write("albert-answers", t.AlbertForQuestionAnswering(t.AlbertConfig(**TINY, embedding_size=16)), **SHORT)
    write("mpnet-answers", t.MPNetForQuestionAnswering(t.MPNetConfig(**TINY)), **AFTER)
    write("deberta-v1-answers", t.DebertaForQuestionAnswering(t.DebertaConfig(**TINY, relative_attention=True)), **SHORT)
    write("deberta-v2-answers", t.DebertaV2ForQuestionAnswering(t.DebertaV2Config(**TINY, relative_attention=True)), **SHORT)
    write("modernbert-answers", t.ModernBertForQuestionAnswering(t.ModernBertConfig(
        **TINY, pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2)), **SHORT)
    write("llama-answers", t.LlamaForQuestionAnswering(t.LlamaConfig(**ALIKE)), **SHORT)
    write("qwen2-answers", t.Qwen2ForQuestionAnswering(t.Qwen2Config(**ALIKE)), **SHORT)
    write("qwen3-answers", t.Qwen3ForQuestionAnswering(t.Qwen3Config(**ALIKE, head_dim=8)), **SHORT)
