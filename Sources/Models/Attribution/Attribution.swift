/// A recorder of one method's weight maps for one sequence. A forward pass hands it traces, and the recorder copies what
/// the maps need, since traces lie in scratch memory.
///
/// A new method is a type that conforms, a case of `AttentionMethod`, and a line in the list of each kind of network that
/// supports it: `SelfAttention.attributions`, `RecurrentNetwork.attributions`.
protocol Attribution<Trace>: SendableMetatype {
    /// The part of a forward pass that the method reads, such as one head's attention.
    associatedtype Trace

    static var method: AttentionMethod { get }

    /// Adds one trace. Traces come in the order of the pass.
    mutating func record(_ trace: Trace)

    /// Computes the finished maps. Called once, after the pass.
    /// - Parameter control: tells whether to go on. The maps are not used if it has stopped the pass.
    func maps(_ control: PassControl) -> AttentionMaps
}

extension Sequence {
    /// Returns the first result of `transform` that is not `nil`. `lazy.compactMap(transform).first` computes it twice.
    func firstResult<Result>(of transform: (Element) -> Result?) -> Result? {
        for element in self {
            if let result = transform(element) { return result }
        }
        return nil
    }
}

extension Attribution {
    /// The maps of this method that a request wants. `nil` if the request wants none, or query positions that its sequence
    /// lacks; the server refuses those before a pass.
    static func selection(_ request: SequenceRequest) -> AttentionSelection? {
        guard let selection = request.outputs.attention, selection.method == method,
            selection.queries?.allSatisfy((0..<request.length).contains) ?? true
        else { return nil }
        return selection
    }
}
