/// The result of a pass over one direction of one layer for one sequence.
struct RecurrentTrace {
    let layer: Int
    /// 0 (forward) or 1 (reverse).
    let direction: Int
    /// The pass's memory: gates and cells by row of the batch.
    let memory: RecurrentPass.Memory
    /// The sequence's first row in the batch.
    let firstRow: Int
    /// This direction's h_t: row r of the batch at `states + r * stride`.
    let states: UnsafePointer<Float>
    let stride: Int
}

/// A method of attribution over recurrent networks.
protocol RecurrentAttribution: Attribution<RecurrentTrace> {
    /// Whether the method applies to a network's cell.
    static func isSupported(by configuration: RecurrentConfiguration) -> Bool

    /// Steps that a sequence may have. `nil` if the method sets no limit.
    static func maxLength(_ configuration: RecurrentConfiguration) -> Int?

    /// `nil` if the request wants no such maps.
    init?(_ request: SequenceRequest, _ network: RecurrentNetwork)
}

extension RecurrentNetwork {
    /// The methods of attribution, the default first.
    static let attributions: [any RecurrentAttribution.Type] = [WriteContribution.self, RecurrentJacobian.self]

    static func attributionDescription(_ configuration: RecurrentConfiguration) -> ModelDescription.AttributionMethods {
        let supported = attributions.filter { $0.isSupported(by: configuration) }
        return ModelDescription.AttributionMethods(
            methods: supported.map { $0.method },
            maxLengths: Dictionary(
                uniqueKeysWithValues: supported.compactMap { kind in
                    kind.maxLength(configuration).map { (kind.method, $0) }
                }))
    }

    /// Makes the recorder of the maps that a request wants. `nil` if it wants none.
    func attribution(_ request: SequenceRequest) -> (any RecurrentAttribution)? {
        if request.outputs.attention == nil { return nil }
        return Self.attributions.firstResult { $0.init(request, self) }
    }
}
