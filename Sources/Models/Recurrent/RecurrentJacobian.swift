import Kernels

/// The norms ‖∂h_t/∂x_s‖_F of the derivatives of h_t with respect to the network's input x_s (for ids, the embedding
/// vector). h_t is that of the last layer, all directions joined. The derivatives are those of
/// torch.autograd.functional.jacobian for torch.nn.RNN, GRU or LSTM. For one plain layer the norm is
/// ‖A_t ⋯ A_{s+1} D_s‖_F with A = diag(φ') W_hh, D = diag(φ') W_ih.
///
/// It is computed in forward mode: each component of each x_s has a tangent, and the tangents pass through the layers
/// as rows of one dense layer. States that x_s cannot reach, such as earlier ones of a forward direction, carry no
/// tangents.
struct RecurrentJacobian: RecurrentAttribution {
    static let method = AttentionMethod.jacobian

    private let network: RecurrentNetwork
    private let selection: AttentionSelection
    private let initialState: RecurrentState?
    private let length: Int
    /// The derivatives of the cells recorded so far, at index layer · directions + direction.
    private var cells: [CellTangents] = []

    /// The number of floats, 32 MB, that the tangents of whole layers take at once, about.
    private static let keptFloats = 8 << 20
    private static let mostTangents = 1024
    /// The most multiplications for one map: about 20 s of one Zen 4 core with AVX-512.
    private static let mostMultiplications = 1e12

    /// Returns the steps, at least 1, for which a map takes no more work than `mostMultiplications`.
    static func maxLength(_ c: RecurrentConfiguration) -> Int? {
        let steps = (mostMultiplications / multiplications(c, length: 1)).squareRoot()
        return max(1, Int(min(steps, 1e9)))
    }

    static func isSupported(by configuration: RecurrentConfiguration) -> Bool { true }

    init?(_ request: SequenceRequest, _ network: RecurrentNetwork) {
        guard let selection = Self.selection(request) else { return nil }
        self.selection = selection
        self.network = network
        initialState = request.outputs.initialState
        length = request.length
    }

    /// Keeps the derivatives of a layer's direction; in the pass's order, the forward direction first.
    mutating func record(_ trace: RecurrentTrace) {
        guard let gates = trace.memory.gates, let cellStates = trace.memory.cells else { return }
        let c = network.configuration
        let (layer, direction, first) = (trace.layer, trace.direction, trace.firstRow)
        cells.append(
            CellTangents(
                network, network.weights.layers[layer][direction], reverse: direction == 1, length: length,
                gates: gates + first * c.gateSize, cells: cellStates + first * c.hiddenSize,
                states: trace.states + first * trace.stride, stride: trace.stride, initial: initialState,
                index: layer * c.directions + direction))
    }

    func maps(_ control: PassControl) -> AttentionMaps {
        let c = network.configuration
        let queries = selection.queries ?? Array(0..<length)
        // If the network reads forward only, positions behind the last query change nothing.
        let needed = c.directions == 1 ? (queries.max() ?? 0) + 1 : length
        var weights = [Float](repeating: 0, count: queries.count * length)
        var rowOfQuery = [Int](repeating: -1, count: length)
        for (row, query) in queries.enumerated() { rowOfQuery[query] = row }

        let total = needed * c.inputSize
        let kept = c.layers == 1 ? 1 : 2 * needed * c.layerSize
        let together = min(total, max(1, min(Self.mostTangents, Self.keptFloats / kept)))
        let converted = network.weights.convertedCount(rows: together)
        let memory = TangentMemory(c, rows: together, length: needed, convertedCount: converted)
        var first = 0
        while first < total, !control.isStopped {
            let tangents = first..<min(first + together, total)
            for layer in 0..<c.layers {
                if layer + 1 < c.layers { memory.clearOutput(rows: tangents.count, c) }
                for direction in 0..<c.directions {
                    run(layer, direction, tangents, needed, memory, control) { t, active in
                        if rowOfQuery[t] < 0 { return }
                        let row = rowOfQuery[t] * length
                        for (s, squares) in memory.squares(active, from: first, c) { weights[row + s] += squares }
                    }
                }
                memory.swapLayers()
            }
            first = tangents.upperBound
        }
        for i in weights.indices { weights[i] = weights[i].squareRoot() }
        return AttentionMaps(
            axes: Self.method.axes, shape: [queries.count, length], weights: weights, reconstructionMaxError: nil,
            rowSumMaxError: nil)
    }

    /// Carries tangents through one direction of one layer.
    /// - Parameters:
    ///   - tangents: The tangents' numbers; that of component n of x_s is s · inputSize + n.
    ///   - finish: Called in the last layer for each position t once h̃_t of the tangents `active` are in memory.
    private func run(
        _ layer: Int, _ direction: Int, _ tangents: Range<Int>, _ length: Int, _ memory: TangentMemory,
        _ control: PassControl,
        finish: (_ t: Int, _ active: Range<Int>) -> Void
    ) {
        let c = network.configuration
        let inputs = c.inputSize
        let weights = network.weights.layers[layer][direction]
        let cell = cells[layer * c.directions + direction]
        let rows = tangents.count
        let (state, hidden, gates) = (c.stateSize, c.hiddenSize, c.gateSize)
        memory.h.update(repeating: 0, count: rows * state)
        memory.c.update(repeating: 0, count: rows * hidden)
        for step in 0..<length {
            let t = direction == 0 ? step : length - 1 - step
            // The tangents of positions that this direction has read; above a bidirectional layer, all.
            var active = 0..<rows
            if layer == 0 || c.directions == 1 {
                let first = min(max(t * inputs - tangents.lowerBound, 0), rows)
                let end = min(max((t + 1) * inputs - tangents.lowerBound, 0), rows)
                active = direction == 0 ? 0..<end : first..<rows
            }
            if active.isEmpty { continue }
            guard control.shouldContinue() else { return }
            let h = memory.h + active.lowerBound * state
            weights.hidden.apply(
                h, bias: nil, out: memory.b, rows: active.count, scratch: memory.converted)
            if layer > 0 {
                let x = memory.x + (t * rows + active.lowerBound) * c.layerSize
                weights.input.apply(
                    x, bias: nil, out: memory.a, rows: active.count, scratch: memory.converted)
            }
            for row in active {
                let place = row - active.lowerBound
                var a = UnsafePointer(memory.a + place * gates)
                if layer == 0 {
                    // x̃ is a unit vector at the tangent's own position, else zero.
                    let (position, component) = (tangents.lowerBound + row).quotientAndRemainder(dividingBy: inputs)
                    if position == t {
                        memory.unit[component] = 1
                        weights.input.apply(
                            memory.unit, bias: nil, out: memory.a, rows: 1, scratch: memory.converted)
                        memory.unit[component] = 0
                        a = UnsafePointer(memory.a)
                    } else {
                        a = UnsafePointer(memory.zeros)
                    }
                }
                let target = weights.projection == nil ? h + place * state : memory.projected + place * hidden
                cell.step(at: t, a: a, b: memory.b + place * gates, h: target, c: memory.c + row * hidden)
            }
            if let projection = weights.projection {
                projection.apply(
                    memory.projected, bias: nil, out: h, rows: active.count, scratch: memory.converted)
            }
            if layer + 1 < c.layers {
                for row in active {
                    let target = memory.y + (t * rows + row) * c.layerSize + direction * state
                    target.update(from: memory.h + row * state, count: state)
                }
            } else {
                finish(t, active)
            }
        }
    }
}

extension RecurrentJacobian {
    /// The memory for the tangents.
    private final class TangentMemory {
        /// h̃, [rows, state], and c̃, [rows, hidden].
        let h: UnsafeMutablePointer<Float>
        let c: UnsafeMutablePointer<Float>
        /// The projections of x̃ and of h̃, [rows, gates · hidden] each.
        let a: UnsafeMutablePointer<Float>
        let b: UnsafeMutablePointer<Float>
        /// m̃ of an LSTM with a projection, [rows, hidden].
        let projected: UnsafeMutablePointer<Float>
        /// Zeros, [gates · hidden].
        let zeros: UnsafeMutablePointer<Float>
        /// The unit vector where a tangent begins, else zeros, [inputs].
        let unit: UnsafeMutablePointer<Float>
        /// The scratch of dense layers, for converted rows.
        let converted: UnsafeMutablePointer<Float>
        /// The tangents of the layer below and of this one, [length, rows, layerSize] each; empty for a single layer.
        private(set) var x: UnsafeMutablePointer<Float>
        private(set) var y: UnsafeMutablePointer<Float>
        private let length: Int
        private let scratch = Scratch()

        init(_ c: RecurrentConfiguration, rows: Int, length: Int, convertedCount: Int) {
            let layer = c.layers == 1 ? 0 : length * rows * c.layerSize
            let counts = [rows * c.stateSize, rows * c.hiddenSize, rows * c.gateSize, rows * c.gateSize]
            let others = [rows * c.hiddenSize, c.gateSize, layer, layer, c.inputSize, convertedCount]
            scratch.reserve(floats: (counts + others).reduce(0) { $0 + Scratch.rounded($1) })
            h = scratch.take(counts[0])
            self.c = scratch.take(counts[1])
            a = scratch.take(counts[2])
            b = scratch.take(counts[3])
            projected = scratch.take(others[0])
            zeros = scratch.take(others[1])
            x = scratch.take(layer)
            y = scratch.take(layer)
            unit = scratch.take(c.inputSize)
            converted = scratch.take(convertedCount)
            zeros.update(repeating: 0, count: c.gateSize)
            unit.update(repeating: 0, count: c.inputSize)
            self.length = length
        }

        /// Clears this layer's output, since tangents that it does not carry are zero for the layer above.
        func clearOutput(rows: Int, _ c: RecurrentConfiguration) {
            y.update(repeating: 0, count: length * rows * c.layerSize)
        }

        func swapLayers() { swap(&x, &y) }

        /// Returns Σ h̃² of the tangents in `active` by their position s.
        /// - Parameter first: The number of the first tangent in memory.
        func squares(_ active: Range<Int>, from first: Int, _ c: RecurrentConfiguration) -> [(s: Int, sum: Float)] {
            var sums: [(s: Int, sum: Float)] = []
            var row = active.lowerBound
            while row < active.upperBound {
                let s = (first + row) / c.inputSize
                let end = min(active.upperBound, (s + 1) * c.inputSize - first)
                var sum = 0.0
                for i in (row * c.stateSize)..<(end * c.stateSize) { sum += Double(h[i]) * Double(h[i]) }
                sums.append((s, Float(sum)))
                row = end
            }
            return sums
        }
    }
}
