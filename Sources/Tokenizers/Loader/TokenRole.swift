/// The special tokens that transformers knows by a name (`SPECIAL_TOKENS_ATTRIBUTES`), in the order in which it adds them.
enum TokenRole: String, CaseIterable {
    case bos = "bos_token"
    case eos = "eos_token"
    case unk = "unk_token"
    case sep = "sep_token"
    case pad = "pad_token"
    case cls = "cls_token"
    case mask = "mask_token"
}
