import Diagnostics
import Kernels
import ModelFiles

/// The families of networks that a model directory can hold.
enum ModelRegistry {
    /// A family: the configurations that are its own, and the function that reads their network.
    struct Entry: Sendable {
        /// `model_type` of config.json.
        let name: String
        /// Whether a configuration with this `model_type` is the family's. `nil` accepts any.
        var accepts: (@Sendable (ConfigurationFile) -> Bool)?
        let make: @Sendable (Checkpoint, SentenceTransformersConfiguration) throws(FileError) -> any Network
    }

    /// All families. The first entry with the configuration's `model_type` that accepts the configuration is taken, so an
    /// entry for a variant stands before that of its base.
    static let entries: [Entry] = [
        encoder("bert", Bert.definition), encoder("distilbert", DistilBert.definition),
        encoder("electra", Electra.definition), encoder("albert", Albert.definition),
        encoder("roberta", Roberta.definition), encoder("xlm-roberta", Roberta.definition),
        encoder("camembert", Roberta.definition), encoder("data2vec-text", Roberta.definition),
        encoder("xlm-roberta-xl", XLMRobertaXL.definition), encoder("mpnet", MPNet.definition),
        encoder("deberta", Deberta.definition), encoder("deberta-v2", DebertaV2.definition),
        encoder("nomic_bert", NomicBert.definition), encoder("modernbert", ModernBert.definition),
        encoder("gemma3_text", Gemma3.definition), encoder("t5", T5.definition), encoder("mt5", T5.definition),
        encoder("umt5", T5.definition), encoder("llama", Llama.definition), encoder("mistral", Llama.definition),
        encoder("qwen2", Llama.definition), encoder("qwen3", Llama.definition),
        native("transformer_encoder") { source throws(FileError) in try TorchEncoder.network(source) },
        native("self_attention") { source throws(FileError) in try SelfAttentionNetwork(source: source) },
        recurrent("rnn"), recurrent("gru"), recurrent("lstm"),
    ]

    /// A Transformer encoder of transformers, whose configuration and tensor names become an `EncoderDefinition`.
    private static func encoder(
        _ name: String, where accepts: (@Sendable (ConfigurationFile) -> Bool)? = nil,
        _ definition: @escaping @Sendable (Checkpoint) throws(FileError) -> EncoderDefinition
    ) -> Entry {
        Entry(name: name, accepts: accepts) { source, sentence throws(FileError) in
            try EncoderNetwork(source, sentence, definition(source))
        }
    }

    /// A family with a directory format of this project's own, whose config.json says how to pool.
    private static func native(
        _ name: String, _ make: @escaping @Sendable (Checkpoint) throws(FileError) -> any Network
    ) -> Entry {
        Entry(name: name) { source, sentence throws(FileError) in
            try checkAgreement(source.configuration, sentence)
            return try make(source)
        }
    }

    private static func recurrent(_ name: String) -> Entry {
        native(name) { source throws(FileError) in try RecurrentNetwork(source: source) }
    }

    /// Refuses a directory whose config.json and modules.json name different vectors.
    private static func checkAgreement(
        _ c: ConfigurationFile, _ sentence: SentenceTransformersConfiguration
    ) throws(FileError) {
        let pooling = sentence.pooling.map(\.rawValue).joined(separator: "+")
        if let own = try c.string("pooling"), !sentence.pooling.isEmpty, own != pooling {
            throw FileError(
                file: c.file,
                "'pooling' is \(quoted(own)), but modules.json asks for \(quoted(pooling)); remove one of them")
        }
        let own = try c.bool("normalize", default: sentence.normalize ?? false)
        if let normalize = sentence.normalize, own != normalize {
            throw FileError(
                file: c.file,
                "'normalize' is \(own), but modules.json \(normalize ? "ends with" : "does not end with") a Normalize "
                    + "module; remove one of them")
        }
    }

    /// Reads the network of a model directory, with the settings of sentence-transformers' files.
    static func make(
        _ source: Checkpoint, _ sentence: SentenceTransformersConfiguration
    ) throws(FileError) -> any Network {
        let c = source.configuration
        guard let name = try c.string("model_type") else {
            throw FileError(file: c.file, "'model_type' is missing; \(expected)")
        }
        let named = entries.filter { $0.name == name }
        guard !named.isEmpty else { throw FileError(file: c.file, "'model_type' is \(quoted(name)); \(expected)") }
        guard let entry = named.first(where: { $0.accepts?(c) ?? true }) else {
            throw FileError(
                file: c.file,
                "'model_type' is \(quoted(name)), but the other keys are those of a variant that is not supported")
        }
        return try SentenceTransformersNetwork(entry.make(source, sentence), source, sentence)
    }

    /// The end of an error about `model_type`, which lists the known ones.
    private static var expected: String {
        var known: [String] = []
        for entry in entries where !known.contains(entry.name) { known.append(entry.name) }
        return "it should be one of \(known.joined(separator: ", "))"
    }
}
