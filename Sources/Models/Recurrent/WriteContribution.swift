import Kernels

/// How much of what a gated cell wrote at step s is still in its state at step t, by unrolling the cell's own equation
/// (Levy et al. 2018, https://arxiv.org/abs/1805.03716).
///
/// - GRU: h_t = (Π_{j≤t} z_j) h_0 + Σ_s (Π_{s<j≤t} z_j) ⊙ (1 − z_s) ⊙ n_s. A weight is the mean over units of its
///   coefficients, which sum to 1 over the row.
/// - LSTM: c_t = (Π_{j≤t} f_j) c_0 + Σ_s (Π_{s<j≤t} f_j) ⊙ i_s ⊙ g_s. A weight is the norm of its term; not normalized.
///
/// Column 0 is the initial state, column s + 1 the step at position s. Rows and columns are positions of the sequence in
/// both directions; the reverse direction reads from the end, so its rows hold what later positions wrote.
struct WriteContribution {
    private let selection: AttentionSelection
    private let configuration: RecurrentConfiguration
    private let initialState: RecurrentState?
    private let length: Int
    private let queries: [Int]
    private var weights: [Float]
    private var reconstructionMaxError: Float = 0
    private var rowSumMaxError: Float = 0

    /// nil where the request wants no such maps.
    init?(_ request: SequenceRequest, _ configuration: RecurrentConfiguration) {
        guard let selection = request.outputs.attention, selection.method == .writeContribution else { return nil }
        self.selection = selection
        self.configuration = configuration
        initialState = request.outputs.initialState
        length = request.length
        queries = selection.queries ?? Array(0..<length)
        weights = [Float](
            repeating: 0, count: selection.layers.count * selection.heads.count * queries.count * (length + 1))
    }

    var maps: AttentionMaps {
        AttentionMaps(
            axes: ["layer", "direction", "query", "key"],
            shape: [selection.layers.count, selection.heads.count, queries.count, length + 1], weights: weights,
            reconstructionMaxError: reconstructionMaxError,
            rowSumMaxError: configuration.cell == .gru ? rowSumMaxError : nil)
    }

    /// Adds the map of a layer's direction, where it was asked for.
    /// - Parameters:
    ///   - memory: what the pass just left: gates and cells by row.
    ///   - first: the sequence's first row.
    ///   - states: this direction's h_t, row r at `states + r * stride`.
    mutating func add(
        layer: Int, direction: Int, memory: RecurrentPass.Memory, first: Int, states: UnsafePointer<Float>, stride: Int
    ) {
        guard let gates = memory.gates, let cells = memory.cells else { return }
        let columns = length + 1
        for (i, wanted) in selection.layers.enumerated() where wanted == layer {
            for (j, wantedDirection) in selection.heads.enumerated() where wantedDirection == direction {
                let place = (i * selection.heads.count + j) * queries.count * columns
                for (row, query) in queries.enumerated() {
                    let target = place + row * columns
                    let used =
                        configuration.cell == .gru
                        ? states + (first + query) * stride
                        : UnsafePointer(cells) + (first + query) * configuration.hiddenSize
                    unroll(
                        query, target, layer: layer, direction: direction, gates + first * configuration.gateSize,
                        used: used)
                }
            }
        }
    }

    /// One row: walks from the query's step back to the first one, keeping each unit's product of what was not forgotten.
    private mutating func unroll(
        _ query: Int, _ target: Int, layer: Int, direction: Int, _ gates: UnsafePointer<Float>,
        used: UnsafePointer<Float>
    ) {
        let hidden = configuration.hiddenSize
        let isGRU = configuration.cell == .gru
        var kept = [Float](repeating: 1, count: hidden)
        var rebuilt = [Double](repeating: 0, count: hidden)
        var step = query
        while step >= 0, step < length {
            let row = gates + step * configuration.gateSize
            var sum = 0.0
            for unit in 0..<hidden {
                if isGRU {
                    let z = row[hidden + unit]
                    let coefficient = kept[unit] * (1 - z)
                    rebuilt[unit] += Double(coefficient) * Double(row[2 * hidden + unit])
                    sum += Double(coefficient)
                    kept[unit] *= z
                } else {
                    let term = kept[unit] * row[unit] * row[2 * hidden + unit]
                    rebuilt[unit] += Double(term)
                    sum += Double(term) * Double(term)
                    kept[unit] *= row[hidden + unit]
                }
            }
            weights[target + step + 1] = Float(isGRU ? sum / Double(hidden) : sum.squareRoot())
            step += direction == 0 ? -1 : 1
        }
        let start = isGRU ? initialState?.hidden : initialState?.cell
        let index = (layer * configuration.directions + direction) * hidden
        var sum = 0.0
        for unit in 0..<hidden {
            let initial = start.map { $0.values[index + unit] } ?? 0
            let term = Double(kept[unit]) * Double(initial)
            rebuilt[unit] += term
            sum += isGRU ? Double(kept[unit]) : term * term
        }
        weights[target] = Float(isGRU ? sum / Double(hidden) : sum.squareRoot())
        for unit in 0..<hidden {
            reconstructionMaxError = max(reconstructionMaxError, Float(abs(rebuilt[unit] - Double(used[unit]))))
        }
        if isGRU {
            let total = weights[target...(target + length)].reduce(0.0) { $0 + Double($1) }
            rowSumMaxError = max(rowSumMaxError, Float(abs(total - 1)))
        }
    }
}
