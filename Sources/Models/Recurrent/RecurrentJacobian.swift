import Kernels

/// ‖∂h_t/∂x_s‖_F: h of the last layer, all directions joined, by the network's input at position s (for ids: by the
/// embedding vector). The norm, over both vectors, of what torch.autograd.functional.jacobian gives for torch.nn.RNN, GRU
/// or LSTM; for one plain layer ‖A_t ⋯ A_{s+1} D_s‖_F with A = diag(φ') W_hh, D = diag(φ') W_ih.
///
/// Forward mode: each component of each x_s has a tangent, and the tangents go through the layers as rows of one dense
/// layer. Where x_s cannot reach a state (of later positions, for a direction that reads forward), none are carried.
struct RecurrentJacobian {
    private let network: RecurrentNetwork
    private let selection: AttentionSelection
    private let initialState: RecurrentState?
    private let length: Int
    /// By layer · directions + direction, filled as the pass goes.
    private var cells: [CellTangents] = []

    /// Floats of tangents of whole layers that are kept at once, about (32 MB), and the most tangents carried together.
    private static let keptFloats = 8 << 20
    private static let mostTangents = 1024
    /// Multiplications for one map, at most: about 20 s of one Zen 4 core with AVX-512.
    private static let mostMultiplications = 1e12

    /// Steps for which a map takes no more work than `mostMultiplications`, at least 1.
    static func maxLength(_ c: RecurrentConfiguration) -> Int {
        let (gates, state) = (Double(c.gateSize), Double(c.stateSize))
        let projection = c.projectionSize == nil ? 0 : state * Double(c.hiddenSize)
        var perTangent = 0.0
        for layer in 0..<c.layers {
            let work = gates * (state + (layer > 0 ? Double(c.layerSize) : 0)) + projection
            // On average half of the positions have tangents, where what is read later has none yet.
            perTangent += Double(c.directions) * work * (layer == 0 || c.directions == 1 ? 0.5 : 1)
        }
        let steps = (mostMultiplications / (Double(c.inputSize) * perTangent)).squareRoot()
        return max(1, Int(min(steps, 1e9)))
    }

    /// nil where the request wants no such map.
    init?(_ request: SequenceRequest, _ network: RecurrentNetwork) {
        guard let selection = request.outputs.attention, selection.method == .jacobian else { return nil }
        self.selection = selection
        self.network = network
        initialState = request.outputs.initialState
        length = request.length
    }

    /// Takes what the map needs of a layer's direction; in the pass's order, the forward direction first.
    /// - Parameters:
    ///   - memory: what the pass just left: gates and cells by row.
    ///   - first: the sequence's first row.
    ///   - states: this direction's h_t, row r at `states + r * stride`.
    mutating func add(
        layer: Int, direction: Int, memory: RecurrentPass.Memory, first: Int, states: UnsafePointer<Float>, stride: Int
    ) {
        guard let gates = memory.gates, let cellStates = memory.cells else { return }
        let c = network.configuration
        cells.append(
            CellTangents(
                network, network.weights.layers[layer][direction], reverse: direction == 1, length: length,
                gates: gates + first * c.gateSize, cells: cellStates + first * c.hiddenSize,
                states: states + first * stride, stride: stride, initial: initialState,
                index: layer * c.directions + direction))
    }

    var maps: AttentionMaps {
        let c = network.configuration
        let queries = selection.queries ?? Array(0..<length)
        // Reading forward only, positions behind the last query change nothing.
        let needed = c.directions == 1 ? (queries.max() ?? 0) + 1 : length
        var weights = [Float](repeating: 0, count: queries.count * length)
        var rowOfQuery = [Int](repeating: -1, count: length)
        for (row, query) in queries.enumerated() { rowOfQuery[query] = row }

        let total = needed * c.inputSize
        let kept = c.layers == 1 ? 1 : 2 * needed * c.layerSize
        let together = min(total, max(1, min(Self.mostTangents, Self.keptFloats / kept)))
        let memory = Memory(c, rows: together, length: needed, words: network.weights.wordCount(rows: together))
        var first = 0
        while first < total {
            let tangents = first..<min(first + together, total)
            for layer in 0..<c.layers {
                if layer + 1 < c.layers { memory.clearOutput(rows: tangents.count, c) }
                for direction in 0..<c.directions {
                    run(layer, direction, tangents, needed, memory) { t, active in
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
            axes: ["query", "key"], shape: [queries.count, length], weights: weights, reconstructionMaxError: nil,
            rowSumMaxError: nil)
    }

    /// Carries tangents through one direction of one layer.
    /// - Parameters:
    ///   - tangents: which: number s · inputSize + n is that of component n of x_s.
    ///   - finish: of the last layer, told each position t whose h̃_t are in memory, and which of `tangents` they are.
    private func run(
        _ layer: Int, _ direction: Int, _ tangents: Range<Int>, _ length: Int, _ memory: Memory,
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
            // Those of positions that this direction has read by now; above a bidirectional layer, all.
            var active = 0..<rows
            if layer == 0 || c.directions == 1 {
                let first = min(max(t * inputs - tangents.lowerBound, 0), rows)
                let end = min(max((t + 1) * inputs - tangents.lowerBound, 0), rows)
                active = direction == 0 ? 0..<end : first..<rows
            }
            if active.isEmpty { continue }
            let h = memory.h + active.lowerBound * state
            weights.hidden.apply(
                h, bias: nil, out: memory.b, rows: active.count, scratch: memory.words)
            if layer > 0 {
                let x = memory.x + (t * rows + active.lowerBound) * c.layerSize
                weights.input.apply(
                    x, bias: nil, out: memory.a, rows: active.count, scratch: memory.words)
            }
            for row in active {
                let place = row - active.lowerBound
                var a = UnsafePointer(memory.a + place * gates)
                if layer == 0 {
                    // x̃ is a unit vector where the position is the tangent's own, else zero.
                    let (position, component) = (tangents.lowerBound + row).quotientAndRemainder(dividingBy: inputs)
                    if position == t {
                        memory.unit[component] = 1
                        weights.input.apply(
                            memory.unit, bias: nil, out: memory.a, rows: 1, scratch: memory.words)
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
                    memory.projected, bias: nil, out: h, rows: active.count, scratch: memory.words)
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
    /// What tangents are carried in.
    private final class Memory {
        /// [rows, state] and [rows, hidden]: h̃ and c̃.
        let h: UnsafeMutablePointer<Float>
        let c: UnsafeMutablePointer<Float>
        /// [rows, gates · hidden]: the projections of x̃ and of h̃.
        let a: UnsafeMutablePointer<Float>
        let b: UnsafeMutablePointer<Float>
        /// LSTM with a projection: [rows, hidden].
        let projected: UnsafeMutablePointer<Float>
        /// [gates · hidden]
        let zeros: UnsafeMutablePointer<Float>
        /// [inputs]: zero but where a tangent begins.
        let unit: UnsafeMutablePointer<Float>
        /// Where dense layers convert rows.
        let words: UnsafeMutablePointer<Float>
        /// [length, rows, layerSize]: the tangents of the layer below and of this one; of one layer, none.
        private(set) var x: UnsafeMutablePointer<Float>
        private(set) var y: UnsafeMutablePointer<Float>
        private let length: Int
        private let scratch = Scratch()

        init(_ c: RecurrentConfiguration, rows: Int, length: Int, words wordCount: Int) {
            let layer = c.layers == 1 ? 0 : length * rows * c.layerSize
            let counts = [rows * c.stateSize, rows * c.hiddenSize, rows * c.gateSize, rows * c.gateSize]
            let others = [rows * c.hiddenSize, c.gateSize, layer, layer, c.inputSize, wordCount]
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
            words = scratch.take(wordCount)
            zeros.update(repeating: 0, count: c.gateSize)
            unit.update(repeating: 0, count: c.inputSize)
            self.length = length
        }

        /// Tangents that a layer does not carry are zero for the layer above.
        func clearOutput(rows: Int, _ c: RecurrentConfiguration) {
            y.update(repeating: 0, count: length * rows * c.layerSize)
        }

        func swapLayers() { swap(&x, &y) }

        /// Σ h̃² of the tangents in `active`, whose first in all is number `first`, by the position they belong to.
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
