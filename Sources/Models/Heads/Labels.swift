import Diagnostics
import ModelFiles

/// The names of a classifier's logits, `id2label` of config.json.
enum Labels {
    /// Reads the names, [count], from an array of names or an object of names by id. `nil` if the key is absent.
    static func read(_ c: ConfigurationFile, count: Int) throws(FileError) -> [String]? {
        guard let value = c.object["id2label"], value != .null else { return nil }
        let names: [String?] =
            switch value {
            case .array(let array): array.map(\.string)
            case .object(let object) where object.count == count: (0..<count).map { object[String($0)]?.string }
            default: []
            }
        let labels = names.compactMap { $0 }
        guard names.count == count, labels.count == count else {
            throw FileError(
                file: c.file,
                "'id2label' must name ids 0 … \(count - 1), one for each value of the output, with strings")
        }
        return labels
    }

    /// Returns the names that transformers gives labels without one (PreTrainedConfig.num_labels).
    static func unnamed(count: Int) -> [String] { (0..<count).map { "LABEL_\($0)" } }
}

extension ScoreFunction {
    /// Reads the function that sentence-transformers' CrossEncoder wrote, else the one that transformers'
    /// TextClassificationPipeline takes for `problem_type`.
    ///
    /// A CrossEncoder of several labels writes Identity if it was given no function. Its logits are answered anyhow, so
    /// the scores are the pipeline's.
    /// - Parameters:
    ///   - count: Logits of a sequence.
    ///   - sentence: `activation_fn` of config_sentence_transformers.json. `nil` if absent.
    init(_ c: ConfigurationFile, count: Int, sentence: String?) throws(FileError) {
        self.init(logits: count)
        enum Problem: String, CaseIterable {
            case regression
            case oneLabel = "single_label_classification"
            case manyLabels = "multi_label_classification"
        }
        switch try c.choice("problem_type", default: count == 1 ? Problem.manyLabels : .oneLabel) {
        case .regression: self = .identity
        case .manyLabels: self = .sigmoid
        // The pipeline looks at the count first.
        case .oneLabel: self = ScoreFunction(logits: count)
        }
        let key = "activation_fn"
        let settings = c.object["sentence_transformers"]?.object
        if let sentence {
            try take(sentence, key, "config_sentence_transformers.json", count)
        } else if let value = settings?[key], value != .null {
            guard let path = value.string else { throw c.wrong("sentence_transformers." + key, value, "a string") }
            try take(path, "sentence_transformers." + key, c.file, count)
        } else if let path = try c.string("sbert_ce_default_activation_function") {
            try take(path, "sbert_ce_default_activation_function", c.file, count)
        }
    }

    /// Takes the function of a class of torch.
    /// - Parameters:
    ///   - path: The path of the class: `torch.nn.modules.activation.Sigmoid`.
    ///   - key: The key that holds the path, for the error.
    private mutating func take(_ path: String, _ key: String, _ file: String, _ count: Int) throws(FileError) {
        let known: [(name: Substring, function: ScoreFunction)] = [
            ("Identity", .identity), ("Sigmoid", .sigmoid), ("Softmax", .softmax), ("Tanh", .tanh),
        ]
        guard path.hasPrefix("torch."), let found = known.first(where: { $0.name == className(path) })
        else {
            throw FileError(
                file: file,
                "'\(key)' is \(quoted(path)); it should be a class of torch.nn: "
                    + known.map(\.name).joined(separator: ", "))
        }
        if found.function != .identity || count == 1 { self = found.function }
    }
}
