import Glibc

/// The mean entropy and the mean distance of the rows of each map, whose rows are distributions.
public struct AttentionSummary: Sendable, Equatable {
    /// The mean of −Σ_j a_ij ln a_ij over the rows, in nats; one value a map, in the order of the maps.
    public var entropy: [Float]
    /// The mean of Σ_j a_ij |i − j| over the rows, in tokens or steps; one value a map. A recurrent model's initial
    /// state counts as the step before its first: position −1, or the sequence's length for the reverse direction.
    public var distance: [Float]

    /// Summarizes maps. `nil` if their rows do not sum to 1 (norms of derivatives, an LSTM's contributions).
    /// - Parameter maps: The maps as the model made them, before heads are reduced or tokens hidden.
    public init?(_ maps: AttentionMaps, selection: AttentionSelection, length: Int) {
        guard maps.rowSumMaxError != nil, !maps.weights.isEmpty else { return nil }
        let view = AttentionView(maps, selection: selection, length: length)
        let hasDirections = selection.method.axis == .direction
        entropy = []
        distance = []
        let rows = view.queries.count
        for map in 0..<view.mapCount {
            var keys = view.keys
            if hasDirections, selection.heads[map % selection.heads.count] == 1,
                keys.first == AttentionView.initialState
            {
                keys[0] = length
            }
            var entropySum: Double = 0
            var distanceSum: Double = 0
            for (r, query) in view.queries.enumerated() {
                for (weight, key) in zip(view.row(map * rows + r), keys) where weight > 0 {
                    let a = Double(weight)
                    entropySum -= a * log(a)
                    distanceSum += a * Double(abs(query - key))
                }
            }
            entropy.append(Float(entropySum / Double(rows)))
            distance.append(Float(distanceSum / Double(rows)))
        }
    }
}
