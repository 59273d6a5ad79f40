/// The attention weights themselves: softmax(scale · q·kᵀ) of the layers and heads asked for.
struct RawAttention: SelfAttentionAttribution {
    static let method = AttentionMethod.raw

    private let selection: AttentionSelection
    private let length: Int
    private let queries: [Int32]
    /// [layers, heads, queries, length]
    private var weights: [Float]
    private var reconstructionMaxError: Float = 0
    private var rowSumMaxError: Float = 0

    init?(_ request: SequenceRequest) {
        guard let selection = Self.selection(request) else { return nil }
        self.selection = selection
        length = request.length
        queries = (selection.queries ?? Array(0..<request.length)).map { Int32($0) }
        weights = [Float](
            repeating: 0, count: selection.layers.count * selection.heads.count * queries.count * request.length)
    }

    func wants(layer: Int) -> Bool { selection.layers.contains(layer) }
    func wants(layer: Int, head: Int) -> Bool { wants(layer: layer) && selection.heads.contains(head) }

    /// Writes the map [queries, length] of a layer and head; one that is asked for more than once is copied.
    mutating func record(_ trace: HeadTrace) {
        let size = queries.count * length
        let places = selection.places(layer: trace.layer, head: trace.head).map { $0 * size }
        guard let first = places.first else { return }
        fillMap(first, trace)
        for place in places.dropFirst() {
            for n in 0..<size { weights[place + n] = weights[first + n] }
        }
    }

    private mutating func fillMap(_ place: Int, _ trace: HeadTrace) {
        let length = length
        let (reconstruction, sums) = weights.withUnsafeMutableBufferPointer { weights in
            queries.withUnsafeBufferPointer { queries -> (Float, Float) in
                guard let base = weights.baseAddress, !queries.isEmpty else { return (0, 0) }
                let map = base + place
                let reconstruction = trace.writeWeights(queries, map)
                var worst = 0.0
                for row in 0..<queries.count {
                    var sum = 0.0
                    for key in 0..<length { sum += Double(map[row * length + key]) }
                    worst = max(worst, abs(sum - 1))
                }
                return (reconstruction, Float(worst))
            }
        }
        reconstructionMaxError = max(reconstructionMaxError, reconstruction)
        rowSumMaxError = max(rowSumMaxError, sums)
    }

    func maps(_ control: PassControl) -> AttentionMaps {
        AttentionMaps(
            axes: Self.method.axes,
            shape: [selection.layers.count, selection.heads.count, queries.count, length], weights: weights,
            reconstructionMaxError: reconstructionMaxError, rowSumMaxError: rowSumMaxError)
    }
}
