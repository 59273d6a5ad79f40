/// The kind of a recurrent cell. Gate order is torch's: LSTM i, f, g, o; GRU r, z, n.
public enum RecurrentCell: String, Sendable, CaseIterable {
    case tanh, relu, gru, lstm

    /// The height of `weight_ih` and `weight_hh`, in units of the hidden size.
    @inlinable public var gates: Int {
        switch self {
        case .tanh, .relu: 1
        case .gru: 3
        case .lstm: 4
        }
    }
}
