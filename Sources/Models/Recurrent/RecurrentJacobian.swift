import Kernels

/// ‖∂h_t/∂x_s‖_F of a plain RNN: h of the last layer, all directions joined, by the network's input at position s (for ids:
/// by the embedding vector). What torch.autograd.functional.jacobian gives for torch.nn.RNN, its norm over both vectors.
///
/// Forward mode: a tangent for each component of some x_s is carried through the layers,
/// h̃_t = φ'(h_t) ⊙ (W_ih x̃_t + W_hh h̃_{t−1}), all tangents as rows of one dense layer.
struct RecurrentJacobian {
    private let network: RecurrentNetwork
    private let length: Int
    private let queries: [Int]
    /// By layer 0 … L: the sequence's states, [length, width].
    private let states: [UnsafePointer<Float>]

    /// Floats of the tangents of one layer that are carried together, about.
    private static let tangentFloats = 4 << 20

    /// - Parameters:
    ///   - first: the sequence's first row.
    ///   - states: by layer, [rows, width].
    init(_ network: RecurrentNetwork, _ request: SequenceRequest, first: Int, states: [UnsafePointer<Float>]) {
        self.network = network
        length = request.length
        queries = request.outputs.attention?.queries ?? Array(0..<request.length)
        let widths = network.description.stateSizes
        self.states = zip(states, widths).map { $0 + first * $1 }
    }

    var maps: AttentionMaps {
        let inputs = network.configuration.inputSize
        let width = network.configuration.layerSize
        // All positions' tangents are [length, positions · inputs, width].
        let together = max(1, min(length, Self.tangentFloats / max(1, length * inputs * max(width, inputs))))
        var weights = [Float](repeating: 0, count: queries.count * length)
        var position = 0
        while position < length {
            let positions = position..<min(position + together, length)
            let tangents = run(positions)
            for (row, query) in queries.enumerated() {
                for (i, s) in positions.enumerated() {
                    let start = (query * positions.count + i) * inputs * width
                    var sum = 0.0
                    for n in start..<(start + inputs * width) { sum += Double(tangents[n]) * Double(tangents[n]) }
                    weights[row * length + s] = Float(sum.squareRoot())
                }
            }
            position = positions.upperBound
        }
        return AttentionMaps(
            axes: ["query", "key"], shape: [queries.count, length], weights: weights, reconstructionMaxError: nil,
            rowSumMaxError: nil)
    }

    /// The tangents of the last layer, [length, positions · inputs, width].
    private func run(_ positions: Range<Int>) -> [Float] {
        let c = network.configuration
        let rows = positions.count * c.inputSize
        // Of the input itself: the identity where the position is its own.
        var x = [Float](repeating: 0, count: length * rows * c.inputSize)
        for (i, s) in positions.enumerated() {
            for n in 0..<c.inputSize { x[(s * rows + i * c.inputSize + n) * c.inputSize + n] = 1 }
        }
        for layer in 0..<c.layers {
            var y = [Float](repeating: 0, count: length * rows * c.layerSize)
            for direction in 0..<c.directions { runDirection(layer, direction, rows: rows, x, &y) }
            x = y
        }
        return x
    }

    private func runDirection(_ layer: Int, _ direction: Int, rows: Int, _ x: [Float], _ y: inout [Float]) {
        let c = network.configuration
        let hidden = c.hiddenSize
        let weights = network.weights.layers[layer][direction]
        let kernels = network.kernels
        var current = [Float](repeating: 0, count: rows * hidden)
        var next = current
        for step in 0..<length {
            let time = direction == 0 ? step : length - 1 - step
            x.withUnsafeBufferPointer { x in
                current.withUnsafeBufferPointer { current in
                    next.withUnsafeMutableBufferPointer { next in
                        guard let x = x.baseAddress, let current = current.baseAddress, let next = next.baseAddress
                        else { return }
                        let inputs = weights.input.inputs
                        weights.input.apply(kernels, x + time * rows * inputs, bias: nil, out: next, rows: rows)
                        weights.hidden.apply(kernels, current, bias: nil, residual: next, out: next, rows: rows)
                    }
                }
            }
            let h = states[layer + 1] + time * c.layerSize + direction * hidden
            for row in 0..<rows {
                let target = (time * rows + row) * c.layerSize + direction * hidden
                for unit in 0..<hidden {
                    let slope: Float = c.cell == .relu ? (h[unit] > 0 ? 1 : 0) : 1 - h[unit] * h[unit]
                    next[row * hidden + unit] *= slope
                    y[target + unit] = next[row * hidden + unit]
                }
            }
            swap(&current, &next)
        }
    }
}
