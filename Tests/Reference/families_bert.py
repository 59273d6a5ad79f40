"""BERT and related families, in each variant of their configurations that changes the arithmetic. Writes data/families.

    python Tests/Reference/families_bert.py [FAMILY ...]
"""
import sys
import transformers as t
from families import ABSENT, ACTIVATIONS, SIZES, TINY, Options, fresh, write

#: Sizes that differ from `TINY`: a head dimension of 12 and one layer more.
OTHER = TINY | dict(hidden_size=36, num_attention_heads=3, num_hidden_layers=3, intermediate_size=24)


def spelled(**values):
    """Returns an edit of config.json that sets some keys as older versions wrote them. None removes a key."""
    def edit(config):
        merged = config | values
        return {k: v for k, v in merged.items() if v is not None}
    return edit


def bert():
    write("bert", t.BertModel(t.BertConfig(**TINY)))
    write("bert-classes", t.BertForSequenceClassification(t.BertConfig(**OTHER, hidden_act="relu", num_labels=3, layer_norm_eps=1e-5)))
    write("bert-tokens", t.BertForTokenClassification(t.BertConfig(**TINY, hidden_act="gelu_new", type_vocab_size=3, num_labels=5)),
          edit=spelled(dtype=None, torch_dtype="float16", position_embedding_type="absolute", gradient_checkpointing=False))
    # A checkpoint with the prefix of another tool and TensorFlow's names for norms.
    write("bert-prefix", t.BertModel(t.BertConfig(**TINY, hidden_act="silu")), rename=lambda k: "model.encoder." + k.replace(
        "LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"))


def distilbert():
    tiny = dict(vocab_size=64, dim=32, n_layers=2, n_heads=4, hidden_dim=48, max_position_embeddings=132)
    write("distilbert", t.DistilBertModel(t.DistilBertConfig(**tiny)), edit=spelled(
        dim=None, n_heads=None, n_layers=None, hidden_size=32, num_attention_heads=4, num_hidden_layers=2))
    write("distilbert-classes", t.DistilBertForSequenceClassification(t.DistilBertConfig(**tiny, activation="relu", num_labels=2)))
    write("distilbert-tokens", t.DistilBertForTokenClassification(t.DistilBertConfig(**tiny, sinusoidal_pos_embds=True, num_labels=5)))


def roberta():
    write("roberta", t.RobertaModel(t.RobertaConfig(**TINY)), maximum=130)
    write("roberta-classes", t.RobertaForSequenceClassification(t.RobertaConfig(**TINY, type_vocab_size=1, num_labels=3)), maximum=130)
    write("roberta-tokens", t.RobertaForTokenClassification(t.RobertaConfig(**OTHER, pad_token_id=0, num_labels=5)), maximum=131)
    write("roberta-padding", t.RobertaModel(t.RobertaConfig(**TINY | dict(max_position_embeddings=136), pad_token_id=5)), maximum=130)


def xlm_roberta():
    # A reranker: one logit per text pair.
    write("xlm-roberta-rank", t.XLMRobertaForSequenceClassification(t.XLMRobertaConfig(**TINY, type_vocab_size=1, num_labels=1)), maximum=130)
    write("xlm-roberta-xl", t.XLMRobertaXLModel(t.XLMRobertaXLConfig(**TINY)), maximum=130)
    write("xlm-roberta-xl-classes", t.XLMRobertaXLForSequenceClassification(
        t.XLMRobertaXLConfig(**TINY, hidden_act="gelu_new", num_labels=3)), maximum=130, edit=spelled(type_vocab_size=None))


def camembert():
    write("camembert-tokens", t.CamembertForTokenClassification(t.CamembertConfig(**TINY, type_vocab_size=1, num_labels=4)), maximum=130)


def data2vec_text():
    write("data2vec-text-classes", t.Data2VecTextForSequenceClassification(t.Data2VecTextConfig(**TINY, num_labels=3)), maximum=130)


def electra():
    write("electra", t.ElectraModel(t.ElectraConfig(**TINY, embedding_size=32)))
    write("electra-discriminator", t.ElectraForPreTraining(t.ElectraConfig(**TINY, embedding_size=20)), logits=False)
    write("electra-generator", t.ElectraForMaskedLM(t.ElectraConfig(**OTHER, embedding_size=48)), logits=False)
    write("electra-classes", t.ElectraForSequenceClassification(t.ElectraConfig(**TINY, embedding_size=16, num_labels=3)))
    write("electra-tokens", t.ElectraForTokenClassification(t.ElectraConfig(**TINY, hidden_act="relu", embedding_size=16, num_labels=4)))


def albert():
    write("albert", t.AlbertModel(t.AlbertConfig(**TINY | dict(num_hidden_layers=3), embedding_size=16)))
    write("albert-groups", t.AlbertModel(t.AlbertConfig(**TINY | dict(num_hidden_layers=5), embedding_size=24, num_hidden_groups=2,
                                                        hidden_act="gelu")))
    write("albert-inner", t.AlbertForSequenceClassification(t.AlbertConfig(**TINY, embedding_size=32, num_hidden_groups=2, inner_group_num=2,
                                                                           num_labels=3)))
    write("albert-tokens", t.AlbertForTokenClassification(t.AlbertConfig(**OTHER, embedding_size=40, num_labels=3)))


def mpnet():
    write("mpnet", t.MPNetModel(t.MPNetConfig(**TINY | dict(max_position_embeddings=202))), maximum=200)
    write("mpnet-classes", t.MPNetForSequenceClassification(t.MPNetConfig(**TINY, hidden_act="relu", num_labels=3)), maximum=130)
    write("mpnet-tokens", t.MPNetForTokenClassification(t.MPNetConfig(**OTHER, num_labels=3)), maximum=130)


def deberta_v2():
    # The configuration of v3: position buckets, both position terms, one projection shared by content and position, and
    # no absolute positions.
    v3 = dict(relative_attention=True, position_buckets=16, norm_rel_ebd="layer_norm", share_att_key=True, pos_att_type="p2c|c2p",
              position_biased_input=False, max_relative_positions=-1, type_vocab_size=0)
    write("deberta-v2", t.DebertaV2Model(t.DebertaV2Config(**TINY, **v3)))
    write("deberta-v2-classes", t.DebertaV2ForSequenceClassification(t.DebertaV2Config(**TINY, **v3, num_labels=3, pooler_hidden_act="tanh")),
          edit=spelled(pos_att_type="p2c|c2p"))
    write("deberta-v2-tokens", t.DebertaV2ForTokenClassification(t.DebertaV2Config(
        **OTHER, **v3 | dict(share_att_key=False, max_relative_positions=100, position_buckets=9), num_labels=5)))
    # The configuration of v2-xlarge: a convolution parallel to the first layer.
    write("deberta-v2-conv", t.DebertaV2Model(t.DebertaV2Config(**TINY, **v3, conv_kernel_size=3, conv_act="gelu")))
    write("deberta-v2-conv-groups", t.DebertaV2Model(t.DebertaV2Config(**TINY, **v3, conv_kernel_size=5, conv_groups=4)))
    write("deberta-v2-embedding", t.DebertaV2Model(t.DebertaV2Config(
        **TINY, **v3 | dict(position_biased_input=True, type_vocab_size=2), embedding_size=20)))
    write("deberta-v2-c2p", t.DebertaV2Model(t.DebertaV2Config(
        **TINY, relative_attention=True, pos_att_type=["c2p"], max_relative_positions=24)))
    write("deberta-v2-p2c", t.DebertaV2Model(t.DebertaV2Config(
        **TINY | dict(max_position_embeddings=40), relative_attention=True, pos_att_type=["p2c"])))
    write("deberta-v2-content", t.DebertaV2Model(t.DebertaV2Config(**TINY, type_vocab_size=3, layer_norm_eps=1e-5)))


def deberta():
    v1 = dict(relative_attention=True, pos_att_type="c2p|p2c", position_biased_input=False, type_vocab_size=0)
    write("deberta-v1", t.DebertaModel(t.DebertaConfig(**TINY | dict(max_position_embeddings=130), **v1)), edit=spelled(
        pos_att_type="c2p|p2c"))
    write("deberta-v1-classes", t.DebertaForSequenceClassification(t.DebertaConfig(**TINY, **v1 | dict(
        pos_att_type=["c2p"], max_relative_positions=20, position_biased_input=True, type_vocab_size=2), num_labels=3)))


LIKE_BERT = SIZES | dict(hidden_act=ACTIVATIONS, type_vocab_size=[1, 2, 3], layer_norm_eps=[1e-12, 1e-5, 1e-2])
LIKE_ROBERTA = LIKE_BERT | dict(pad_token_id=[0, 1, 1, 7])
FACTORIZED = dict(embedding_size=[16, 20, 32, 80, 128])
LIKE_DEBERTA = LIKE_BERT | dict(
    type_vocab_size=[0, 0, 2], relative_attention=[True, True, False], max_relative_positions=[-1, 14, 60, 300], pooler_hidden_act=ACTIVATIONS,
    pos_att_type=["c2p|p2c", ["p2c", "c2p"], ["c2p"], "p2c", None], position_biased_input=[False, True],
) | {
    ("embedding_size", "legacy"): [(ABSENT, ABSENT), (ABSENT, False), (16, ABSENT), (48, ABSENT)],
    ("hidden_size", "num_attention_heads"): [(32, 4), (36, 3), (20, 5), (80, 2), (128, 2), (96, 6)]}


def after_padding(c): return c.max_position_embeddings - c.pad_token_id - 1


def every(name):
    """Returns the base model class of a family and its classes with heads."""
    heads = ("Model", "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering", "ForMaskedLM")
    return [getattr(t, name + head) for head in heads]


def like_roberta(name): return Options(getattr(t, name + "Config"), every(name), LIKE_ROBERTA, after_padding)


OPTIONS = {
    "bert": Options(t.BertConfig, every("Bert"), LIKE_BERT),
    "distilbert": Options(
        t.DistilBertConfig, every("DistilBert"), {k: v for k, v in SIZES.items() if k != "intermediate_size"} | dict(
            activation=ACTIVATIONS, hidden_dim=SIZES["intermediate_size"], sinusoidal_pos_embds=[False, True])),
    "roberta": like_roberta("Roberta"),
    "xlm-roberta": like_roberta("XLMRoberta"),
    "camembert": like_roberta("Camembert"),
    "data2vec-text": like_roberta("Data2VecText"),
    "xlm-roberta-xl": like_roberta("XLMRobertaXL"),
    "electra": Options(t.ElectraConfig, every("Electra") + [t.ElectraForPreTraining], LIKE_BERT | FACTORIZED, headless=(t.ElectraForPreTraining,)),
    "albert": Options(t.AlbertConfig, every("Albert"), LIKE_BERT | FACTORIZED | dict(num_hidden_groups=[1, 1, 2, 3], inner_group_num=[1, 1, 2])),
    "mpnet": Options(
        t.MPNetConfig, every("MPNet"),
        SIZES | dict(hidden_act=ACTIVATIONS, relative_attention_num_buckets=[32, 40], max_position_embeddings=[26, 150, 402]),
        lambda c: c.max_position_embeddings - 2),
    "deberta-v2": Options(
        t.DebertaV2Config, every("DebertaV2"), LIKE_DEBERTA | dict(
            position_buckets=[ABSENT, -1, 3, 8, 9, 20], share_att_key=[False, True], conv_kernel_size=[ABSENT, 0, 1, 3, 7],
            norm_rel_ebd=[ABSENT, "none", "layer_norm"], conv_groups=[1, 2, 4], conv_act=[ABSENT] + ACTIVATIONS)),
    "deberta": Options(t.DebertaConfig, every("Deberta"), LIKE_DEBERTA),
}
ALL = {f.__name__: f for f in (bert, distilbert, roberta, xlm_roberta, camembert, data2vec_text, electra, albert, mpnet,
                                  deberta_v2, deberta)}
if __name__ == "__main__":
    for name in sys.argv[1:] or ALL:
        fresh({"deberta": "deberta-v1"}.get(name, name.replace("_", "-")))
        ALL[name]()
