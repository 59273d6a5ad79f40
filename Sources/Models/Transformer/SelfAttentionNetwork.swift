import Kernels
import ModelFiles

/// One self-attention over feature vectors: softmax(QKᵀ/√d_k)V (Vaswani et al. 2017, equation 1), or softmax of the
/// cosines of queries and keys, with Q = X W_Qᵀ, K = X W_Kᵀ, V = X W_Vᵀ.
public struct SelfAttentionNetwork: Network {
    enum Score: String, CaseIterable {
        case scaledDotProduct = "scaled_dot_product"
        /// torch.nn.functional.cosine_similarity of each query and key, unscaled.
        case cosine
    }

    public let description: ModelDescription
    private let kernels: KernelTable
    private let score: Score
    private let attention: SelfAttentionPass
    /// Query, key and value joined, [2 · keySize + valueSize, inputSize].
    private let joined: PackedWeight

    public init(source: Checkpoint) throws(ModelError) {
        let c = source.configuration
        let reader = source.weights
        let inputSize = try c.int("input_size", in: 1...65_536)
        let keySize = try c.int("key_size", in: 1...65_536)
        let valueSize = try c.int("value_size", in: 1...65_536)
        score = try c.choice("attention_score", default: Score.scaledDotProduct)
        kernels = reader.kernels
        joined = try reader.packed(
            [("query.weight", keySize), ("key.weight", keySize), ("value.weight", valueSize)], inputs: inputSize)
        attention = SelfAttentionPass(
            kernels: kernels, attention: kernels.attention(source.weights.precision), heads: 1, headDim: keySize,
            valueDim: valueSize,
            scale: score == .cosine ? 1 : 1 / Float(keySize).squareRoot())
        description = ModelDescription(
            family: "self_attention", input: .features(size: inputSize), hiddenSize: valueSize,
            embeddingSize: valueSize, stateSizes: [inputSize, valueSize], layers: 1, heads: 1, directions: 1,
            maxLength: nil, logitsSize: nil, logitsPerToken: false, labels: nil, answersLogits: false,
            pooling: try c.choice("pooling", default: Pooling.mean), normalize: try c.bool("normalize", default: false),
            attentionMethods: [.raw], stateShape: nil, parameters: (2 * keySize + valueSize) * inputSize,
            precision: source.weights.precision.rawValue, instructionSet: kernels.instructionSet)
    }

    public func forward(_ requests: [SequenceRequest], scratch: Scratch) -> [SequenceResult] {
        let batch = RaggedBatch(requests)
        let working = attention.scratchCount(longest: batch.longest)
        scratch.reserve(
            floats: Scratch.rounded(batch.rows * joined.inputs) + Scratch.rounded(batch.rows * joined.outputs)
                + Scratch.rounded(batch.rows * attention.outputs) + Scratch.rounded(working)
                + Scratch.rounded(joined.dense.scratchCount(batch.rows, joined.inputs)))
        let x = scratch.take(batch.rows * joined.inputs)
        let qkv = scratch.take(batch.rows * joined.outputs)
        let out = scratch.take(batch.rows * attention.outputs)
        batch.gatherFeatures(width: joined.inputs, x)
        var results = batch.emptyResults()
        batch.collect(0, x, width: joined.inputs, into: &results)
        joined.apply(
            x, bias: nil, out: qkv, rows: batch.rows,
            scratch: scratch.take(joined.dense.scratchCount(batch.rows, joined.inputs)))
        if score == .cosine { normalize(qkv, rows: batch.rows) }
        var maps = batch.requests.map { RawAttention($0) }
        attention.run(
            batch, requests.indices, joined: qkv, out: out, scratch: scratch.take(working), layer: 0, maps: &maps)
        batch.collect(1, out, width: attention.outputs, into: &results)
        for i in results.indices where maps[i] != nil { results[i].attention = maps[i]?.maps }
        return results
    }

    /// Makes each query and key of unit length; one shorter than 1e-8 is divided by that, as in torch.
    private func normalize(_ qkv: UnsafeMutablePointer<Float>, rows: Int) {
        let size = attention.headDim
        for row in 0..<rows {
            for part in 0..<2 {
                let vector = qkv + row * attention.columns + part * size
                var sum = 0.0
                for i in 0..<size { sum += Double(vector[i]) * Double(vector[i]) }
                let divisor = max(Float(sum.squareRoot()), 1e-8)
                for i in 0..<size { vector[i] /= divisor }
            }
        }
    }
}
