import Kernels

/// The facts about a model that `/v1/models` and `encoderd inspect` show and that requests are checked against.
public struct ModelDescription: Sendable {
    public var architecture: Architecture
    public var outputs: Outputs
    public var prompts: Prompts
    public var attribution: AttributionMethods
    public var runtime: Runtime
    /// Sentences about parts of the model that are left out.
    public var notes: [String]

    public init(
        architecture: Architecture, outputs: Outputs, prompts: Prompts = Prompts(), attribution: AttributionMethods,
        runtime: Runtime, notes: [String] = []
    ) {
        self.architecture = architecture
        self.outputs = outputs
        self.prompts = prompts
        self.attribution = attribution
        self.runtime = runtime
        self.notes = notes
    }
}

extension ModelDescription {
    /// The network's input, sizes and limits.
    public struct Architecture: Sendable {
        /// `model_type` of config.json.
        public var family: String
        public var input: InputKind
        /// Types (segments) that a token can have, ids 0 ..< tokenTypes. `nil` if the model has none and ignores them.
        public var tokenTypes: Int?
        /// Width of the states of each layer, 0 … L.
        public var stateSizes: [Int]
        /// Attention heads of a layer; 0 for recurrent models.
        public var heads: Int
        /// Directions in which a recurrent model reads, 1 or 2; 1 for other models.
        public var directions: Int
        /// Tokens or steps that a sequence may have. `nil` if the model sets no limit.
        public var maxLength: Int?
        /// Tokens that the network has positions for, at least `maxLength`. `nil` if the network sets no limit.
        public var positions: Int?
        /// Shape of `initial_state`. `nil` if the model is not recurrent.
        public var stateShape: RecurrentStateShape?
        /// Values in all tensors that the network uses.
        public var parameters: Int

        /// Width of the last layer's states.
        public var hiddenSize: Int { stateSizes.last ?? 0 }
        /// Layers of the network, L.
        public var layers: Int { stateSizes.count - 1 }

        /// Heads or directions of a layer.
        public func count(_ axis: AttentionMethod.Axis) -> Int {
            switch axis {
            case .head: heads
            case .direction: directions
            }
        }

        /// - Parameter positions: `nil` takes `maxLength`.
        public init(
            family: String, input: InputKind, tokenTypes: Int? = nil, stateSizes: [Int], heads: Int,
            directions: Int = 1,
            maxLength: Int? = nil, positions: Int? = nil, stateShape: RecurrentStateShape? = nil, parameters: Int
        ) {
            self.family = family
            self.input = input
            self.tokenTypes = tokenTypes
            self.stateSizes = stateSizes
            self.heads = heads
            self.directions = directions
            self.maxLength = maxLength
            self.positions = positions ?? maxLength
            self.stateShape = stateShape
            self.parameters = parameters
        }
    }

    /// An output that `/v1/encode` answers without being told.
    public enum DefaultOutput: String, Sendable { case embedding, logits, sparse }

    /// The vectors that the model makes of a sequence.
    public struct Outputs: Sendable {
        /// The output of a request that names none.
        public var defaultOutput: DefaultOutput
        /// Width of the vectors that pooling reads at the last layer: its states, or the results of an output layer.
        public var pooledWidth: Int
        /// The ways of pooling whose vectors, joined, make the embedding; at least one.
        public var pooling: [Pooling]
        /// Values of a pooled vector that the modules behind the pooling read. `nil` if there are no modules.
        public var modulesWidth: Int?
        /// Values of the embedding.
        public var embeddingSize: Int
        /// Whether embeddings are divided by their L2 norm.
        public var normalize: Bool
        /// Width of the logits. `nil` if there is no head.
        public var logitsSize: Int?
        /// Whether there is one row of logits for each token or step, not one for the sequence.
        public var logitsPerToken: Bool
        /// The names of the logits, by id (`id2label`). `nil` if they have none.
        public var labels: [String]?
        /// The function that makes scores of a sequence's logits.
        public var scores: ScoreFunction
        /// The way to make sparse vectors. `nil` if there is no head of a masked language model.
        public var sparse: SparsePooling?

        /// - Parameters:
        ///   - embeddingSize: `nil` takes the width of the joined pooled vectors.
        ///   - scores: `nil` takes the function of a head that no file describes.
        public init(
            defaultOutput: DefaultOutput = .embedding, pooledWidth: Int, pooling: [Pooling], modulesWidth: Int? = nil,
            embeddingSize: Int? = nil, normalize: Bool, logitsSize: Int? = nil, logitsPerToken: Bool = false,
            labels: [String]? = nil, scores: ScoreFunction? = nil, sparse: SparsePooling? = nil
        ) {
            self.defaultOutput = defaultOutput
            self.pooledWidth = pooledWidth
            self.pooling = pooling
            self.modulesWidth = modulesWidth
            self.embeddingSize = embeddingSize ?? pooledWidth * pooling.count
            self.normalize = normalize
            self.logitsSize = logitsSize
            self.logitsPerToken = logitsPerToken
            self.labels = labels
            self.scores = scores ?? ScoreFunction(logits: logitsSize ?? 1)
            self.sparse = sparse
        }
    }

    /// The texts that may be put before the texts of a request.
    public struct Prompts: Sendable {
        /// The prompts by name, in the order of their file.
        public var texts: [(name: String, text: String)]
        /// The name of the prompt for requests that name none. `nil` if there is none.
        public var defaultName: String?
        /// Whether a prompt's tokens are pooled with those of the text (`include_prompt`).
        public var arePooled: Bool

        public init(texts: [(name: String, text: String)] = [], defaultName: String? = nil, arePooled: Bool = true) {
            self.texts = texts
            self.defaultName = defaultName
            self.arePooled = arePooled
        }
    }

    /// The methods that `/v1/attention` can honor.
    public struct AttributionMethods: Sendable {
        /// The methods, the default first.
        public var methods: [AttentionMethod]
        /// Tokens or steps that a sequence may have, for methods with a limit of their own.
        public var maxLengths: [AttentionMethod: Int]

        public init(methods: [AttentionMethod], maxLengths: [AttentionMethod: Int] = [:]) {
            self.methods = methods
            self.maxLengths = maxLengths
        }
    }

    /// The way in which the network is computed.
    public struct Runtime: Sendable {
        /// Precision of the dense layers: `f32`, `bf16` or `int8`.
        public var precision: String
        /// The kernel table in use.
        public var instructionSet: InstructionSet

        public init(precision: String, instructionSet: InstructionSet) {
            self.precision = precision
            self.instructionSet = instructionSet
        }
    }
}
