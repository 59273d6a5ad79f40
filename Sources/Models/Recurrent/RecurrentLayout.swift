/// How the sequences of a ragged batch share one stack of rows, and in which order they step.
///
/// Longest first: at step t those that still run are the first `running(t)`, so no step is padded.
struct RecurrentLayout {
    /// By sequence, in the batch's order: its first row, and how many it has.
    let offsets: [Int]
    let lengths: [Int]
    /// Rows of all sequences.
    let rows: Int
    /// Sequences, longest first; those of equal length in the batch's order.
    let order: [Int]
    var longest: Int { order.first.map { lengths[$0] } ?? 0 }

    init(lengths: [Int]) {
        self.lengths = lengths
        var offsets: [Int] = []
        offsets.reserveCapacity(lengths.count)
        var rows = 0
        for length in lengths {
            offsets.append(rows)
            rows += length
        }
        self.offsets = offsets
        self.rows = rows
        order = lengths.indices.sorted { (lengths[$1], $0) < (lengths[$0], $1) }
    }

    /// Calls `body` for each step with how many sequences run, having set `stepRows[r]` to the row that the r-th
    /// sequence of `order` reads and writes: from its first row on, or, in reverse, from its own last row back.
    func forEachStep(reverse: Bool, stepRows: inout [Int], _ body: (_ running: Int, _ rows: [Int]) -> Void) {
        var running = order.count
        for step in 0..<longest {
            while running > 0, lengths[order[running - 1]] <= step { running -= 1 }
            for r in 0..<running {
                let sequence = order[r]
                stepRows[r] = offsets[sequence] + (reverse ? lengths[sequence] - 1 - step : step)
            }
            body(running, stepRows)
        }
    }
}
