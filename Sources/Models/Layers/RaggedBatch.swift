/// The layout of a batch: the rows of all sequences in one stack, in the batch's order, without padding.
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

    /// Returns consecutive sequences from `first` on that have at most `limit` rows together; at least one sequence.
    func group(from first: Int, limit: Int) -> Range<Int> {
        var end = first
        var rows = 0
        repeat {
            rows += lengths[end]
            end += 1
        } while end < lengths.count && rows + lengths[end] <= limit
        return first..<end
    }

    /// Puts the states and pooled vectors that the sequences want of a layer into their results.
    /// - Parameters:
    ///   - layer: 0 (embeddings) … L.
    ///   - states: [rows, width].
    ///   - pools: Whether the layer's states are pooled. If not, the embeddings stay as they are.
    ///   - last: Returns the vector of a sequence for `Pooling.last`. `nil` takes the state at its last position.
    func collect(
        _ layer: Int, _ states: UnsafePointer<Float>, width: Int, into results: inout [SequenceResult],
        pools: Bool = true, last: ((_ sequence: Int) -> [Float])? = nil
    ) {
        for (i, request) in requests.enumerated() {
            let outputs = request.outputs
            if pools, !outputs.pooling.isEmpty, outputs.embeddingLayer == layer {
                results[i].embedding = pooled(i, states, width: width, last: last)
            }
            for (place, wanted) in outputs.stateLayers.enumerated() where wanted == layer {
                results[i].states[place] = Matrix(
                    rows: lengths[i], columns: width,
                    values: Array(UnsafeBufferPointer(start: states + offsets[i] * width, count: lengths[i] * width)))
            }
        }
    }

    /// Returns a sequence's pooled vectors, joined, without the tokens that pooling leaves out.
    /// - Parameters:
    ///   - states: [rows, width], of all sequences; not read if `last` is the only way of pooling and a closure is given.
    ///   - last: Returns the vector of a sequence for `Pooling.last`. `nil` takes the state at its last position.
    func pooled(
        _ sequence: Int, _ states: UnsafePointer<Float>, width: Int, last: ((_ sequence: Int) -> [Float])? = nil
    ) -> [Float] {
        let outputs = requests[sequence].outputs
        let skipped = min(max(outputs.poolingStart, 0), lengths[sequence] - 1)
        return outputs.pooling.flatMap { pooling in
            if pooling == .last, let last { return last(sequence) }
            return pooling.pool(
                states + (offsets[sequence] + skipped) * width, length: lengths[sequence] - skipped, width: width,
                position: skipped)
        }
    }

    /// Returns results with a place for each layer's states that are wanted.
    func emptyResults() -> [SequenceResult] {
        requests.map { request in
            var result = SequenceResult()
            result.states = Array(
                repeating: Matrix(rows: 0, columns: 0, values: []), count: request.outputs.stateLayers.count)
            return result
        }
    }

    /// Stacks the sequences' feature vectors into `out`, [rows, width]. Callers check their size; one of another size
    /// gives NaN.
    func gatherFeatures(width: Int, _ out: UnsafeMutablePointer<Float>) {
        for (i, request) in requests.enumerated() {
            let target = out + offsets[i] * width
            guard let values = request.input.features, values.count == lengths[i] * width else {
                target.update(repeating: .nan, count: lengths[i] * width)
                continue
            }
            values.withUnsafeBufferPointer { values in
                if let base = values.baseAddress { target.update(from: base, count: values.count) }
            }
        }
    }

    /// Stacks the rows of `table` that the sequences' ids name into `out`, [rows, width].
    func gatherTokens(_ table: EmbeddingTable, _ out: UnsafeMutablePointer<Float>) {
        let width = table.width
        for (i, request) in requests.enumerated() {
            guard let ids = request.input.ids else {
                (out + offsets[i] * width).update(repeating: .nan, count: lengths[i] * width)
                continue
            }
            for (place, id) in ids.enumerated() {
                table.copyRow(Int(id), to: out + (offsets[i] + place) * width)
            }
        }
    }
}
