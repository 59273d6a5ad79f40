#if canImport(Glibc)
import Glibc
#else
import Foundation
#endif

/// How spread out and how far-reaching each map is: means over its rows. Only for rows that are distributions.
public struct AttentionSummary: Sendable, Equatable {
    /// −Σ a ln a, in nats; one value a map, in the order of the maps.
    public var entropy: [Float]
    /// Σ_j a_ij |i − j|, in tokens or steps; one value a map. A recurrent model's initial state counts as the step
    /// before the first one it reads: position −1, or the sequence's length for the reverse direction.
    public var distance: [Float]

    /// nil where rows do not sum to 1 (gradient norms, an LSTM's contributions): entropy means nothing there.
    /// - Parameter maps: as the model made them, before heads are reduced or tokens hidden.
    public init?(_ maps: AttentionMaps, selection: AttentionSelection, length: Int) {
        guard maps.rowSumMaxError != nil, !maps.weights.isEmpty else { return nil }
        let view = AttentionView(maps, selection: selection, length: length)
        let hasDirections = view.axes.contains("direction")
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
