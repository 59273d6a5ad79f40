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

    /// How many of the first `running` sequences have a step of this number.
    func running(_ step: Int, of running: Int) -> Int {
        var running = running
        while running > 0, batch.lengths[order[running - 1]] <= step { running -= 1 }
        return running
    }

    /// Writes the rows that the running sequences read and write at a stretch of steps, step after step: from their
    /// first row on, or, in reverse, from their own last row back.
    /// - Parameters:
    ///   - step: the first of the steps; on return the one that follows the stretch.
    ///   - limit: the most rows, at least as many as sequences.
    /// - Returns: how many rows.
    func rows(
        from step: inout Int, running: Int, limit: Int, reverse: Bool, _ rows: UnsafeMutablePointer<Int>
    ) -> Int {
        var running = self.running(step, of: running)
        var count = 0
        while running > 0, count + running <= limit {
            for r in 0..<running {
                let sequence = order[r]
                rows[count + r] = batch.offsets[sequence] + (reverse ? batch.lengths[sequence] - 1 - step : step)
            }
            count += running
            step += 1
            running = self.running(step, of: running)
        }
        return count
    }
}
