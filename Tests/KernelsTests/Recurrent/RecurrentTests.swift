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
        func states(_ name: String, _ width: Int) throws -> [Float] {
            let all = try reference.floats("\(key).\(name)")
            return running.flatMap { Array(all[($0 * width)..<(($0 + 1) * width)]) }
        }
        var h = Buffer(try states("h0", output))
        var next = Buffer(count * output)
        let c = cell == .lstm ? Buffer(try states("c0", hidden)) : nil
        let stride = output + 3
        let y = Buffer((steps * sequences - 1) * stride + output)
        let gates = Buffer(steps * sequences * gateWidth)
        let scratch = Buffer(count * (cell.gates + 1) * hidden)
        let wantY = try reference.floats("\(key).y")
        for t in 0..<steps {
            // Neighbors: the inputs of a step lie side by side.
            let rows = running.map { t * sequences + $0 }
            try rows.withUnsafeBufferPointer { rows in
                kernels.f32.recurrentStep(
                    RecurrentStepArguments(
                        cell: cell, hidden: hidden, output: output, count: count,
                        inputs: inputs.base + rows[0] * gateWidth, packedHH: packedHH.base,
                        biasHN: biasHN.map { UnsafePointer($0.base) },
                        packedHR: packedHR.map { UnsafePointer($0.base) },
                        h: h.base, next: next.base, c: c?.base, y: y.base, ldY: stride,
                        rows: try #require(rows.baseAddress), gates: gates.base, scratch: scratch.base,
                        backward: t % 2 == 1))
            }
            swap(&h, &next)
            let want = rows.flatMap { Array(wantY[($0 * output)..<(($0 + 1) * output)]) }
            #expect(relativeError(h.values, want) < 3e-6, "\(key) step \(t) of \(count)")
            let given = rows.flatMap { Array(y.values[($0 * stride)..<($0 * stride + output)]) }
            #expect(given == h.values, "\(key) step \(t) of \(count)")
        }
        if let c { #expect(relativeError(c.values, try states("c", hidden)) < 3e-6, "\(key)") }
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
        for buffer in [h, next, c, y, gates, scratch].compactMap({ $0 }) { #expect(buffer.untouchedBehind) }
    }
}
