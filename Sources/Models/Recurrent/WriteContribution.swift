import Kernels

/// The share of the write at step s in a gated cell's state at step t, by unrolling the cell's equation (Levy et al.
/// 2018, https://arxiv.org/abs/1805.03716).
///
/// - GRU: h_t = (Π_{j≤t} z_j) h_0 + Σ_s (Π_{s<j≤t} z_j) ⊙ (1 − z_s) ⊙ n_s. A weight is the mean over units of its
///   coefficients, which sum to 1 over the row.
/// - LSTM: c_t = (Π_{j≤t} f_j) c_0 + Σ_s (Π_{s<j≤t} f_j) ⊙ i_s ⊙ g_s. A weight is the norm of its term; not normalized.
///
/// Column 0 is the initial state, column s + 1 the step at position s. Rows and columns are positions of the sequence in
/// both directions; the reverse direction reads from the end, so its rows hold what later positions wrote.
struct WriteContribution: RecurrentAttribution {
    static let method = AttentionMethod.writeContribution

    private let selection: AttentionSelection
    private let configuration: RecurrentConfiguration
    private let initialState: RecurrentState?
    private let length: Int
    private let queries: [Int]
    private var weights: [Float]
    private var reconstructionMaxError: Float = 0
    private var rowSumMaxError: Float = 0

    private var columns: Int { Self.method.columns(length: length) }

    static func isSupported(by configuration: RecurrentConfiguration) -> Bool {
        configuration.cell == .gru || configuration.cell == .lstm
    }

    static func maxLength(_ configuration: RecurrentConfiguration) -> Int? { nil }

    init?(_ request: SequenceRequest, _ network: RecurrentNetwork) {
        guard let selection = Self.selection(request) else { return nil }
        self.selection = selection
        configuration = network.configuration
        initialState = request.outputs.initialState
        length = request.length
        queries = selection.queries ?? Array(0..<length)
        weights = [Float](
            repeating: 0,
            count: selection.layers.count * selection.heads.count * queries.count
                * Self.method.columns(length: length))
    }

    func maps(_ control: PassControl) -> AttentionMaps {
        AttentionMaps(
            axes: Self.method.axes,
            shape: [selection.layers.count, selection.heads.count, queries.count, columns], weights: weights,
            reconstructionMaxError: reconstructionMaxError,
            rowSumMaxError: configuration.cell == .gru ? rowSumMaxError : nil)
    }

    /// Writes the map of a layer's direction if it is asked for.
    mutating func record(_ trace: RecurrentTrace) {
        let (memory, first) = (trace.memory, trace.firstRow)
        guard let gates = memory.gates, let cells = memory.cells else { return }
        for place in selection.places(layer: trace.layer, head: trace.direction) {
            for (row, query) in queries.enumerated() {
                let used =
                    configuration.cell == .gru
                    ? trace.states + (first + query) * trace.stride
                    : UnsafePointer(cells) + (first + query) * configuration.hiddenSize
                unroll(
                    query, (place * queries.count + row) * columns, layer: trace.layer, direction: trace.direction,
                    gates + first * configuration.gateSize, used: used)
            }
        }
    }

    /// Computes one row: walks from the query's step back to the first one and keeps each unit's product of the gates
    /// that retain.
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
            let total = weights[target..<(target + columns)].reduce(0.0) { $0 + Double($1) }
            rowSumMaxError = max(rowSumMaxError, Float(abs(total - 1)))
        }
    }
}
