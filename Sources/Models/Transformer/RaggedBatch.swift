/// Where the sequences of a batch lie in one stack of rows, in the batch's order, without padding.
struct RaggedBatch {
    let requests: [SequenceRequest]
    /// The first row of each sequence.
    let offsets: [Int]
    let lengths: [Int]
    /// Rows of all sequences.
    let rows: Int
    let longest: Int

    init(_ requests: [SequenceRequest]) {
        self.requests = requests
        var offsets: [Int] = []
        var rows = 0
        for request in requests {
            offsets.append(rows)
            rows += request.length
        }
        self.offsets = offsets
        self.rows = rows
        lengths = requests.map(\.length)
        longest = lengths.max() ?? 0
    }

    /// Whether a sequence wants the weight maps of a layer (0 … L − 1).
    func wantsMaps(_ layer: Int) -> Bool { requests.contains { $0.outputs.attention?.layers.contains(layer) ?? false } }

    /// Puts what the sequences want of a layer's states into their results.
    /// - Parameters:
    ///   - layer: 0 (embeddings) … L.
    ///   - states: [rows, width].
    func collect(_ layer: Int, _ states: UnsafePointer<Float>, width: Int, into results: inout [SequenceResult]) {
        for (i, request) in requests.enumerated() {
            let outputs = request.outputs
            let start = states + offsets[i] * width
            if let pooling = outputs.embedding, outputs.embeddingLayer == layer {
                results[i].embedding = pooling.pool(start, length: lengths[i], width: width)
            }
            for (place, wanted) in outputs.stateLayers.enumerated() where wanted == layer {
                results[i].states[place] = Matrix(
                    rows: lengths[i], columns: width,
                    values: Array(UnsafeBufferPointer(start: start, count: lengths[i] * width)))
            }
        }
    }

    /// Results with a place for everything that is asked for.
    func emptyResults() -> [SequenceResult] {
        requests.map { request in
            var result = SequenceResult()
            result.states = Array(
                repeating: Matrix(rows: 0, columns: 0, values: []), count: request.outputs.stateLayers.count)
            return result
        }
    }

    /// Stacks the sequences' feature vectors: `out` [rows, width].
    func gatherFeatures(width: Int, _ out: UnsafeMutablePointer<Float>) {
        for (i, request) in requests.enumerated() {
            guard case .features(let values, let steps) = request.input else { continue }
            values.withUnsafeBufferPointer { values in
                guard let base = values.baseAddress, values.count == steps * width else { return }
                (out + offsets[i] * width).update(from: base, count: values.count)
            }
        }
    }

    /// Stacks the rows of `table` [vocabulary, width] that the sequences' ids name: `out` [rows, width].
    func gatherTokens(_ table: UnsafePointer<Float>, width: Int, _ out: UnsafeMutablePointer<Float>) {
        for (i, request) in requests.enumerated() {
            guard case .tokens(let ids, _) = request.input else { continue }
            for (place, id) in ids.enumerated() {
                (out + (offsets[i] + place) * width).update(from: table + Int(id) * width, count: width)
            }
        }
    }
}
