import Kernels

/// One direction of one layer over a ragged batch: the input projections of a stretch of steps by one dense layer, then
/// these steps, all running sequences together.
struct RecurrentPass {
    let configuration: RecurrentConfiguration
    let layout: RecurrentLayout

    /// What a pass works in, taken from scratch once for all layers.
    struct Memory {
        /// Rows of a stretch. Its input projections are read while they are still in the second level of cache; as many
        /// rows as the dense layer needs to run at its full speed.
        let stretch: Int
        /// [stretch, inputs]: the inputs of a stretch's steps, one step after another.
        let inputs: UnsafeMutablePointer<Float>
        /// [stretch, gates · hidden]: their projections.
        let projections: UnsafeMutablePointer<Float>
        /// [2, count, state] and [count, hidden], by the layout's order.
        let h: UnsafeMutablePointer<Float>
        let c: UnsafeMutablePointer<Float>
        let stepScratch: UnsafeMutablePointer<Float>
        /// Where rows are converted, in bf16 and int8.
        let words: UnsafeMutablePointer<Float>
        /// [stretch]: where the batch has these rows.
        let rows: UnsafeMutablePointer<Int>
        /// What maps are made of, or nil: [rows, gates · hidden] and [rows, hidden].
        let gates: UnsafeMutablePointer<Float>?
        let cells: UnsafeMutablePointer<Float>?

        private static func stretch(rows: Int, sequences: Int) -> Int { max(sequences, min(rows, 192)) }

        static func count(
            _ weights: RecurrentWeights, _ c: RecurrentConfiguration, rows: Int, sequences: Int, keepsGates: Bool
        ) -> Int {
            let stretch = stretch(rows: rows, sequences: sequences)
            var count = Scratch.rounded(stretch * max(c.inputSize, c.layerSize))
            count += Scratch.rounded(stretch * c.gateSize) + Scratch.rounded(2 * sequences * c.stateSize)
            count += Scratch.rounded(sequences * c.hiddenSize) + Scratch.rounded(weights.wordCount(rows: stretch))
            count += Scratch.rounded(sequences * (c.cell.gates + 1) * c.hiddenSize) + Scratch.rounded(2 * stretch)
            if keepsGates { count += Scratch.rounded(rows * c.gateSize) + Scratch.rounded(rows * c.hiddenSize) }
            return count
        }

        init(
            _ weights: RecurrentWeights, _ c: RecurrentConfiguration, rows: Int, sequences: Int, keepsGates: Bool,
            _ scratch: Scratch
        ) {
            stretch = Self.stretch(rows: rows, sequences: sequences)
            inputs = scratch.take(stretch * max(c.inputSize, c.layerSize))
            projections = scratch.take(stretch * c.gateSize)
            h = scratch.take(2 * sequences * c.stateSize)
            self.c = scratch.take(sequences * c.hiddenSize)
            stepScratch = scratch.take(sequences * (c.cell.gates + 1) * c.hiddenSize)
            words = scratch.take(weights.wordCount(rows: stretch))
            self.rows = UnsafeMutableRawPointer(scratch.take(2 * stretch)).bindMemory(to: Int.self, capacity: stretch)
            gates = keepsGates ? scratch.take(rows * c.gateSize) : nil
            cells = keepsGates ? scratch.take(rows * c.hiddenSize) : nil
        }
    }

    /// - Parameters:
    ///   - x: [rows, weights.input.inputs], the layer's input.
    ///   - y: where this direction's h_t go: row r at `y + r * stride`.
    ///   - index: layer · directions + direction: the row of states.
    ///   - states: of the sequences that want them, the final h and c are put there.
    func run(
        _ weights: RecurrentDirection, reverse: Bool, x: UnsafePointer<Float>, y: UnsafeMutablePointer<Float>,
        stride: Int, index: Int, memory: Memory, states: inout [RecurrentState?]
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
            denseScratch: memory.words)
        var time = 0
        var running = count
        while time < layout.batch.longest {
            let first = time
            let rows = layout.rows(from: &time, running: running, limit: memory.stretch, reverse: reverse, memory.rows)
            project(weights, x, rows: rows, memory)
            var row = 0
            for time in first..<time {
                running = layout.running(time, of: running)
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
            // A sequence's last step wrote the half that its length tells.
            let h = layout.batch.lengths[sequence] % 2 == 0 ? halves.0 : halves.1
            for i in 0..<stateSize { states[sequence]?.hidden.values[index * stateSize + i] = h[r * stateSize + i] }
            guard isLSTM else { continue }
            for i in 0..<hidden { states[sequence]?.cell?.values[index * hidden + i] = memory.c[r * hidden + i] }
        }
    }

    /// The input projections of a stretch, from rows that are brought together unless they are so already.
    private func project(_ weights: RecurrentDirection, _ x: UnsafePointer<Float>, rows: Int, _ memory: Memory) {
        let width = weights.input.inputs
        var inputs = x + memory.rows[0] * width
        if (1..<rows).contains(where: { memory.rows[$0] != memory.rows[0] + $0 }) {
            for r in 0..<rows { (memory.inputs + r * width).update(from: x + memory.rows[r] * width, count: width) }
            inputs = UnsafePointer(memory.inputs)
        }
        weights.input.apply(
            inputs, bias: weights.bias, out: memory.projections, rows: rows,
            scratch: memory.words)
    }

    /// h_0 and c_0: what the sequences bring, else zeros.
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
