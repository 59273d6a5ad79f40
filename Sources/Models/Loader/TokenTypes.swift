import JSON
import ModelFiles

/// Whether a model is given the types of its tokens, which tell the texts of a pair apart, or 0 for all of them.
///
/// tokenizer.json makes types anyhow; transformers passes them on where the tokenizer's `model_input_names` has
/// `token_type_ids`: a key of tokenizer_config.json, else a constant of the class that `tokenizer_class` names
/// (https://github.com/huggingface/transformers/tree/main/src/transformers/models, tokenization_*.py, version 5), else of
/// the class that AutoTokenizer takes for `model_type`.
enum TokenTypes {
    /// - Parameters:
    ///   - directory: of tokenizer_config.json.
    ///   - configuration: config.json.
    static func areGiven(directory: String, _ configuration: Configuration) throws(ModelError) -> Bool {
        let settings = try Configuration.read("tokenizer_config.json", in: directory)
        if let value = settings?.object["model_input_names"], value != .null {
            guard let names = value.array?.compactMap(\.string), names.count == value.array?.count else {
                throw ModelError(
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
        // Of the families that have types, the only one whose class passes none on.
        return try configuration.string("model_type") != "albert"
    }

    /// Those of transformers whose `model_input_names` has `token_type_ids`; every other class's has not, not even that of
    /// PreTrainedTokenizerFast since version 5. (ElectraTokenizer is another name of BertTokenizer.)
    private static let classes: Set<String> = [
        "BertTokenizer", "ElectraTokenizer", "DebertaTokenizer", "DebertaV2Tokenizer",
    ]
}
