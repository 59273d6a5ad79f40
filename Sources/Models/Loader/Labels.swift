import Diagnostics
import Glibc
import JSON
import ModelFiles

/// `id2label` of config.json: names of a classifier's values.
enum Labels {
    /// An array of names, or an object of names by id, one for each value; nil where the key is absent.
    static func read(_ c: Configuration, count: Int) throws(ModelError) -> [String]? {
        guard let value = c.object["id2label"], value != .null else { return nil }
        let names: [String?] =
            switch value {
            case .array(let array): array.map(\.string)
            case .object(let object) where object.count == count: (0..<count).map { object[String($0)]?.string }
            default: []
            }
        let labels = names.compactMap { $0 }
        guard names.count == count, labels.count == count else {
            throw ModelError(
                file: c.file,
                "'id2label' must name ids 0 … \(count - 1), one for each value of the output, with strings")
        }
        return labels
    }

    /// What transformers calls labels that config.json does not name (PreTrainedConfig.num_labels).
    static func unnamed(count: Int) -> [String] { (0..<count).map { "LABEL_\($0)" } }
}

/// How a sequence's logits become the scores of its labels.
public enum ScoreFunction: String, Sendable, CaseIterable {
    case softmax, sigmoid, identity, tanh

    /// Of a head without instructions: a single value has its sigmoid.
    public init(logits count: Int) { self = count == 1 ? .sigmoid : .softmax }

    /// - Parameter logits: [labels]
    public func scores(_ logits: [Float]) -> [Float] {
        switch self {
        case .identity: return logits
        case .sigmoid: return logits.map { Float(1 / (1 + Glibc.exp(-Double($0)))) }
        case .tanh: return logits.map { Float(Glibc.tanh(Double($0))) }
        case .softmax:
            let largest = Double(logits.max() ?? 0)
            let powers = logits.map { Glibc.exp(Double($0) - largest) }
            let sum = powers.reduce(0, +)
            return powers.map { Float($0 / sum) }
        }
    }
}

extension ScoreFunction {
    /// What sentence-transformers' CrossEncoder wrote, in its order, else what transformers' TextClassificationPipeline
    /// takes by `problem_type`.
    ///
    /// A CrossEncoder of several labels writes Identity where it was told nothing; its logits are answered anyhow, so the
    /// scores are the pipeline's.
    /// - Parameter sentence: `activation_fn` of config_sentence_transformers.json.
    init(_ c: Configuration, count: Int, sentence: String?) throws(ModelError) {
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

    /// - Parameter path: torch's class: `torch.nn.modules.activation.Sigmoid`.
    private mutating func take(_ path: String, _ key: String, _ file: String, _ count: Int) throws(ModelError) {
        let known: [(name: Substring, function: ScoreFunction)] = [
            ("Identity", .identity), ("Sigmoid", .sigmoid), ("Softmax", .softmax), ("Tanh", .tanh),
        ]
        guard path.hasPrefix("torch."), let found = known.first(where: { $0.name == path.split(separator: ".").last })
        else {
            throw ModelError(
                file: file,
                "'\(key)' is \(quoted(path)); it should be a class of torch.nn: "
                    + known.map(\.name).joined(separator: ", "))
        }
        if found.function != .identity || count == 1 { self = found.function }
    }
}
