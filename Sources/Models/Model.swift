import Kernels
import Tokenizers

/// What a model reads.
public enum InputKind: Sendable, Equatable {
    case tokens(vocabularySize: Int)
    case features(size: Int)
}

/// One sequence as a model reads it.
public enum SequenceInput: Sendable {
    /// `typeIDs` is empty (all zero) or as long as `ids`.
    case tokens(ids: [Int32], typeIDs: [Int32])
    /// [steps, size], row-major.
    case features([Float], steps: Int)
}

public enum Pooling: String, Sendable, CaseIterable {
    case mean, cls, last, max
    case meanSqrtLength = "mean_sqrt_len"
    case weightedMean = "weighted_mean"
}

/// A recurrent model's state: h and, for LSTM, c; rows ordered as torch does, layer-major, then direction.
public struct RecurrentState: Sendable, Equatable {
    /// [layers · directions, hidden (or proj_size)]
    public var hidden: Matrix
    /// [layers · directions, hidden], LSTM only.
    public var cell: Matrix?

    public init(hidden: Matrix, cell: Matrix?) {
        self.hidden = hidden
        self.cell = cell
    }
}

/// A row-major matrix of f32.
public struct Matrix: Sendable, Equatable {
    public var rows: Int
    public var columns: Int
    public var values: [Float]

    public init(rows: Int, columns: Int, values: [Float]) {
        precondition(values.count == rows * columns)
        self.rows = rows
        self.columns = columns
        self.values = values
    }
}

public enum AttentionMethod: String, Sendable, CaseIterable {
    case raw
    case writeContribution = "write_contribution"
    case jacobian
}

/// Which weight maps to make. Indices are checked and non-negative; `layers` and `heads` in the order to answer.
public struct AttentionSelection: Sendable {
    public var method: AttentionMethod
    public var layers: [Int]
    /// Heads, or directions for `write_contribution`; empty for methods without that axis.
    public var heads: [Int]
    /// Query positions; nil: all.
    public var queries: [Int]?

    public init(method: AttentionMethod, layers: [Int], heads: [Int], queries: [Int]?) {
        self.method = method
        self.layers = layers
        self.heads = heads
        self.queries = queries
    }
}

/// Weight maps as the forward pass made them.
public struct AttentionMaps: Sendable {
    /// Names of the axes of `weights`: `layer head query key`, `layer direction query key`, or `query key`.
    public var axes: [String]
    public var shape: [Int]
    public var weights: [Float]
    /// Largest |A·V − what the layer really used|; nil where the method has no such check.
    public var reconstructionMaxError: Float?
    /// Largest |row sum − 1|; nil where rows are not distributions.
    public var rowSumMaxError: Float?

    public init(
        axes: [String], shape: [Int], weights: [Float], reconstructionMaxError: Float?, rowSumMaxError: Float?
    ) {
        self.axes = axes
        self.shape = shape
        self.weights = weights
        self.reconstructionMaxError = reconstructionMaxError
        self.rowSumMaxError = rowSumMaxError
    }
}

/// What one sequence wants of a forward pass.
public struct OutputSelection: Sendable {
    /// Layers whose states are wanted: 0 (embeddings) … L.
    public var stateLayers: [Int] = []
    /// The pooled vector of `embeddingLayer` (0 … L), before `normalize` and `dimensions`.
    public var embedding: Pooling?
    /// Ways of pooling whose vectors follow that of `embedding`.
    public var morePooling: [Pooling] = []
    public var embeddingLayer: Int = 0
    public var logits = false
    /// The vocabulary's sparse vector.
    public var sparse: SparsePooling?
    /// Tokens at the beginning that pooling leaves out.
    public var poolingStart = 0
    public var attention: AttentionSelection?
    /// Recurrent models: start here instead of zeros, and return the state after the last step.
    public var initialState: RecurrentState?
    public var finalState = false

    public init() {}
}

public struct SequenceRequest: Sendable {
    public var input: SequenceInput
    public var outputs: OutputSelection

    public init(input: SequenceInput, outputs: OutputSelection) {
        self.input = input
        self.outputs = outputs
    }

    /// Tokens or steps.
    public var length: Int {
        switch input {
        case .tokens(let ids, _): ids.count
        case .features(_, let steps): steps
        }
    }
}

public struct SequenceResult: Sendable {
    /// By the order of `stateLayers`: [length, hidden] each.
    public var states: [Matrix] = []
    public var embedding: [Float]?
    /// [1, labels] for a sequence classifier; [length, labels] or [length, output] per token or step.
    public var logits: Matrix?
    public var sparse: SparseVector?
    public var attention: AttentionMaps?
    public var finalState: RecurrentState?

    public init() {}
}

/// What `/v1/models` and `encoderd inspect` tell of a model, and what requests are checked against.
public struct ModelDescription: Sendable {
    /// config.json's `model_type`.
    public var family: String
    public var input: InputKind
    /// Types (segments) a token can have, ids 0 … tokenTypes − 1; nil: the model has none and ignores them.
    public var tokenTypes: Int?
    /// Width of the last layer's states.
    public var hiddenSize: Int
    /// Width of `embedding`.
    public var embeddingSize: Int
    /// Width of each layer's states, 0 … L.
    public var stateSizes: [Int]
    public var layers: Int
    /// Attention heads; 0 for recurrent models.
    public var heads: Int
    /// 1 or 2; recurrent models.
    public var directions: Int
    /// Tokens or steps a sequence may have; nil: no limit of the model's own.
    public var maxLength: Int?
    /// Tokens the network has positions for: at least `maxLength`, which a sentence-transformers file may set lower.
    public var positions: Int?
    /// Width of `logits`; nil: no head.
    public var logitsSize: Int?
    /// One row of logits a token or step, not one a sequence.
    public var logitsPerToken: Bool
    /// How the head of a masked language model makes sparse vectors; nil: there is none.
    public var sparse: SparsePooling?
    /// `/v1/encode` answers sparse vectors when not told.
    public var answersSparse = false
    /// What may stand before a text, by name, in the file's order; and the name of the one that does when not told.
    public var prompts: [(name: String, text: String)] = []
    public var defaultPrompt: String?
    /// A prompt's tokens are pooled with the text's.
    public var poolsPrompt = true
    /// `id2label`, by id.
    public var labels: [String]?
    /// How a sequence's logits become the scores of its labels.
    public var scores: ScoreFunction
    /// What someone who loads the model should know: parts of it that are left out.
    public var notes: [String] = []
    /// What `/v1/encode` answers when not told: logits where the model has a head.
    public var answersLogits: Bool
    public var pooling: Pooling
    /// Ways of pooling whose vectors follow that of `pooling`: sentence-transformers can join several.
    public var morePooling: [Pooling] = []
    /// Values of a pooled vector that a module behind the pooling takes; nil: there is none, so any does.
    public var pooledSize: Int?
    public var normalize: Bool
    /// Methods that `/v1/attention` can honor, the default first.
    public var attentionMethods: [AttentionMethod]
    /// Tokens or steps a sequence may have for `jacobian`, whose work grows with their square; nil: no limit.
    public var maxJacobianLength: Int?
    /// Shape of `initial_state`: rows, and columns of hidden and cell (0: none); nil: not recurrent.
    public var stateShape: (rows: Int, hidden: Int, cell: Int)?
    public var parameters: Int
    public var precision: String
    /// The table of kernels in use.
    public var instructionSet: InstructionSet

    public init(
        family: String, input: InputKind, hiddenSize: Int, embeddingSize: Int, stateSizes: [Int], layers: Int,
        heads: Int, directions: Int, maxLength: Int?, logitsSize: Int?, logitsPerToken: Bool, labels: [String]?,
        answersLogits: Bool, pooling: Pooling, normalize: Bool, attentionMethods: [AttentionMethod],
        stateShape: (rows: Int, hidden: Int, cell: Int)?, parameters: Int, precision: String,
        instructionSet: InstructionSet, positions: Int? = nil, maxJacobianLength: Int? = nil
    ) {
        self.family = family
        self.input = input
        self.hiddenSize = hiddenSize
        self.embeddingSize = embeddingSize
        self.stateSizes = stateSizes
        self.layers = layers
        self.heads = heads
        self.directions = directions
        self.maxLength = maxLength
        self.positions = positions ?? maxLength
        self.logitsSize = logitsSize
        self.logitsPerToken = logitsPerToken
        self.labels = labels
        scores = ScoreFunction(logits: logitsSize ?? 1)
        self.answersLogits = answersLogits
        self.pooling = pooling
        self.normalize = normalize
        self.attentionMethods = attentionMethods
        self.maxJacobianLength = maxJacobianLength
        self.stateShape = stateShape
        self.parameters = parameters
        self.precision = precision
        self.instructionSet = instructionSet
    }
}

/// A loaded network. Immutable after loading and shared by all workers; each worker brings its own `Scratch`.
public protocol Network: Sendable {
    var description: ModelDescription { get }

    /// One ragged batch, without padding: all sequences' tokens stacked. Results are in the order of `batch`.
    ///
    /// The caller has checked every request against `description` (ids in range, feature width, length at least 1 and
    /// at most `positions`, indices). Results do not depend on which sequences share a batch.
    func forward(_ batch: [SequenceRequest], scratch: Scratch) -> [SequenceResult]
}

/// One worker's working memory, grown as needed and reused, so that a warm forward pass allocates only its results; and
/// the team it may share a pass with.
public final class Scratch {
    public let team: ThreadTeam
    private var base: UnsafeMutableRawPointer?
    /// Bytes held.
    private(set) var capacity = 0
    private var used = 0

    public init(team: ThreadTeam = ThreadTeam(size: 1)) { self.team = team }
    deinit { base?.deallocate() }

    /// Hands out buffers for one forward pass: declare the total first, then take 64-byte aligned pieces of it.
    /// - Parameter floats: the sum of all pieces, each rounded up to a multiple of 16.
    public func reserve(floats: Int) {
        used = 0
        let bytes = floats * MemoryLayout<Float>.stride
        guard bytes > capacity else { return }
        base?.deallocate()
        base = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
        capacity = bytes
    }

    /// The next `count` floats, uninitialized, 64-byte aligned.
    public func take(_ count: Int) -> UnsafeMutablePointer<Float> {
        let bytes = Scratch.rounded(count) * MemoryLayout<Float>.stride
        precondition(used + bytes <= capacity, "Scratch.reserve was asked for too little")
        defer { used += bytes }
        return (base! + used).bindMemory(to: Float.self, capacity: count)
    }

    /// A count rounded up to whole cache lines.
    public static func rounded(_ count: Int) -> Int { (count + 15) & ~15 }
}

/// A model directory, loaded: network, tokenizer and the names that go with them.
public struct Model: Sendable {
    public let name: String
    public let directory: String
    public let network: any Network
    /// nil: ids or features only.
    public let tokenizer: (any Tokenizer)?
    /// Texts become small letters before they are tokenized.
    public var lowercases = false
    /// The network is given the types that the tokenizer makes, else 0 for every token.
    public var takesTokenTypes = true
    /// Of the weights' file, in its order: what the network has no use for.
    public var unusedTensors: [String] = []
    public var description: ModelDescription { network.description }

    public init(name: String, directory: String, network: any Network, tokenizer: (any Tokenizer)?) {
        self.name = name
        self.directory = directory
        self.network = network
        self.tokenizer = tokenizer
    }
}
