import Kernels

/// One direction of one layer over a ragged batch: the input projections of all steps by one dense layer, then step by
/// step, all running sequences together.
struct RecurrentPass {
    let kernels: KernelTable
    let configuration: RecurrentConfiguration
    let layout: RecurrentLayout

    /// What a pass works in, taken from scratch once for all layers.
    struct Memory {
        /// [rows, gates · hidden]: the input projections.
        let projections: UnsafeMutablePointer<Float>
        /// [count, state] and [count, hidden], by the layout's order.
        let h: UnsafeMutablePointer<Float>
        let c: UnsafeMutablePointer<Float>
        let stepScratch: UnsafeMutablePointer<Float>
        let stepRows: UnsafeMutablePointer<Int>
        /// What maps are made of, or nil: [rows, gates · hidden] and [rows, hidden].
        let gates: UnsafeMutablePointer<Float>?
        let cells: UnsafeMutablePointer<Float>?

        static func count(_ c: RecurrentConfiguration, rows: Int, sequences: Int, keepsGates: Bool) -> Int {
            var count = Scratch.rounded(rows * c.gateSize) + Scratch.rounded(sequences * c.stateSize)
            count += Scratch.rounded(sequences * c.hiddenSize)
            count += Scratch.rounded(sequences * (c.cell.gates + 1) * c.hiddenSize) + Scratch.rounded(2 * sequences)
            if keepsGates { count += Scratch.rounded(rows * c.gateSize) + Scratch.rounded(rows * c.hiddenSize) }
            return count
        }

        init(_ c: RecurrentConfiguration, rows: Int, sequences: Int, keepsGates: Bool, _ scratch: Scratch) {
            projections = scratch.take(rows * c.gateSize)
            h = scratch.take(sequences * c.stateSize)
            self.c = scratch.take(sequences * c.hiddenSize)
            stepScratch = scratch.take(sequences * (c.cell.gates + 1) * c.hiddenSize)
            stepRows = UnsafeMutableRawPointer(scratch.take(2 * sequences)).bindMemory(
                to: Int.self, capacity: sequences)
            gates = keepsGates ? scratch.take(rows * c.gateSize) : nil
            cells = keepsGates ? scratch.take(rows * c.hiddenSize) : nil
        }
    }

    /// - Parameters:
    ///   - x: [rows, weights.input.inputs], the layer's input.
    ///   - y: where this direction's h_t go: row r at `y + r * pitch`.
    ///   - index: layer · directions + direction: the row of states.
    ///   - states: of the sequences that want them, the final h and c are put there.
    func run(
        _ weights: RecurrentDirection, reverse: Bool, x: UnsafePointer<Float>, y: UnsafeMutablePointer<Float>,
        pitch: Int, index: Int, memory: Memory, states: inout [RecurrentState?]
    ) {
        let batch = layout.batch
        let stateSize = configuration.stateSize
        let hidden = configuration.hiddenSize
        let isLSTM = configuration.cell == .lstm
        weights.input.apply(kernels, x, bias: weights.bias, out: memory.projections, rows: batch.rows)
        start(memory, index: index)

        var step = RecurrentStep(
            cell: configuration.cell, hidden: hidden, output: stateSize, count: 0, inputs: memory.projections,
            inputRows: memory.stepRows, packedHH: weights.hidden.values,
            biasHN: weights.hiddenBiasN?.values.baseAddress, packedHR: weights.projection?.values, h: memory.h,
            c: isLSTM ? memory.c : nil, gates: memory.gates, scratch: memory.stepScratch)
        var running = layout.order.count
        for time in 0..<batch.longest {
            running = layout.rows(step: time, reverse: reverse, running: running, memory.stepRows)
            step.count = running
            kernels.recurrentStep(step)
            for r in 0..<running {
                let row = memory.stepRows[r]
                (y + row * pitch).update(from: memory.h + r * stateSize, count: stateSize)
                if isLSTM, let cells = memory.cells {
                    (cells + row * hidden).update(from: memory.c + r * hidden, count: hidden)
                }
            }
        }
        for (r, sequence) in layout.order.enumerated() where states[sequence] != nil {
            for i in 0..<stateSize {
                states[sequence]?.hidden.values[index * stateSize + i] = memory.h[r * stateSize + i]
            }
            guard isLSTM else { continue }
            for i in 0..<hidden { states[sequence]?.cell?.values[index * hidden + i] = memory.c[r * hidden + i] }
        }
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
