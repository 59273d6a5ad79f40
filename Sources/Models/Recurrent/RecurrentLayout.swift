/// The order in which the sequences of a ragged batch step: longest first. At step t the sequences that still run are
/// the first ones, so no step is padded.
struct RecurrentLayout {
    let batch: RaggedBatch
    /// The sequences, longest first. Sequences of equal length have the batch's order.
    let order: [Int]

    init(_ batch: RaggedBatch) {
        self.batch = batch
        let lengths = batch.lengths
        order = lengths.indices.sorted { (lengths[$1], $0) < (lengths[$0], $1) }
    }

    /// Returns how many of the first `running` sequences have a step of this number.
    func running(_ step: Int, of running: Int) -> Int {
        var running = running
        while running > 0, batch.lengths[order[running - 1]] <= step { running -= 1 }
        return running
    }

    /// Writes the rows of the running sequences for a chunk of steps, step after step. They begin with each sequence's first
    /// row, or, in reverse, with its last one.
    /// - Parameters:
    ///   - step: The first step of the chunk on entry, the step behind it on return.
    ///   - limit: The most rows, at least the number of sequences.
    /// - Returns: The number of rows.
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
