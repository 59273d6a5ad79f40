import Diagnostics
import JSON
import ModelFiles

/// What sentence-transformers' files say of a model: how its token vectors become one, and how long a text may be.
/// (https://sbert.net/docs/sentence_transformer/usage/custom_models.html)
public struct SentenceTransformersConfiguration: Sendable {
    /// A module, with the folder of its weights.
    enum Module: Sendable {
        case dense(String, Configuration)
        case norm(String, Configuration)
        case normalize
    }

    public var pooling: Pooling?
    /// Ways of pooling whose vectors follow that one's.
    public var morePooling: [Pooling] = []
    public var normalize: Bool?
    /// Tokens with the template: `max_seq_length` of sentence_bert_config.json, else the tokenizer's
    /// `model_max_length`.
    public var maxLength: Int?
    /// What follows the pooling, but a `Normalize` at the end, which is `normalize`.
    var modules: [Module] = []
    /// SpladePooling's; nil: there is none.
    public var sparse: SparsePooling?
    /// `prompts` of config_sentence_transformers.json, and which is used when not told.
    public var prompts: [(name: String, text: String)] = []
    public var defaultPrompt: String?
    /// `include_prompt` of the pooling.
    public var poolsPrompt = true
    /// `activation_fn` of a CrossEncoder's config_sentence_transformers.json: torch's class.
    var scoreFunction: String?
    /// `do_lower_case` of sentence_bert_config.json.
    public var lowercases = false
    /// What `config_kwargs` of sentence_bert_config.json puts in the place of config.json's keys.
    var configuration = JSONObject()
    /// The folder of the transformer's own files inside the model directory; empty: the directory itself.
    public var folder = ""

    public init(pooling: Pooling? = nil, normalize: Bool? = nil, maxLength: Int? = nil) {
        self.pooling = pooling
        self.normalize = normalize
        self.maxLength = maxLength
    }

    /// Reads modules.json and what it names. Without it only the length is told.
    /// - Throws: where a module would change the embedding and is not supported: a plausible wrong vector is worse than
    ///   none.
    public init(directory: String) throws(ModelError) {
        try readModules(directory)
        let files = folder.isEmpty ? directory : directory + "/" + folder
        for name in Self.transformerSettings {
            guard let settings = try Configuration.read(name, in: files) else { continue }
            try readTransformer(settings)
            break
        }
        // transformers writes 10³⁰ for "no limit".
        if maxLength == nil, let tokenizer = try Configuration.read("tokenizer_config.json", in: files),
            let length = tokenizer.object["model_max_length"]?.int, (1...1 << 24).contains(length)
        {
            maxLength = length
        }
        if let settings = try Configuration.read("config_sentence_transformers.json", in: directory) {
            for (name, value) in (settings.object["prompts"]?.object ?? JSONObject()).members {
                guard let text = value.string else {
                    throw ModelError(file: settings.file, "'prompts' should be an object of strings")
                }
                prompts.append((name, text))
            }
            scoreFunction = try settings.string("activation_fn")
            defaultPrompt = try settings.string("default_prompt_name")
            if let name = defaultPrompt, !prompts.contains(where: { $0.name == name }) {
                throw ModelError(
                    file: settings.file, "'default_prompt_name' is \(quoted(name)), which is none of the 'prompts'")
            }
        }
    }

    /// sentence_bert_config.json: arguments of the library's Transformer
    /// (https://github.com/huggingface/sentence-transformers/blob/main/sentence_transformers/base/modules/transformer.py).
    private mutating func readTransformer(_ settings: Configuration) throws(ModelError) {
        let length = try settings.int("max_seq_length", in: 0...1 << 24, default: 0)
        maxLength = length > 0 ? length : nil
        lowercases = try settings.bool("do_lower_case", default: false)
        for key in ["config_args", "config_kwargs"] {
            for (name, value) in try Self.arguments(settings, key).members { configuration.append(name, value) }
        }
        // What does not change the numbers, or only how many digits they have.
        let harmless = [
            "trust_remote_code", "revision", "token", "cache_dir", "local_files_only", "subfolder", "dtype",
            "torch_dtype",
            "attn_implementation", "add_pooling_layer", "device_map", "low_cpu_mem_usage", "use_safetensors",
            "padding_side", "padding", "use_fast", "clean_up_tokenization_spaces", "return_tensors",
        ]
        for key in ["model_args", "model_kwargs", "tokenizer_args", "processor_kwargs"] {
            let arguments = try Self.arguments(settings, key)
            if maxLength == nil, key != "model_args", key != "model_kwargs",
                let length = arguments["model_max_length"]?.int, (1...1 << 24).contains(length)
            {
                maxLength = length
            }
            let known = harmless + (key.hasPrefix("model") ? [] : ["model_max_length"])
            if let unknown = arguments.keys.first(where: { !known.contains($0) }) {
                throw ModelError(file: settings.file, "'\(key).\(unknown)' is not supported")
            }
        }
        let processing = try Self.arguments(settings, "processing_kwargs")
        for kind in ["common", "text"] {
            let names = (processing[kind]?.object ?? JSONObject()).keys
            if let unknown = names.first(where: { !harmless.contains($0) }) {
                throw ModelError(file: settings.file, "'processing_kwargs.\(kind).\(unknown)' is not supported")
            }
        }
        for key in ["query_length", "document_length", "query_expansion"] {
            guard let value = settings.object[key], value != .null else { continue }
            throw settings.wrong(key, value, "null: queries and documents are read alike")
        }
        let tasks = ["feature-extraction", "fill-mask", "sequence-classification"]
        if let task = try settings.string("transformer_task"), !tasks.contains(task) {
            throw settings.wrong("transformer_task", .string(task), "one of " + tasks.joined(separator: ", "))
        }
        if let kinds = settings.object["modality_config"], kinds != .null {
            let outputs = ["last_hidden_state", "logits"]
            guard let output = kinds["text"]?["method_output_name"]?.string, outputs.contains(output) else {
                throw ModelError(
                    file: settings.file,
                    "'modality_config' should give 'text' a 'method_output_name' of "
                        + outputs.joined(separator: " or "))
            }
        }
    }

    private static func arguments(_ settings: Configuration, _ key: String) throws(ModelError) -> JSONObject {
        guard let value = settings.object[key], value != .null else { return JSONObject() }
        guard let object = value.object else { throw settings.wrong(key, value, "an object") }
        return object
    }

    /// Names that the library's Transformer looks for, in its order.
    private static let transformerSettings = [
        "bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet",
    ]
    .map { "sentence_\($0)_config.json" }

    private mutating func readModules(_ directory: String) throws(ModelError) {
        let name = "modules.json"
        guard let bytes = try WholeFile.read(name, in: directory, limit: 1 << 20) else { return }
        let value: JSONValue
        do throws(JSONError) { value = try JSONValue(parsing: bytes) } catch {
            throw ModelError(file: name, "is not valid JSON: \(error)")
        }
        guard let modules = value.array else { throw ModelError(file: name, "is \(value.kind); it should be an array") }
        normalize = false
        for (i, module) in modules.enumerated() {
            guard let type = module["type"]?.string, let path = (module["path"] ?? .string("")).string else {
                throw ModelError(file: name, "[\(i)] should be an object whose 'type' and 'path' are strings")
            }
            guard path.isEmpty || isPlainFileName(path) else {
                throw ModelError(file: name, "[\(i)].path is \(quoted(path)); it should be a folder of the directory")
            }
            // `sentence_transformers.models.Pooling`; since version 5 `….modules.pooling.Pooling`.
            switch type.split(separator: ".").last {
            case "Transformer" where i == 0, "MLMTransformer" where i == 0: folder = path
            case "SpladePooling" where i > 0: try readSparse(directory, path)
            case "Pooling" where i > 0: try readPooling(directory, path)
            case "Dense" where i > 0:
                let settings = try moduleSettings(directory, path)
                add(.dense(directory + "/" + path, settings))
            case "LayerNorm" where i > 0:
                let settings = try moduleSettings(directory, path)
                add(.norm(directory + "/" + path, settings))
            case "Normalize" where i > 0: normalize = true
            case "Dropout": break
            default:
                throw ModelError(
                    file: name,
                    "[\(i)].type is \(quoted(type)); supported are a Transformer, then Pooling, Dense, LayerNorm, Normalize and "
                        + "Dropout; or an MLMTransformer, then SpladePooling")
            }
        }
    }

    /// A module after a `Normalize` makes that one of its own.
    private mutating func add(_ module: Module) {
        if normalize == true {
            modules.append(.normalize)
            normalize = false
        }
        modules.append(module)
    }

    private func moduleSettings(_ directory: String, _ folder: String) throws(ModelError) -> Configuration {
        let file = folder.isEmpty ? "config.json" : folder + "/config.json"
        guard let settings = try Configuration.read(file, in: directory) else {
            throw ModelError(file: "modules.json", "names the module \(quoted(folder)), but there is no \(file)")
        }
        return settings
    }

    private mutating func readSparse(_ directory: String, _ folder: String) throws(ModelError) {
        let settings = try moduleSettings(directory, folder)
        sparse = SparsePooling(
            strategy: try settings.choice("pooling_strategy", default: .max),
            activation: try settings.choice("activation_function", default: .relu))
    }

    private mutating func readPooling(_ directory: String, _ folder: String) throws(ModelError) {
        let settings = try moduleSettings(directory, folder)
        let file = settings.file
        poolsPrompt = try settings.bool("include_prompt", default: true)
        var modes: [String] = []
        switch settings.object["pooling_mode"] {
        case .string(let mode)?: modes = [mode]
        case .array(let array)?: modes = array.map { $0.string ?? $0.kind }
        case nil, .null?:
            for (key, mode) in Self.flags where try settings.bool(key, default: false) { modes.append(mode) }
        case let other?: throw settings.wrong("pooling_mode", other, "a string")
        }
        let known = Self.modes.keys.sorted().joined(separator: ", ")
        if settings.object["pooling_mode"] == nil, modes.isEmpty { modes = ["mean"] }
        guard !modes.isEmpty, modes.count <= 16 else {
            throw ModelError(
                file: file, "asks for \(modes.count) ways of pooling; it should be one or more of \(known)")
        }
        var found: [Pooling] = []
        for mode in modes {
            guard let pooling = Self.modes[mode] else {
                throw ModelError(file: file, "asks for pooling by \(quoted(mode)); \(known) are supported")
            }
            found.append(pooling)
        }
        pooling = found[0]
        morePooling = Array(found.dropFirst())
    }

    private static let modes: [String: Pooling] = [
        "cls": .cls, "max": .max, "mean": .mean, "mean_sqrt_len_tokens": .meanSqrtLength, "weightedmean": .weightedMean,
        "lasttoken": .last,
    ]
    private static let flags = [
        ("pooling_mode_cls_token", "cls"), ("pooling_mode_max_tokens", "max"), ("pooling_mode_mean_tokens", "mean"),
        ("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"),
        ("pooling_mode_weightedmean_tokens", "weightedmean"), ("pooling_mode_lasttoken", "lasttoken"),
    ]
}
