import KernelSelection
import Testing

@Suite struct RecurrentTests {
    /// torch.nn.RNN, GRU and LSTM in f64: states of six steps of three sequences, the final cell, and every gate.
    @Test(arguments: Table.all, ["tanh", "relu", "gru", "lstm", "lstm_proj"])
    func matchesTorch(_ table: Table, name: String) throws {
        let reference = try Reference("kernels_recurrent")
        let cell = try #require(RecurrentCell(rawValue: name == "lstm_proj" ? "lstm" : name))
        let steps = 6
        for hidden in [1, 5, 32, 37] {
            for biased in [0, 1] {
                let key = "\(name).\(hidden).\(biased)"
                if !reference.has("\(key).inputs") {
                    // A projection must be narrower than the state, so hidden 1 has none.
                    #expect(name == "lstm_proj" && hidden == 1)
                    continue
                }
                // All three sequences together, and the second alone: the path for one row is its own.
                for running in [[0, 1, 2], [1]] {
                    try run(table, reference, key, cell: cell, hidden: hidden, running: running, steps: steps)
                }
            }
        }
    }

    func run(
        _ table: Table, _ reference: Reference, _ key: String, cell: RecurrentCell, hidden: Int, running: [Int],
        steps: Int
    ) throws {
        let kernels = table.kernels
        let sequences = 3
        let count = running.count
        let gateWidth = cell.gates * hidden
        let inputs = Buffer(try reference.floats("\(key).inputs"))
        let hh = try reference.floats("\(key).hh")
        let output = try reference.shape("\(key).hh")[1]
        let packedHH = kernels.packed(hh, ldw: output, n: gateWidth, k: output)
        let packedHR =
            reference.has("\(key).hr")
            ? kernels.packed(try reference.floats("\(key).hr"), ldw: hidden, n: output, k: hidden) : nil
        let biasHN = reference.has("\(key).bias_hn") ? Buffer(try reference.floats("\(key).bias_hn")) : nil
        func rows(_ name: String, _ width: Int) throws -> [Float] {
            let all = try reference.floats("\(key).\(name)")
            return running.flatMap { Array(all[($0 * width)..<(($0 + 1) * width)]) }
        }
        let h = Buffer(try rows("h0", output))
        let c = cell == .lstm ? Buffer(try rows("c0", hidden)) : nil
        let gates = Buffer(steps * sequences * gateWidth)
        let scratch = Buffer(count * (cell.gates + 1) * hidden)
        let y = try reference.floats("\(key).y")
        for t in 0..<steps {
            let inputRows = running.map { t * sequences + $0 }
            try inputRows.withUnsafeBufferPointer { inputRows in
                kernels.recurrentStep(
                    RecurrentStep(
                        cell: cell, hidden: hidden, output: output, count: count, inputs: inputs.base,
                        inputRows: try #require(inputRows.baseAddress), packedHH: packedHH.base,
                        biasHN: biasHN.map { UnsafePointer($0.base) },
                        packedHR: packedHR.map { UnsafePointer($0.base) },
                        h: h.base, c: c?.base, gates: gates.base, scratch: scratch.base))
            }
            let want = inputRows.flatMap { Array(y[($0 * output)..<(($0 + 1) * output)]) }
            #expect(relativeError(h.values, want) < 3e-6, "\(key) step \(t) of \(count)")
        }
        if let c { #expect(relativeError(c.values, try rows("c", hidden)) < 3e-6, "\(key)") }
        let wantGates = try reference.floats("\(key).gates")
        for row in 0..<steps * sequences {
            let range = (row * gateWidth)..<((row + 1) * gateWidth)
            if running.contains(row % sequences) {
                let error = zip(gates.values[range], wantGates[range]).map { abs($0 - $1) / max(1, abs($1)) }.max()
                #expect(try #require(error) < 3e-6, "\(key) gates of row \(row)")
            } else {
                #expect(gates.values[range].allSatisfy { $0.isNaN }, "\(key) row \(row) is not running")
            }
        }
        for buffer in [h, c, gates, scratch].compactMap({ $0 }) { #expect(buffer.untouchedBehind) }
    }
}
