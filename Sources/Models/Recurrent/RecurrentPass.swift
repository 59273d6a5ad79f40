import Kernels

/// The pass of one direction of one layer over a ragged batch. One dense layer computes the input projections of a chunk
/// of steps. Then the steps are taken, all running sequences together.
struct RecurrentPass {
    let configuration: RecurrentConfiguration
    let layout: RecurrentLayout

    /// The working memory of a pass, taken from scratch once for all layers.
    struct Memory {
        /// Rows of a chunk of steps. They are as many as the dense layer needs for its full speed. They are so few that
        /// their input projections are still in the second level of cache when they are read.
        let chunk: Int
        /// The inputs of a chunk's steps, step after step, [chunk, inputs].
        let inputs: UnsafeMutablePointer<Float>
        /// The projections of the inputs, [chunk, gates · hidden].
        let projections: UnsafeMutablePointer<Float>
        /// h, [2, count, state], and c, [count, hidden], in the layout's order.
        let h: UnsafeMutablePointer<Float>
        let c: UnsafeMutablePointer<Float>
        let stepScratch: UnsafeMutablePointer<Float>
        /// The scratch of dense layers, for rows converted to bf16 or int8.
        let converted: UnsafeMutablePointer<Float>
        /// The rows of the batch, [chunk].
        let rows: UnsafeMutablePointer<Int>
        /// The activated gates, [rows, gates · hidden], and c, [rows, hidden], for attribution. `nil` if no request
        /// wants maps.
        let gates: UnsafeMutablePointer<Float>?
        let cells: UnsafeMutablePointer<Float>?

        private static func chunk(rows: Int, sequences: Int) -> Int { max(sequences, min(rows, 192)) }

        static func count(
            _ weights: RecurrentWeights, _ c: RecurrentConfiguration, rows: Int, sequences: Int, keepsGates: Bool
        ) -> Int {
            let chunk = chunk(rows: rows, sequences: sequences)
            var count = Scratch.rounded(chunk * max(c.inputSize, c.layerSize))
            count += Scratch.rounded(chunk * c.gateSize) + Scratch.rounded(2 * sequences * c.stateSize)
            count += Scratch.rounded(sequences * c.hiddenSize) + Scratch.rounded(weights.convertedCount(rows: chunk))
            count += Scratch.rounded(sequences * (c.cell.gates + 1) * c.hiddenSize) + Scratch.rounded(2 * chunk)
            if keepsGates { count += Scratch.rounded(rows * c.gateSize) + Scratch.rounded(rows * c.hiddenSize) }
            return count
        }

        init(
            _ weights: RecurrentWeights, _ c: RecurrentConfiguration, rows: Int, sequences: Int, keepsGates: Bool,
            _ scratch: Scratch
        ) {
            chunk = Self.chunk(rows: rows, sequences: sequences)
            inputs = scratch.take(chunk * max(c.inputSize, c.layerSize))
            projections = scratch.take(chunk * c.gateSize)
            h = scratch.take(2 * sequences * c.stateSize)
            self.c = scratch.take(sequences * c.hiddenSize)
            stepScratch = scratch.take(sequences * (c.cell.gates + 1) * c.hiddenSize)
            converted = scratch.take(weights.convertedCount(rows: chunk))
            self.rows = UnsafeMutableRawPointer(scratch.take(2 * chunk)).bindMemory(to: Int.self, capacity: chunk)
            gates = keepsGates ? scratch.take(rows * c.gateSize) : nil
            cells = keepsGates ? scratch.take(rows * c.hiddenSize) : nil
        }
    }

    /// The multiplications, some milliseconds, between two looks at the pass's control.
    private static let uncheckedWork = 1e7

    /// Runs all steps.
    /// - Parameters:
    ///   - x: The layer's input, [rows, weights.input.inputs].
    ///   - y: This direction's h_t, written to row r at `y + r * stride`.
    ///   - index: The row of states: layer · directions + direction.
    ///   - control: Tells whether to go on; the results are incomplete if not.
    ///   - states: The final h and c of the sequences that want them; `nil` for the others.
    func run(
        _ weights: RecurrentDirection, reverse: Bool, x: UnsafePointer<Float>, y: UnsafeMutablePointer<Float>,
        stride: Int, index: Int, memory: Memory, control: PassControl, states: inout [RecurrentState?]
    ) {
        let stateSize = configuration.stateSize
        let hidden = configuration.hiddenSize
        let isLSTM = configuration.cell == .lstm
        let count = layout.order.count
        let halves = (memory.h, memory.h + count * stateSize)
        start(memory, index: index)

        var step = RecurrentStepArguments(
            cell: configuration.cell, hidden: hidden, output: stateSize, count: 0, inputs: memory.projections,
            packedHH: weights.hidden.values, biasHN: weights.hiddenBiasN?.values.baseAddress,
            packedHR: weights.projection?.values, h: halves.0, next: halves.1, c: isLSTM ? memory.c : nil, y: y,
            ldY: stride, rows: memory.rows, gates: memory.gates, scratch: memory.stepScratch,
            denseScratch: memory.converted)
        let stepWork = configuration.stepMultiplications(inputs: Double(weights.input.inputs))
        var unchecked = 0.0
        var time = 0
        var running = count
        while time < layout.batch.longest {
            let first = time
            let rows = layout.rows(from: &time, running: running, limit: memory.chunk, reverse: reverse, memory.rows)
            project(weights, x, rows: rows, memory)
            var row = 0
            for time in first..<time {
                running = layout.running(time, of: running)
                unchecked += Double(running) * stepWork
                if unchecked > RecurrentPass.uncheckedWork {
                    unchecked = 0
                    guard control.shouldContinue() else { return }
                }
                let (h, next) = time % 2 == 0 ? halves : (halves.1, halves.0)
                step.count = running
                step.h = UnsafePointer(h)
                step.next = next
                step.inputs = UnsafePointer(memory.projections + row * configuration.gateSize)
                step.rows = UnsafePointer(memory.rows + row)
                step.backward = time % 2 == 1
                weights.hidden.dense.recurrentStep(step)
                if isLSTM, let cells = memory.cells {
                    for r in 0..<running {
                        (cells + memory.rows[row + r] * hidden).update(from: memory.c + r * hidden, count: hidden)
                    }
                }
                row += running
            }
        }
        for (r, sequence) in layout.order.enumerated() where states[sequence] != nil {
            // The parity of a sequence's length tells which half its last step wrote.
            let h = layout.batch.lengths[sequence] % 2 == 0 ? halves.0 : halves.1
            for i in 0..<stateSize { states[sequence]?.hidden.values[index * stateSize + i] = h[r * stateSize + i] }
            guard isLSTM else { continue }
            for i in 0..<hidden { states[sequence]?.cell?.values[index * hidden + i] = memory.c[r * hidden + i] }
        }
    }

    /// Computes the input projections of a chunk, from rows that are gathered unless they are consecutive.
    private func project(_ weights: RecurrentDirection, _ x: UnsafePointer<Float>, rows: Int, _ memory: Memory) {
        let width = weights.input.inputs
        var inputs = x + memory.rows[0] * width
        if (1..<rows).contains(where: { memory.rows[$0] != memory.rows[0] + $0 }) {
            for r in 0..<rows { (memory.inputs + r * width).update(from: x + memory.rows[r] * width, count: width) }
            inputs = UnsafePointer(memory.inputs)
        }
        weights.input.apply(
            inputs, bias: weights.bias, out: memory.projections, rows: rows,
            scratch: memory.converted)
    }

    /// Sets h_0 and c_0 to the sequences' initial states, else to zeros.
    private func start(_ memory: Memory, index: Int) {
        func fill(_ target: UnsafeMutablePointer<Float>, _ size: Int, _ matrix: Matrix?) {
            guard let matrix, matrix.columns == size, (index + 1) * size <= matrix.values.count else {
                target.update(repeating: 0, count: size)
                return
            }
            matrix.values.withUnsafeBufferPointer { values in
                if let base = values.baseAddress { target.update(from: base + index * size, count: size) }
            }
        }
        for (r, sequence) in layout.order.enumerated() {
            let state = layout.batch.requests[sequence].outputs.initialState
            fill(memory.h + r * configuration.stateSize, configuration.stateSize, state?.hidden)
            fill(memory.c + r * configuration.hiddenSize, configuration.hiddenSize, state?.cell)
        }
    }
}
