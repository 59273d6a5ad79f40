/// A recorder of one method's weight maps for one sequence. A forward pass shows it traces; it keeps what its maps need.
///
/// A new method is a type that conforms, its line in the list of the networks that can honor it
/// (`SelfAttention.attributions`, `RecurrentNetwork.attributions`), and a case of `AttentionMethod`.
protocol Attribution<Trace>: SendableMetatype {
    /// The part of a forward pass that the method reads, such as one head's attention.
    associatedtype Trace

    static var method: AttentionMethod { get }

    /// Adds one part of the pass. Parts come in the order of the pass.
    mutating func record(_ trace: Trace)

    /// The finished maps; read once, after the pass.
    var maps: AttentionMaps { get }
}

extension Attribution {
    /// The maps that a request wants of this method. `nil` if it wants none, or rows that its sequence lacks.
    static func selection(_ request: SequenceRequest) -> AttentionSelection? {
        guard let selection = request.outputs.attention, selection.method == method,
            selection.queries?.allSatisfy((0..<request.length).contains) ?? true
        else { return nil }
        return selection
    }
}
