import ModelFiles

/// The rule by which transformers passes token types, which tell the texts of a pair apart, on to a model.
///
/// They are passed on if the tokenizer's `model_input_names` has `token_type_ids`. `model_input_names` is a key of
/// tokenizer_config.json, else a constant of a class of transformers
/// (https://github.com/huggingface/transformers/tree/main/src/transformers/models, tokenization_*.py, version 5). The class
/// is the one that `tokenizer_class` names, else the one that AutoTokenizer takes for `model_type`.
enum TokenTypes {
    /// Returns whether the model is given the tokenizer's types; otherwise it is given 0 for every token.
    /// - Parameters:
    ///   - settings: tokenizer_config.json. `nil` if there is none.
    ///   - configuration: config.json.
    static func areGiven(_ settings: ConfigurationFile?, _ configuration: ConfigurationFile) throws(FileError) -> Bool {
        if let value = settings?.object["model_input_names"], value != .null {
            guard let names = value.array?.compactMap(\.string), names.count == value.array?.count else {
                throw FileError(
                    file: "tokenizer_config.json",
                    "'model_input_names' is \(value.kind); it should be a list of strings")
            }
            return names.contains("token_type_ids")
        }
        var name = try settings?.string("tokenizer_class")
        if name == nil { name = try configuration.string("tokenizer_class") }
        if let name {
            return classes.contains(name.hasSuffix("Fast") ? String(name.dropLast(4)) : name)
        }
        // ALBERT is the only family with types whose class passes none on.
        return try configuration.string("model_type") != "albert"
    }

    /// The classes of transformers whose `model_input_names` has `token_type_ids`. PreTrainedTokenizerFast lacks it
    /// since version 5. (ElectraTokenizer is another name of BertTokenizer.)
    private static let classes: Set<String> = [
        "BertTokenizer", "ElectraTokenizer", "DebertaTokenizer", "DebertaV2Tokenizer",
    ]
}
