import Concurrency
import Glibc
import Kernels
import ModelFiles

/// How a family's masked-language-model head is built: a layer, a norm, and one value for each token of the vocabulary.
struct MaskedLMHeadPlan: Sendable {
    /// torch.nn.Linear, [width, hidden], beside the encoder.
    let transform: String
    var transformBias = true
    let activation: Activation
    /// torch.nn.LayerNorm, [width].
    var norm: String
    var normBias = true
    let epsilon: Float
    /// [vocabulary, width]; where the file lacks it, the table of words does.
    let decoder: String
    /// The table of words, inside the encoder's scope.
    var words = "embeddings.word_embeddings.weight"
    /// [vocabulary], the first of these that is there: the decoder's own, where it is not tied, goes before.
    let biases: [String]
    /// Of the transformed states: that of the table of words.
    let width: Int
}

extension MaskedLMHeadPlan {
    /// `cls.predictions` of BERT and those that kept its names.
    static func bert(_ activation: Activation, _ epsilon: Float, width: Int) -> Self {
        let prefix = "cls.predictions"
        return MaskedLMHeadPlan(
            transform: prefix + ".transform.dense", activation: activation, norm: prefix + ".transform.LayerNorm",
            epsilon: epsilon, decoder: prefix + ".decoder.weight",
            biases: [prefix + ".decoder.bias", prefix + ".bias"], width: width)
    }

    /// `lm_head` of RoBERTa and its copies.
    static func roberta(_ epsilon: Float, width: Int) -> Self {
        MaskedLMHeadPlan(
            transform: "lm_head.dense", activation: .gelu, norm: "lm_head.layer_norm", epsilon: epsilon,
            decoder: "lm_head.decoder.weight", biases: ["lm_head.decoder.bias", "lm_head.bias"], width: width)
    }
}

/// A masked-language-model head (…ForMaskedLM of transformers), f32 in every precision: logits [tokens, vocabulary], and
/// the sparse vector that SPLADE makes of them (Formal et al. 2021, https://arxiv.org/abs/2109.10086).
///
/// Base checkpoints have one, of which most requests want nothing: the vocabulary's weights are packed when first asked for.
final class MaskedLMHead: Sendable {
    let vocabulary: Int
    private let plan: MaskedLMHeadPlan
    private let hidden: Int
    private let transform: Linear
    private let norm: Norm
    private let decoder: StoredWeight
    private let bias: FloatTensor?
    private let dense: DenseKernels
    private let packed = Locked<PackedWeight?>(nil)

    /// Rows of logits that are made at once.
    private static let block = 32

    /// nil where the file has no such head, and config.json does not name one or nobody needs it.
    init?(_ source: Checkpoint, _ parts: EncoderDefinition, isNeeded: Bool) throws(ModelError) {
        guard let plan = parts.vocabularyHead else { return nil }
        let root = parts.base.around(having: plan.transform + ".weight")
        let isNamed = source.configuration.architecture?.hasSuffix("ForMaskedLM") == true
        guard isNamed && isNeeded || root.has(plan.transform + ".weight") else { return nil }
        let isTied = try source.configuration.bool("tie_word_embeddings", default: true)
        self.plan = plan
        hidden = parts.stack.hidden
        vocabulary = parts.vocabularySize
        dense = source.weights.kernels.f32
        transform = try root.dense(
            plan.transform, outputs: plan.width, inputs: hidden, bias: plan.transformBias, precision: .f32)
        norm = try root.norm(plan.norm, width: plan.width, epsilon: plan.epsilon, bias: plan.normBias)
        let hasOwn = !plan.decoder.isEmpty && (root.has(plan.decoder) || !isTied)
        let name = hasOwn ? root.prefix + plan.decoder : parts.base.prefix + plan.words
        decoder = try source.weights.stored(name, [vocabulary, plan.width], use: .table)
        var biases = plan.biases
        if !isTied, !plan.decoder.isEmpty { biases = Array(biases.prefix(1)) }
        bias = try (biases.first(where: root.has) ?? biases.last).map { name throws(ModelError) in
            try root.floats(name, [parts.vocabularySize])
        }
    }

    private var weight: PackedWeight {
        packed.withLock { packed in
            if let packed { return packed }
            let values = UnsafeMutablePointer<Float>.allocate(capacity: vocabulary * plan.width)
            defer { values.deallocate() }
            decoder.convert(to: values)
            let made = PackedWeight(values, outputs: vocabulary, inputs: plan.width, dense: dense)
            packed = made
            return made
        }
    }

    private static func wants(_ request: SequenceRequest) -> Bool {
        request.outputs.logits || request.outputs.sparse != nil
    }

    func scratchCount(_ batch: RaggedBatch) -> Int {
        guard batch.requests.contains(where: MaskedLMHead.wants) else { return 0 }
        return Scratch.rounded(MaskedLMHead.block * plan.width) + Scratch.rounded(MaskedLMHead.block * vocabulary)
    }

    /// - Parameter x: [rows, hidden], the last layer's states.
    func run(
        _ batch: RaggedBatch, _ x: UnsafePointer<Float>, scratch: Scratch, _ kernels: KernelTable,
        results: inout [SequenceResult]
    ) {
        guard batch.requests.contains(where: MaskedLMHead.wants) else { return }
        let states = scratch.take(MaskedLMHead.block * plan.width)
        let logits = scratch.take(MaskedLMHead.block * vocabulary)
        let decoder = Linear(weight: weight, bias: bias)
        for (i, request) in batch.requests.enumerated() where MaskedLMHead.wants(request) {
            var all: [Float] = []
            if request.outputs.logits { all.reserveCapacity(batch.lengths[i] * vocabulary) }
            var sparse = request.outputs.sparse.map { SparseSum($0, vocabulary: vocabulary) }
            for first in stride(from: 0, to: batch.lengths[i], by: MaskedLMHead.block) {
                let rows = min(MaskedLMHead.block, batch.lengths[i] - first)
                transform.apply(
                    x + (batch.offsets[i] + first) * hidden, activation: plan.activation, out: states,
                    rows: rows)
                norm.apply(kernels, states, states, rows: rows, width: plan.width)
                decoder.apply(states, out: logits, rows: rows)
                if request.outputs.logits {
                    all.append(contentsOf: UnsafeBufferPointer(start: logits, count: rows * vocabulary))
                }
                for row in 0..<rows { sparse?.add(logits + row * vocabulary) }
            }
            if request.outputs.logits {
                results[i].logits = Matrix(rows: batch.lengths[i], columns: vocabulary, values: all)
            }
            results[i].sparse = sparse?.vector
        }
    }
}

/// How logits become a sparse vector: sentence-transformers' SpladePooling.
public struct SparsePooling: Sendable, Equatable {
    public enum Strategy: String, Sendable, CaseIterable { case max, sum }
    public enum Activation: String, Sendable, CaseIterable {
        /// log(1 + max(x, 0)), and that once more under the logarithm.
        case relu
        case logOfLog = "log1p_relu"
    }

    public var strategy = Strategy.max
    public var activation = Activation.relu

    public init(strategy: Strategy = .max, activation: Activation = .relu) {
        self.strategy = strategy
        self.activation = activation
    }

    func value(_ logit: Float) -> Float {
        let once = Glibc.log1pf(Swift.max(logit, 0))
        return activation == .relu ? once : Glibc.log1pf(once)
    }
}

/// Values by token id; those that are not there are 0.
public struct SparseVector: Sendable, Equatable {
    /// Ascending.
    public var indices: [Int32] = []
    public var values: [Float] = []

    public init() {}
}

/// The largest value, or the sum, of each token over a sequence's rows of logits.
private struct SparseSum {
    let pooling: SparsePooling
    /// The largest logits so far, or sums of values.
    private var totals: [Float]

    init(_ pooling: SparsePooling, vocabulary: Int) {
        self.pooling = pooling
        totals = [Float](repeating: 0, count: vocabulary)
    }

    mutating func add(_ logits: UnsafePointer<Float>) {
        switch pooling.strategy {
        // The value grows with the logit, so the largest logit has the largest.
        case .max: for i in totals.indices where logits[i] > totals[i] { totals[i] = logits[i] }
        case .sum: for i in totals.indices where logits[i] > 0 { totals[i] += pooling.value(logits[i]) }
        }
    }

    var vector: SparseVector {
        var vector = SparseVector()
        for (i, total) in totals.enumerated() where total > 0 {
            vector.indices.append(Int32(truncatingIfNeeded: i))
            vector.values.append(pooling.strategy == .max ? pooling.value(total) : total)
        }
        return vector
    }
}
