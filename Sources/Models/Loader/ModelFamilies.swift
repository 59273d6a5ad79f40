/// The families of networks there are, by config.json's `model_type`.
enum ModelFamilies {
    typealias Make = @Sendable (ModelSource, SentenceSettings) throws(ModelError) -> any Network

    static let all: [(name: String, make: Make)] = [
        ("bert", { source, sentence throws(ModelError) in try BertNetwork(source: source, sentence: sentence) }),
        ("transformer_encoder", { source, _ throws(ModelError) in try TransformerEncoderNetwork(source: source) }),
        ("self_attention", { source, _ throws(ModelError) in try SelfAttentionNetwork(source: source) }),
        ("rnn", recurrent), ("gru", recurrent), ("lstm", recurrent),
    ]
    private static let recurrent: Make = { source, _ throws(ModelError) in try RecurrentNetwork(source: source) }

    static func make(_ source: ModelSource, _ sentence: SentenceSettings) throws(ModelError) -> any Network {
        let known = all.map(\.name).joined(separator: ", ")
        guard let name = try source.configuration.string("model_type") else {
            throw ModelError(file: source.configuration.file, "'model_type' is missing; it should be one of \(known)")
        }
        guard let family = all.first(where: { $0.name == name }) else {
            throw ModelError(
                file: source.configuration.file, "'model_type' is \(quoted(name)); it should be one of \(known)")
        }
        return try family.make(source, sentence)
    }
}
