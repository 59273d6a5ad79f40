import Diagnostics
import Kernels
import ModelFiles

/// The configuration of a model of type `rnn`, `gru` or `lstm`, with the sizes of torch.nn.
///
/// An output layer (`output_size`) has one of two purposes, by `output_activation`:
/// - Present (`identity` included): a projection y_t whose result is the embedding. `last` pooling applies it to the
///   final states, the others pool y_t. The default output is `embedding`.
/// - Absent: a head, y_t = W h_t + b. The embedding pools the hidden states. The default output is `logits`.
struct RecurrentConfiguration: Sendable {
    enum Nonlinearity: String, CaseIterable { case tanh, relu }

    /// The function of the output layer; the softmax runs over each row of y.
    enum OutputActivation: String, CaseIterable {
        case identity, relu, tanh, sigmoid, softmax

        /// The activation in the dense layer. The softmax follows as a step of its own.
        var epilogue: Activation {
            switch self {
            case .identity, .softmax: .identity
            case .relu: .relu
            case .tanh: .tanh
            case .sigmoid: .sigmoid
            }
        }
    }

    let family: String
    let cell: RecurrentCell
    let inputSize: Int
    let vocabularySize: Int?
    let hiddenSize: Int
    /// Width of h, the LSTM's `proj_size`. `nil` if h is as wide as the cell.
    let projectionSize: Int?
    let layers: Int
    let directions: Int
    let bias: Bool
    let outputSize: Int?
    let outputActivation: OutputActivation
    /// Whether the output layer's result is the embedding.
    let embedsOutput: Bool
    let pooling: Pooling
    let normalize: Bool
    let labels: [String]?

    /// Width of h in one direction.
    var stateSize: Int { projectionSize ?? hiddenSize }
    /// Width of a layer's output: h of its directions, joined.
    var layerSize: Int { directions * stateSize }
    var gateSize: Int { cell.gates * hiddenSize }
    var input: InputKind { vocabularySize.map { .tokens(vocabularySize: $0) } ?? .features(size: inputSize) }

    private static let sizes = 1...65_536

    init(_ configuration: ConfigurationFile) throws(FileError) {
        let object = configuration.object
        func isPresent(_ key: String) -> Bool { object[key].map { $0 != .null } ?? false }
        func fail(_ message: String) -> FileError { FileError(file: configuration.file, message) }

        family = object["model_type"]?.string ?? ""
        switch family {
        case "rnn":
            let nonlinearity = try configuration.choice("nonlinearity", default: Nonlinearity.tanh)
            cell = nonlinearity == .tanh ? .tanh : .relu
        case "gru": cell = .gru
        case "lstm": cell = .lstm
        default: throw fail("'model_type' is \(quoted(family)); a recurrent model is 'rnn', 'gru' or 'lstm'")
        }
        if family != "rnn", isPresent("nonlinearity") {
            throw fail("'nonlinearity' is for model_type 'rnn'; the cell of '\(family)' has its own activations")
        }
        inputSize = try configuration.int("input_size", in: Self.sizes)
        hiddenSize = try configuration.int("hidden_size", in: Self.sizes)
        vocabularySize = isPresent("vocab_size") ? try configuration.int("vocab_size", in: 1...100_000_000) : nil
        layers = try configuration.int("num_layers", in: 1...1024, default: 1)
        directions = try configuration.bool("bidirectional", default: false) ? 2 : 1
        bias = try configuration.bool("bias", default: true)

        let projection = try configuration.int("proj_size", in: 0...65_536, default: 0)
        projectionSize = projection > 0 ? projection : nil
        if projection > 0, cell != .lstm {
            throw fail("'proj_size' is \(projection), but only model_type 'lstm' projects its state, as in torch")
        }
        if projection >= hiddenSize {
            throw fail("'proj_size' is \(projection); it must be smaller than 'hidden_size', \(hiddenSize)")
        }

        outputSize = isPresent("output_size") ? try configuration.int("output_size", in: Self.sizes) : nil
        outputActivation = try configuration.choice("output_activation", default: OutputActivation.identity)
        embedsOutput = isPresent("output_activation")
        if embedsOutput, outputSize == nil {
            throw fail("'output_activation' needs an output layer: give its 'output_size'")
        }
        pooling = try configuration.choice("pooling", default: Pooling.last)
        normalize = try configuration.bool("normalize", default: false)
        if isPresent("id2label"), outputSize == nil {
            throw fail("'id2label' names the values of an output layer: give 'output_size'")
        }
        labels = if let outputSize { try Labels.read(configuration, count: outputSize) } else { nil }
    }
}
