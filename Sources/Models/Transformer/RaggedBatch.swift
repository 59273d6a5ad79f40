import Kernels

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

    /// Consecutive sequences from `first` on with at most `limit` rows together, but at least one sequence.
    func group(from first: Int, limit: Int) -> Range<Int> {
        var end = first
        var rows = 0
        repeat {
            rows += lengths[end]
            end += 1
        } while end < lengths.count && rows + lengths[end] <= limit
        return first..<end
    }

    /// Puts what the sequences want of a layer's states into their results.
    /// - Parameters:
    ///   - layer: 0 (embeddings) … L.
    ///   - states: [rows, width].
    func collect(_ layer: Int, _ states: UnsafePointer<Float>, width: Int, into results: inout [SequenceResult]) {
        for (i, request) in requests.enumerated() {
            let outputs = request.outputs
            let start = states + offsets[i] * width
            if let pooling = outputs.embedding, outputs.embeddingLayer == layer {
                let skipped = min(max(outputs.poolingStart, 0), lengths[i] - 1)
                results[i].embedding = ([pooling] + outputs.morePooling).flatMap {
                    $0.pool(start + skipped * width, length: lengths[i] - skipped, width: width, position: skipped)
                }
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

    /// Stacks the sequences' feature vectors: `out` [rows, width]. As with ids, callers check; NaN where one has not.
    func gatherFeatures(width: Int, _ out: UnsafeMutablePointer<Float>) {
        for (i, request) in requests.enumerated() {
            let target = out + offsets[i] * width
            guard case .features(let values, let steps) = request.input, values.count == steps * width else {
                target.update(repeating: .nan, count: lengths[i] * width)
                continue
            }
            values.withUnsafeBufferPointer { values in
                if let base = values.baseAddress { target.update(from: base, count: values.count) }
            }
        }
    }

    /// Stacks the rows of `table` that the sequences' ids name: `out` [rows, width].
    func gatherTokens(_ table: EmbeddingTable, _ out: UnsafeMutablePointer<Float>) {
        let width = table.width
        for (i, request) in requests.enumerated() {
            guard case .tokens(let ids, _) = request.input else {
                (out + offsets[i] * width).update(repeating: .nan, count: lengths[i] * width)
                continue
            }
            for (place, id) in ids.enumerated() {
                table.copyRow(Int(id), to: out + (offsets[i] + place) * width)
            }
        }
    }
}
