/// How the sequences of a ragged batch share one stack of rows, and in which order they step.
///
/// Longest first: at step t those that still run are the first ones, so no step is padded.
struct RecurrentLayout {
    let batch: RaggedBatch
    /// Sequences, longest first; those of equal length in the batch's order.
    let order: [Int]

    init(_ batch: RaggedBatch) {
        self.batch = batch
        let lengths = batch.lengths
        order = lengths.indices.sorted { (lengths[$1], $0) < (lengths[$0], $1) }
    }

    /// Writes the rows that the running sequences read and write at a step: from their first row on, or, in reverse, from
    /// their own last row back.
    /// - Returns: how many still run.
    func rows(step: Int, reverse: Bool, running: Int, _ rows: UnsafeMutablePointer<Int>) -> Int {
        var running = running
        while running > 0, batch.lengths[order[running - 1]] <= step { running -= 1 }
        for r in 0..<running {
            let sequence = order[r]
            rows[r] = batch.offsets[sequence] + (reverse ? batch.lengths[sequence] - 1 - step : step)
        }
        return running
    }
}
