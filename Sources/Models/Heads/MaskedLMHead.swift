import Concurrency
import Kernels
import ModelFiles

/// The parts of a family's masked-language-model head: a layer, a norm, and a decoder with one row for each token of
/// the vocabulary.
struct MaskedLMHeadPlan: Sendable {
    /// The name of the torch.nn.Linear [width, hidden] beside the encoder.
    let transform: String
    var transformBias = true
    let activation: Activation
    /// The name of the torch.nn.LayerNorm [width].
    var norm: String
    var normBias = true
    let epsilon: Float
    /// The name of the decoder's weight [vocabulary, width]. A file without it ties the decoder to the word embeddings.
    let decoder: String
    /// The name of the word embeddings in the encoder's scope.
    var words = "embeddings.word_embeddings.weight"
    /// The names of the bias [vocabulary]; the first that the file has is taken. A decoder that is not tied takes its
    /// own only.
    let biases: [String]
    /// Width of the transformed states, which is that of the word embeddings.
    let width: Int
}

extension MaskedLMHeadPlan {
    /// The head `cls.predictions` of BERT and of families with its names.
    static func bert(_ activation: Activation, _ epsilon: Float, width: Int) -> Self {
        let prefix = "cls.predictions"
        return MaskedLMHeadPlan(
            transform: prefix + ".transform.dense", activation: activation, norm: prefix + ".transform.LayerNorm",
            epsilon: epsilon, decoder: prefix + ".decoder.weight",
            biases: [prefix + ".decoder.bias", prefix + ".bias"], width: width)
    }

    /// The head `lm_head` of RoBERTa and its copies.
    static func roberta(_ epsilon: Float, width: Int) -> Self {
        MaskedLMHeadPlan(
            transform: "lm_head.dense", activation: .gelu, norm: "lm_head.layer_norm", epsilon: epsilon,
            decoder: "lm_head.decoder.weight", biases: ["lm_head.decoder.bias", "lm_head.bias"], width: width)
    }
}

/// A masked-language-model head (…ForMaskedLM of transformers). It makes logits, [tokens, vocabulary], and the sparse
/// vector of SPLADE (Formal et al. 2021, https://arxiv.org/abs/2109.10086). Its weights are f32 for every precision of
/// the model.
///
/// Base checkpoints have such a head and most requests do not use it, so the decoder is packed at its first use.
final class MaskedLMHead: Sendable {
    let vocabulary: Int
    let plan: MaskedLMHeadPlan
    let hidden: Int
    private let transform: Linear
    private let norm: Norm
    private let decoder: StoredWeight
    private let bias: FloatTensor?
    private let dense: DenseKernels
    private let packed = Locked<PackedWeight?>(nil)

    /// Rows of logits that are computed at once.
    private static let block = 32

    /// Reads the head. `nil` if the file has none, unless config.json names one and it is needed.
    /// - Parameters:
    ///   - base: The part of the checkpoint that holds the encoder.
    ///   - hidden: Width of the encoder's states.
    init?(
        _ source: Checkpoint, _ plan: MaskedLMHeadPlan, base: WeightScope, hidden: Int, vocabulary: Int, isNeeded: Bool
    ) throws(FileError) {
        let root = base.around(having: plan.transform + ".weight")
        let isNamed = source.configuration.architecture?.hasSuffix("ForMaskedLM") == true
        guard isNamed && isNeeded || root.has(plan.transform + ".weight") else { return nil }
        let isTied = try source.configuration.bool("tie_word_embeddings", default: true)
        self.plan = plan
        self.hidden = hidden
        self.vocabulary = vocabulary
        dense = source.weights.kernels.f32
        transform = try root.dense(
            plan.transform, outputs: plan.width, inputs: hidden, bias: plan.transformBias, precision: .f32)
        norm = try root.norm(plan.norm, width: plan.width, epsilon: plan.epsilon, bias: plan.normBias)
        let hasOwn = !plan.decoder.isEmpty && (root.has(plan.decoder) || !isTied)
        let name = hasOwn ? root.prefix + plan.decoder : base.prefix + plan.words
        decoder = try source.weights.stored(name, [vocabulary, plan.width], use: .table)
        var biases = plan.biases
        if !isTied, !plan.decoder.isEmpty { biases = Array(biases.prefix(1)) }
        bias = try (biases.first(where: root.has) ?? biases.last).map { name throws(FileError) in
            try root.floats(name, [vocabulary])
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

    /// Computes the logits and sparse vectors of the sequences that want them.
    /// - Parameter x: The last layer's states, [rows, hidden].
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
                guard scratch.control.shouldContinue() else { return }
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

/// The maximum or the sum of each token's value over a sequence's rows of logits.
private struct SparseSum {
    let pooling: SparsePooling
    /// The largest logits so far, or the sums of values, [vocabulary].
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
