import Glibc
import Kernels

/// The derivatives of one cell's steps along one sequence, by which tangents pass through a step: forward-mode
/// differentiation of torch.nn.RNN, GRU and LSTM (https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html).
///
/// With a = W_ih x̃_t and b = W_hh h̃_{t−1}, the tangents of the two projections, and s_k the slopes by number:
/// - tanh, relu: h̃ = s_0 (a + b), s_0 = φ'.
/// - GRU, with q = W_hn h_{t−1} + b_hn: h̃ = s_0 (a_r + b_r) + s_1 (a_z + b_z) + s_2 (a_n + s_3 b_n) + s_4 h̃_{t−1};
///   s_2 = (1 − z)(1 − n²), s_0 = s_2 q r(1 − r), s_1 = (h_{t−1} − n) z(1 − z), s_3 = r, s_4 = z.
/// - LSTM, over its four gates i f g o: c̃ = s_0 ĩ + s_1 f̃ + s_2 g̃ + s_4 c̃_{t−1}, m̃ = s_3 õ + s_5 c̃, h̃ = m̃ or W_hr m̃;
///   s_0 = g i(1 − i), s_1 = c_{t−1} f(1 − f), s_2 = i(1 − g²), s_3 = tanh(c) o(1 − o), s_4 = f, s_5 = o(1 − tanh²(c)).
struct CellTangents {
    private let cell: RecurrentCell
    private let hidden: Int
    /// The slopes of every step, [length, slopes of the cell · hidden].
    private let slopes: [Float]

    private static func count(_ cell: RecurrentCell) -> Int {
        switch cell {
        case .tanh, .relu: 1
        case .gru: 5
        case .lstm: 6
        }
    }

    /// Computes the slopes from the memory of a pass over one direction of one layer.
    /// - Parameters:
    ///   - gates: The sequence's activated gates, [length, gates · hidden].
    ///   - cells: The sequence's c_t, [length, hidden]; read for an LSTM only.
    ///   - states: The sequence's h_t of this direction, row t at `states + t * stride`.
    ///   - index: The row of `initial`: layer · directions + direction.
    init(
        _ network: RecurrentNetwork, _ weights: RecurrentDirection, reverse: Bool, length: Int,
        gates: UnsafePointer<Float>, cells: UnsafePointer<Float>, states: UnsafePointer<Float>, stride: Int,
        initial: RecurrentState?, index: Int
    ) {
        let cell = network.configuration.cell
        let hidden = network.configuration.hiddenSize
        self.cell = cell
        self.hidden = hidden
        let width = Self.count(cell) * hidden
        let gateSize = network.configuration.gateSize
        // GRU: W_hh h_{t−1} by the kernel of the pass, so that q has the same value.
        var previous: [Float] = []
        var products: [Float] = []
        if cell == .gru {
            previous = Self.previousStates(
                states, stride: stride, size: hidden, length: length, reverse: reverse, initial: initial?.hidden,
                index: index)
            products = [Float](repeating: 0, count: length * gateSize)
            let scratch = Scratch()
            let converted = weights.convertedCount(rows: length)
            scratch.reserve(floats: max(converted, 1))
            previous.withUnsafeBufferPointer { previous in
                products.withUnsafeMutableBufferPointer { products in
                    guard let a = previous.baseAddress, let out = products.baseAddress else { return }
                    weights.hidden.apply(
                        a, bias: nil, out: out, rows: length, scratch: scratch.take(converted))
                }
            }
        } else if cell == .lstm {
            previous = Self.previousStates(
                cells, stride: hidden, size: hidden, length: length, reverse: reverse, initial: initial?.cell,
                index: index)
        }
        slopes = [Float](unsafeUninitializedCapacity: length * width) { slopes, initialized in
            for t in 0..<length {
                let gate = gates + t * gateSize
                for unit in 0..<hidden {
                    func set(_ slope: Int, _ value: Float) {
                        slopes.initializeElement(at: t * width + slope * hidden + unit, to: value)
                    }
                    switch cell {
                    case .tanh: set(0, 1 - gate[unit] * gate[unit])
                    case .relu: set(0, gate[unit] > 0 ? 1 : 0)
                    case .gru:
                        let (r, z, n) = (gate[unit], gate[hidden + unit], gate[2 * hidden + unit])
                        let bias = weights.hiddenBiasN?.values[unit] ?? 0
                        let q = products[t * gateSize + 2 * hidden + unit] + bias
                        let toN = (1 - z) * (1 - n * n)
                        set(0, toN * q * r * (1 - r))
                        set(1, (previous[t * hidden + unit] - n) * z * (1 - z))
                        set(2, toN)
                        set(3, r)
                        set(4, z)
                    case .lstm:
                        let (i, f) = (gate[unit], gate[hidden + unit])
                        let (g, o) = (gate[2 * hidden + unit], gate[3 * hidden + unit])
                        let squashed = tanh(cells[t * hidden + unit])
                        set(0, g * i * (1 - i))
                        set(1, previous[t * hidden + unit] * f * (1 - f))
                        set(2, i * (1 - g * g))
                        set(3, squashed * o * (1 - o))
                        set(4, f)
                        set(5, o * (1 - squashed * squashed))
                    }
                }
            }
            initialized = length * width
        }
    }

    /// Returns the state before each step, [length, size]: that of the step before it in the direction's order, or the
    /// initial one.
    private static func previousStates(
        _ states: UnsafePointer<Float>, stride: Int, size: Int, length: Int, reverse: Bool, initial: Matrix?, index: Int
    ) -> [Float] {
        var rows: [Float] = []
        rows.reserveCapacity(length * size)
        for t in 0..<length {
            let before = reverse ? t + 1 : t - 1
            if before >= 0, before < length {
                rows.append(contentsOf: UnsafeBufferPointer(start: states + before * stride, count: size))
            } else if let initial, initial.columns == size, index < initial.rows {
                rows.append(contentsOf: initial.values[(index * size)..<((index + 1) * size)])
            } else {
                rows.append(contentsOf: repeatElement(0, count: size))
            }
        }
        return rows
    }

    /// Carries one tangent through the step at position t.
    /// - Parameters:
    ///   - a, b: [gates · hidden].
    ///   - h: [hidden]: h̃_{t−1} on entry (GRU); the new tangent on return, for an LSTM the m̃ before the projection.
    ///   - c: [hidden]: c̃_{t−1} on entry, c̃_t on return (LSTM).
    func step(
        at t: Int, a: UnsafePointer<Float>, b: UnsafePointer<Float>, h: UnsafeMutablePointer<Float>,
        c: UnsafeMutablePointer<Float>
    ) {
        slopes.withUnsafeBufferPointer { slopes in
            guard let base = slopes.baseAddress else { return }
            let s0 = base + t * Self.count(cell) * hidden
            switch cell {
            case .tanh, .relu:
                for u in 0..<hidden { h[u] = s0[u] * (a[u] + b[u]) }
            case .gru:
                let (s1, s2, s3, s4) = (s0 + hidden, s0 + 2 * hidden, s0 + 3 * hidden, s0 + 4 * hidden)
                let (aZ, bZ, aN, bN) = (a + hidden, b + hidden, a + 2 * hidden, b + 2 * hidden)
                for u in 0..<hidden {
                    let gates = s0[u] * (a[u] + b[u]) + s1[u] * (aZ[u] + bZ[u])
                    h[u] = gates + s2[u] * (aN[u] + s3[u] * bN[u]) + s4[u] * h[u]
                }
            case .lstm:
                let (s1, s2, s3) = (s0 + hidden, s0 + 2 * hidden, s0 + 3 * hidden)
                let (s4, s5) = (s0 + 4 * hidden, s0 + 5 * hidden)
                let (aF, bF, aG, bG) = (a + hidden, b + hidden, a + 2 * hidden, b + 2 * hidden)
                let (aO, bO) = (a + 3 * hidden, b + 3 * hidden)
                for u in 0..<hidden {
                    let kept = s0[u] * (a[u] + b[u]) + s1[u] * (aF[u] + bF[u])
                    let state = kept + s2[u] * (aG[u] + bG[u]) + s4[u] * c[u]
                    c[u] = state
                    h[u] = s3[u] * (aO[u] + bO[u]) + s5[u] * state
                }
            }
        }
    }
}
