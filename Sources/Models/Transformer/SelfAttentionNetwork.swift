import Kernels
import ModelFiles

/// A single self-attention over feature vectors: softmax(QKᵀ/√d_k)V (Vaswani et al. 2017,
/// https://arxiv.org/abs/1706.03762, equation 1), or the softmax of the cosines of queries and keys, with Q = X W_Qᵀ, K
/// = X W_Kᵀ, V = X W_Vᵀ.
struct SelfAttentionNetwork: Network {
    enum Score: String, CaseIterable {
        case scaledDotProduct = "scaled_dot_product"
        /// The cosine of each query and key, unscaled (torch.nn.functional.cosine_similarity).
        case cosine
    }

    let description: ModelDescription
    private let kernels: KernelTable
    private let score: Score
    let attention: SelfAttentionPass
    /// The projections of queries, keys and values as one weight, [2 · keySize + valueSize, inputSize].
    let qkv: PackedWeight

    init(source: Checkpoint) throws(FileError) {
        let c = source.configuration
        let reader = source.weights
        let inputSize = try c.int("input_size", in: 1...65_536)
        let keySize = try c.int("key_size", in: 1...65_536)
        let valueSize = try c.int("value_size", in: 1...65_536)
        score = try c.choice("attention_score", default: Score.scaledDotProduct)
        kernels = reader.kernels
        qkv = try reader.packed(
            [("query.weight", keySize), ("key.weight", keySize), ("value.weight", valueSize)], inputs: inputSize)
        attention = SelfAttentionPass(
            kernels: kernels, attention: kernels.attention(source.weights.precision), heads: 1, headDim: keySize,
            valueDim: valueSize,
            scale: score == .cosine ? 1 : 1 / Float(keySize).squareRoot())
        description = ModelDescription(
            architecture: .init(
                family: "self_attention", input: .features(size: inputSize), stateSizes: [inputSize, valueSize],
                heads: 1, parameters: (2 * keySize + valueSize) * inputSize),
            outputs: .init(
                pooledWidth: valueSize, pooling: [try c.choice("pooling", default: Pooling.mean)],
                normalize: try c.bool("normalize", default: false)),
            attribution: SelfAttention.description,
            runtime: .init(precision: source.weights.precision.rawValue, instructionSet: kernels.instructionSet))
    }

    func forward(_ requests: [SequenceRequest], scratch: Scratch) -> [SequenceResult] {
        let batch = RaggedBatch(requests)
        let working = attention.scratchCount(longest: batch.longest)
        scratch.reserve(
            floats: Scratch.rounded(batch.rows * qkv.inputs) + Scratch.rounded(batch.rows * qkv.outputs)
                + Scratch.rounded(batch.rows * attention.outputs) + Scratch.rounded(working)
                + Scratch.rounded(qkv.dense.scratchCount(batch.rows, qkv.inputs)))
        let x = scratch.take(batch.rows * qkv.inputs)
        let projected = scratch.take(batch.rows * qkv.outputs)
        let out = scratch.take(batch.rows * attention.outputs)
        batch.gatherFeatures(width: qkv.inputs, x)
        var results = batch.emptyResults()
        batch.collect(0, x, width: qkv.inputs, into: &results)
        qkv.apply(
            x, bias: nil, out: projected, rows: batch.rows,
            scratch: scratch.take(qkv.dense.scratchCount(batch.rows, qkv.inputs)))
        if score == .cosine { normalize(projected, rows: batch.rows) }
        var maps = batch.requests.map(SelfAttention.attribution)
        attention.run(
            batch, requests.indices, qkv: projected, out: out, scratch: scratch.take(working), layer: 0, maps: &maps,
            control: scratch.control)
        batch.collect(1, out, width: attention.outputs, into: &results)
        for i in results.indices where maps[i] != nil { results[i].attention = maps[i]?.maps(scratch.control) }
        return results
    }

    /// Divides each query and key by its norm, or by 1e-8 if that is less, as torch.nn.functional.cosine_similarity does.
    private func normalize(_ qkv: UnsafeMutablePointer<Float>, rows: Int) {
        for row in 0..<rows {
            for part in 0..<2 {
                L2Normalize.apply(
                    qkv + row * attention.columns + part * attention.headDim, count: attention.headDim, epsilon: 1e-8)
            }
        }
    }
}
