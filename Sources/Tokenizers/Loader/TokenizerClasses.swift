import JSON
import ModelFiles

/// A vocabulary file without a tokenizer.json, and the files beside it.
struct VocabularyFiles {
    let directory: String
    /// The vocabulary file, for messages.
    let file: TokenizerFile
    let bytes: [UInt8]
    let settings: TokenizerSettings
}

/// The tokenizer classes of transformers that read a directory without tokenizer.json.
///
/// A new class is a line in `classes`. A family that has the class without naming it is a line in `families`.
enum TokenizerClasses {
    typealias Make = @Sendable (VocabularyFiles) throws(FileError) -> TokenizerParts

    /// The classes by name, each with the file that it reads.
    static let classes: [(name: String, file: String, make: Make)] = [
        ("BertTokenizer", "vocab.txt", WordPieceClasses.bert),
        ("DistilBertTokenizer", "vocab.txt", WordPieceClasses.bert),
        ("ElectraTokenizer", "vocab.txt", WordPieceClasses.bert),
        ("LayoutLMTokenizer", "vocab.txt", WordPieceClasses.bert),
        ("LxmertTokenizer", "vocab.txt", WordPieceClasses.bert),
        ("MobileBertTokenizer", "vocab.txt", WordPieceClasses.bert),
        ("SqueezeBertTokenizer", "vocab.txt", WordPieceClasses.bert),
        ("MPNetTokenizer", "vocab.txt", WordPieceClasses.mpnet),
        ("RobertaTokenizer", "vocab.json", ByteLevelClasses.roberta),
        ("BartTokenizer", "vocab.json", ByteLevelClasses.roberta),
        ("LongformerTokenizer", "vocab.json", ByteLevelClasses.roberta),
        ("DebertaTokenizer", "vocab.json", ByteLevelClasses.deberta),
        ("GPT2Tokenizer", "vocab.json", ByteLevelClasses.gpt2),
        ("Qwen2Tokenizer", "vocab.json", ByteLevelClasses.qwen2),
        ("AlbertTokenizer", "spiece.model", SentencePieceClasses.albert),
        ("T5Tokenizer", "spiece.model", SentencePieceClasses.t5),
        ("XLMRobertaTokenizer", "sentencepiece.bpe.model", SentencePieceClasses.xlmRoberta),
        ("CamembertTokenizer", "sentencepiece.bpe.model", SentencePieceClasses.camembert),
        ("DebertaV2Tokenizer", "spm.model", SentencePieceClasses.debertaV2),
        ("LlamaTokenizer", "tokenizer.model", SentencePieceClasses.llama),
        ("GemmaTokenizer", "tokenizer.model", SentencePieceClasses.gemma),
        (generic, "tokenizer.model", SentencePieceClasses.generic),
        ("PreTrainedTokenizer", "tokenizer.model", SentencePieceClasses.generic),
    ]

    /// The class of each `model_type`: `TOKENIZER_MAPPING_NAMES`
    /// (https://github.com/huggingface/transformers/blob/main/src/transformers/models/auto/tokenization_auto.py).
    static let families: [String: String] = [
        "albert": "AlbertTokenizer", "bart": "RobertaTokenizer", "bert": "BertTokenizer",
        "camembert": "CamembertTokenizer", "data2vec-text": "RobertaTokenizer", "deberta": "DebertaTokenizer",
        "deberta-v2": "DebertaV2Tokenizer", "distilbert": "BertTokenizer", "electra": "BertTokenizer",
        "gemma": "GemmaTokenizer", "gemma2": "GemmaTokenizer", "gemma3": "GemmaTokenizer",
        "gemma3_text": "GemmaTokenizer", "gpt2": "GPT2Tokenizer", "ibert": "RobertaTokenizer", "llama": generic,
        "longformer": "RobertaTokenizer", "mistral": generic, "modernbert": generic, "mpnet": "MPNetTokenizer",
        "mt5": "T5Tokenizer", "nomic_bert": "BertTokenizer", "qwen2": "Qwen2Tokenizer", "qwen3": "Qwen2Tokenizer",
        "roberta": "RobertaTokenizer", "roberta-prelayernorm": "RobertaTokenizer", "t5": "T5Tokenizer",
        "umt5": generic, "xlm-roberta": "XLMRobertaTokenizer", "xlm-roberta-xl": generic,
    ]

    /// The families whose class takes precedence over the class that a directory names
    /// (`MODELS_WITH_INCORRECT_HUB_TOKENIZER_CLASS`).
    private static let overruling: Set<String> = ["qwen2"]
    /// The families in `families` that AutoTokenizer does not register: the class that a directory names takes
    /// precedence.
    private static let unregistered: Set<String> = ["llama"]

    private static let generic = "TokenizersBackend"

    /// Loads the tokenizer of a directory's vocabulary files. `nil` if there are none.
    static func load(directory: String) throws(FileError) -> PipelineTokenizer? {
        var present: [(name: String, bytes: [UInt8])] = []
        for name in Set(classes.map(\.file)).sorted() {
            if let bytes = try WholeFile.read(name, in: directory) { present.append((name, bytes)) }
        }
        if present.isEmpty { return nil }
        let settings = try TokenizerSettings(directory: directory)
        let found = present.map(\.name).joined(separator: ", ")
        let name =
            try className(directory, settings) ?? (present.contains { $0.name == "vocab.txt" } ? "BertTokenizer" : "")
        guard let known = classes.first(where: { $0.name == name }) else {
            let said =
                name.isEmpty ? "no tokenizer_class or known model_type says" : "'\(name.prefix(80))' does not say"
            throw FileError(
                file: directory,
                "\(said) how to read \(found): tokenizer.json, which the tokenizer's save_pretrained writes, is read for any; without it "
                    + classes.map(\.name).joined(separator: ", "))
        }
        // tokenizer.model goes before a class's own name for the file, but only where the class reads such models.
        let names = known.file.hasSuffix(".model") ? ["tokenizer.model", known.file] : [known.file]
        guard let file = names.compactMap({ name in present.first { $0.name == name } }).first else {
            throw FileError(
                file: directory,
                "\(known.name) reads \(known.file), which is not there (but \(found)); so is tokenizer.json not")
        }
        let reader = TokenizerFile(name: file.name)
        return try known.make(
            VocabularyFiles(directory: directory, file: reader, bytes: file.bytes, settings: settings)
        ).tokenizer(settings, file: reader)
    }

    /// Returns the class that `AutoTokenizer.from_pretrained` chooses. `nil` if no file names one.
    private static func className(_ directory: String, _ settings: TokenizerSettings) throws(FileError) -> String? {
        let configuration = try ConfigurationFile.read("config.json", in: directory)
        func plain(_ name: String?) -> String? {
            guard let name else { return nil }
            if name == "PreTrainedTokenizerFast" { return generic }
            return name.hasSuffix("Fast") ? String(name.dropLast(4)) : name
        }
        var declared: String?
        if let value = settings.options.object["tokenizer_class"], value != .null {
            declared = plain(try settings.options.string("tokenizer_class"))
        }
        if declared == nil { declared = plain(try configuration?.string("tokenizer_class")) }
        let family = try configuration?.string("model_type") ?? ""
        guard let registered = families[family] else { return declared }
        guard let declared else { return registered }
        if unregistered.contains(family) { return declared }
        return registered == generic || overruling.contains(family) ? registered : declared
    }
}
