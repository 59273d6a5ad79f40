import Diagnostics
import ModelFiles

/// The families of networks there are, by config.json's `model_type`.
enum ModelRegistry {
    /// Encoders of transformers: each reads its configuration and tensor names into the parts that all share.
    static let encoders: [(name: String, parts: @Sendable (Checkpoint) throws(ModelError) -> EncoderDefinition)] = [
        ("bert", Bert.parts), ("distilbert", DistilBert.parts), ("electra", Electra.parts), ("albert", Albert.parts),
        ("roberta", Roberta.parts), ("xlm-roberta", Roberta.parts), ("camembert", Roberta.parts),
        ("data2vec-text", Roberta.parts), ("xlm-roberta-xl", XLMRobertaXL.parts),
        ("mpnet", MPNet.parts), ("deberta", Deberta.parts), ("deberta-v2", DebertaV2.parts),
        ("nomic_bert", NomicBert.parts), ("modernbert", ModernBert.parts), ("gemma3_text", Gemma3.parts),
        ("t5", T5.parts), ("mt5", T5.parts), ("umt5", T5.parts),
        ("llama", Llama.parts), ("mistral", Llama.parts), ("qwen2", Llama.parts), ("qwen3", Llama.parts),
    ]

    /// Families with a directory format of this project's own.
    static let own: [(name: String, make: @Sendable (Checkpoint) throws(ModelError) -> any Network)] = [
        ("transformer_encoder", { source throws(ModelError) in try TorchEncoder.network(source) }),
        ("self_attention", { source throws(ModelError) in try SelfAttentionNetwork(source: source) }),
        ("rnn", recurrent), ("gru", recurrent), ("lstm", recurrent),
    ]
    private static let recurrent: @Sendable (Checkpoint) throws(ModelError) -> any Network = {
        source throws(ModelError) in try RecurrentNetwork(source: source)
    }

    static func make(
        _ source: Checkpoint, _ sentence: SentenceTransformersConfiguration
    ) throws(ModelError) -> any Network {
        let known = (encoders.map(\.name) + own.map(\.name)).joined(separator: ", ")
        let file = source.configuration.file
        guard let name = try source.configuration.string("model_type") else {
            throw ModelError(file: file, "'model_type' is missing; it should be one of \(known)")
        }
        if let family = encoders.first(where: { $0.name == name }) {
            return try EncoderNetwork(source, sentence, family.parts(source))
        }
        guard let family = own.first(where: { $0.name == name }) else {
            throw ModelError(file: file, "'model_type' is \(quoted(name)); it should be one of \(known)")
        }
        return try family.make(source)
    }
}
