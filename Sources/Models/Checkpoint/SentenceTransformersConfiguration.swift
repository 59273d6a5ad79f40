import Diagnostics
import JSON
import ModelFiles

/// The settings that sentence-transformers' files give a model: how its token vectors become one, and how long a text may be
/// (https://sbert.net/docs/sentence_transformer/usage/custom_models.html).
struct SentenceTransformersConfiguration: Sendable {
    /// A module behind the pooling. Those with weights have their folder as a path.
    enum Module: Sendable {
        case dense(String, ConfigurationFile)
        case norm(String, ConfigurationFile)
        case normalize
    }

    /// The ways of pooling whose vectors, joined, make the embedding; empty if no file names any.
    var pooling: [Pooling] = []
    /// Whether the last module is a `Normalize`. `nil` if modules.json names no module that makes or changes an embedding, or
    /// is not there.
    var normalize: Bool?
    /// Tokens of a text with its template: `max_seq_length` of sentence_bert_config.json, else the tokenizer's
    /// `model_max_length`. `nil` if neither is there.
    var maxLength: Int?
    /// The modules behind the pooling, without a `Normalize` at the end.
    var modules: [Module] = []
    /// The folders of the modules that have weights of their own, inside the model directory.
    private(set) var weightFolders: [String] = []
    /// The SpladePooling module. `nil` if there is none.
    var sparse: SparsePooling?
    /// `prompts` of config_sentence_transformers.json, with `default_prompt_name`, and `include_prompt` of the pooling.
    var prompts = ModelDescription.Prompts()
    /// `activation_fn` of a CrossEncoder's config_sentence_transformers.json: the path of a class of torch. `nil` if absent.
    var scoreFunction: String?
    /// Whether texts are lowercased (`do_lower_case` of sentence_bert_config.json).
    var lowercases = false
    /// The values that `config_kwargs` of sentence_bert_config.json puts in the place of config.json's.
    var configuration = JSONObject()
    /// The folder of the transformer's own files inside the model directory; empty for the directory itself.
    var folder = ""

    init() {}

    /// Reads modules.json and the files that it names. Without it, only lengths, prompts and lowercasing are set.
    /// - Throws: `FileError` if a module would change the embedding and is not supported: a plausible wrong vector is worse
    ///   than none.
    init(_ directory: ModelDirectory) throws(FileError) {
        try readModules(directory)
        for name in Self.transformerSettings {
            guard let settings = try directory.json(name, in: folder) else { continue }
            try readTransformer(settings)
            break
        }
        // transformers writes 10³⁰ for "no limit".
        if maxLength == nil, let tokenizer = try directory.json("tokenizer_config.json", in: folder),
            let length = tokenizer.object["model_max_length"]?.int, (1...1 << 24).contains(length)
        {
            maxLength = length
        }
        if let settings = try directory.json("config_sentence_transformers.json") { try readPrompts(settings) }
    }

    private mutating func readPrompts(_ settings: ConfigurationFile) throws(FileError) {
        for (name, value) in (settings.object["prompts"]?.object ?? JSONObject()).members {
            guard let text = value.string else {
                throw FileError(file: settings.file, "'prompts' should be an object of strings")
            }
            prompts.texts.append((name, text))
        }
        scoreFunction = try settings.string("activation_fn")
        prompts.defaultName = try settings.string("default_prompt_name")
        if let name = prompts.defaultName, !prompts.texts.contains(where: { $0.name == name }) {
            throw FileError(
                file: settings.file, "'default_prompt_name' is \(quoted(name)), which is none of the 'prompts'")
        }
    }

    /// Reads sentence_bert_config.json, the arguments of the library's Transformer
    /// (https://github.com/huggingface/sentence-transformers/blob/main/sentence_transformers/base/modules/transformer.py).
    private mutating func readTransformer(_ settings: ConfigurationFile) throws(FileError) {
        let length = try settings.int("max_seq_length", in: 0...1 << 24, default: 0)
        maxLength = length > 0 ? length : nil
        lowercases = try settings.bool("do_lower_case", default: false)
        for key in ["config_args", "config_kwargs"] {
            for (name, value) in try Self.arguments(settings, key).members { configuration.append(name, value) }
        }
        // Arguments that do not change the numbers, or only their precision.
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
                throw FileError(file: settings.file, "'\(key).\(unknown)' is not supported")
            }
        }
        let processing = try Self.arguments(settings, "processing_kwargs")
        for kind in ["common", "text"] {
            let names = (processing[kind]?.object ?? JSONObject()).keys
            if let unknown = names.first(where: { !harmless.contains($0) }) {
                throw FileError(file: settings.file, "'processing_kwargs.\(kind).\(unknown)' is not supported")
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
                throw FileError(
                    file: settings.file,
                    "'modality_config' should give 'text' a 'method_output_name' of "
                        + outputs.joined(separator: " or "))
            }
        }
    }

    private static func arguments(_ settings: ConfigurationFile, _ key: String) throws(FileError) -> JSONObject {
        guard let value = settings.object[key], value != .null else { return JSONObject() }
        guard let object = value.object else { throw settings.wrong(key, value, "an object") }
        return object
    }

    /// The file names that the library's Transformer looks for, in its order.
    private static let transformerSettings = [
        "bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet",
    ]
    .map { "sentence_\($0)_config.json" }

    private mutating func readModules(_ directory: ModelDirectory) throws(FileError) {
        let name = "modules.json"
        guard let bytes = try WholeFile.read(name, in: directory.path, limit: 1 << 20) else { return }
        let value: JSONValue
        do throws(JSONError) { value = try JSONValue(parsing: bytes) } catch {
            throw FileError(file: name, "is not valid JSON: \(error)")
        }
        guard let modules = value.array else { throw FileError(file: name, "is \(value.kind); it should be an array") }
        normalize = false
        for (i, module) in modules.enumerated() {
            guard let type = module["type"]?.string, let path = (module["path"] ?? .string("")).string else {
                throw FileError(file: name, "[\(i)] should be an object whose 'type' and 'path' are strings")
            }
            guard path.isEmpty || isPlainFileName(path) else {
                throw FileError(file: name, "[\(i)].path is \(quoted(path)); it should be a folder of the directory")
            }
            // `sentence_transformers.models.Pooling`; since version 5 `….modules.pooling.Pooling`.
            switch className(type) {
            case "Transformer" where i == 0, "MLMTransformer" where i == 0: folder = path
            case "SpladePooling" where i > 0: try readSparse(directory, path)
            case "Pooling" where i > 0: try readPooling(directory, path)
            case "Dense" where i > 0:
                let settings = try moduleSettings(directory, path)
                add(.dense(joinedPath(directory.path, path), settings), path)
            case "LayerNorm" where i > 0:
                let settings = try moduleSettings(directory, path)
                add(.norm(joinedPath(directory.path, path), settings), path)
            case "Normalize" where i > 0: normalize = true
            case "Dropout": break
            default:
                throw FileError(
                    file: name,
                    "[\(i)].type is \(quoted(type)); supported are a Transformer, then Pooling, Dense, LayerNorm, Normalize and "
                        + "Dropout; or an MLMTransformer, then SpladePooling")
            }
        }
        // In sentence-transformers a Transformer alone makes no embedding, so that modules.json says nothing about one.
        if pooling.isEmpty, self.modules.isEmpty, normalize == false { normalize = nil }
    }

    /// Adds a module with weights in a folder. A `Normalize` before it becomes a module, too.
    private mutating func add(_ module: Module, _ folder: String) {
        if normalize == true {
            modules.append(.normalize)
            normalize = false
        }
        modules.append(module)
        weightFolders.append(folder)
    }

    private func moduleSettings(_ directory: ModelDirectory, _ folder: String) throws(FileError) -> ConfigurationFile {
        let file = joinedPath(folder, "config.json")
        guard let settings = try directory.json(file) else {
            throw FileError(file: "modules.json", "names the module \(quoted(folder)), but there is no \(file)")
        }
        return settings
    }

    private mutating func readSparse(_ directory: ModelDirectory, _ folder: String) throws(FileError) {
        let settings = try moduleSettings(directory, folder)
        sparse = SparsePooling(
            strategy: try settings.choice("pooling_strategy", default: .max),
            activation: try settings.choice("activation_function", default: .relu))
    }

    private mutating func readPooling(_ directory: ModelDirectory, _ folder: String) throws(FileError) {
        let settings = try moduleSettings(directory, folder)
        let file = settings.file
        prompts.arePooled = try settings.bool("include_prompt", default: true)
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
            throw FileError(
                file: file, "asks for \(modes.count) ways of pooling; it should be one or more of \(known)")
        }
        var found: [Pooling] = []
        for mode in modes {
            guard let pooling = Self.modes[mode] else {
                throw FileError(file: file, "asks for pooling by \(quoted(mode)); \(known) are supported")
            }
            found.append(pooling)
        }
        pooling = found
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
