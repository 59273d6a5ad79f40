import KernelSelection
import Testing

/// A step in each precision. Expected values: numpy and torch, which round h and the weights and compute in f64
/// (Tests/Reference/kernels.py, `packed_recurrent`).
@Suite struct PackedRecurrentTests {
    @Test(arguments: Table.variants, Precision.allCases)
    func steps(_ table: Table, precision: Precision) throws {
        let dense = table.kernels.dense(precision)
        let reference = try Reference("kernels_packed_recurrent")
        for (cell, hidden) in [(RecurrentCell.lstm, 128), (.gru, 96), (.tanh, 160), (.gru, 37)] {
            let key = "\(cell).\(hidden)"
            let gates = cell.gates * hidden
            let w = try reference.floats("\(key).hh")
            let packed = Buffer(dense.packedCount(gates, hidden))
            w.withUnsafeBufferPointer {
                if let base = $0.baseAddress { dense.pack(base, hidden, gates, hidden, packed.base) }
            }
            let inputs = Buffer(try reference.floats("\(key).inputs"))
            let bias = Buffer(try reference.floats("\(key).bias"))
            let h = Buffer(try reference.floats("\(key).h"))
            // All three sequences, and the second alone.
            for (first, count) in [(0, 3), (1, 1)] {
                for backward in [false, true] {
                    let part = (first * hidden)..<((first + count) * hidden)
                    let c = Buffer(Array(try reference.floats("\(key).c")[part]))
                    let (next, y) = (Buffer(count * hidden), Buffer(count * hidden))
                    let scratch = Buffer(count * (cell.gates + 1) * hidden)
                    let denseScratch = Buffer(dense.scratchCount(count, hidden))
                    let rows = Array(0..<count)
                    try rows.withUnsafeBufferPointer { rows in
                        dense.recurrentStep(
                            RecurrentStepArguments(
                                cell: cell, hidden: hidden, output: hidden, count: count,
                                inputs: inputs.base + first * gates, packedHH: packed.base,
                                biasHN: cell == .gru ? bias.base : nil, packedHR: nil, h: h.base + first * hidden,
                                next: next.base, c: cell == .lstm ? c.base : nil, y: y.base, ldY: hidden,
                                rows: try #require(rows.baseAddress), gates: nil, scratch: scratch.base,
                                denseScratch: denseScratch.base, backward: backward))
                    }
                    let want = Array(try reference.floats("\(key).\(precision).y")[part])
                    #expect(relativeError(next.values, want) < 3e-6, "\(key), \(count) from \(first)")
                    #expect(y.values == next.values)
                    if cell == .lstm {
                        let want = Array(try reference.floats("\(key).\(precision).c")[part])
                        #expect(relativeError(c.values, want) < 3e-6, "\(key), \(count) from \(first)")
                    }
                    for buffer in [next, y, c, scratch, denseScratch] { #expect(buffer.untouchedBehind) }
                }
            }
        }
    }
}
