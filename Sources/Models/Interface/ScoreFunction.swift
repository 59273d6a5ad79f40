import Glibc

/// The function that makes scores of a sequence classifier's logits.
public enum ScoreFunction: String, Sendable, CaseIterable {
    /// exp(x_i) / Σ_j exp(x_j).
    case softmax
    /// 1 / (1 + exp(−x)).
    case sigmoid
    /// x.
    case identity
    /// tanh(x).
    case tanh

    /// Chooses the function of a head that no file describes: the sigmoid for a single logit, else the softmax.
    /// - Parameter count: Logits of a sequence.
    public init(logits count: Int) { self = count == 1 ? .sigmoid : .softmax }

    /// Returns the scores of one sequence, [labels].
    /// - Parameter logits: The sequence's logits, [labels].
    public func scores(_ logits: [Float]) -> [Float] {
        switch self {
        case .identity: return logits
        case .sigmoid: return logits.map { Float(1 / (1 + Glibc.exp(-Double($0)))) }
        case .tanh: return logits.map { Float(Glibc.tanh(Double($0))) }
        case .softmax:
            let largest = Double(logits.max() ?? 0)
            let powers = logits.map { Glibc.exp(Double($0) - largest) }
            let sum = powers.reduce(0, +)
            return powers.map { Float($0 / sum) }
        }
    }
}
