/// A method that shows how the positions of a sequence influence each other, one weight a pair of positions.
///
/// A method is a case here with its row in `properties`, and a type that conforms to `Attribution`.
public enum AttentionMethod: String, Sendable, CaseIterable {
    /// The attention weights of each layer and head.
    case raw
    /// The share of each earlier write in a recurrent cell's state.
    case writeContribution = "write_contribution"
    /// The norm of the derivative of each state with respect to each input.
    case jacobian
}

extension AttentionMethod {
    /// An axis of weight maps between `layer` and `query`.
    public enum Axis: String, Sendable {
        case head, direction

        /// The axis's name for several indices: `heads`, `directions`.
        public var plural: String { rawValue + "s" }
    }

    /// The facts about a method that its answers and the checks of requests depend on.
    private struct Properties {
        /// The axis after `layer`. `nil` if a map describes the whole network.
        var axis: Axis?
        /// Whether column 0 is the initial state, so that step s is column s + 1.
        var hasInitialState = false
        /// The sentence that tells users how to read the maps.
        var note: String
        /// The sentence that follows `note` if rows do not sum to 1.
        var normNote = ""
        /// The reason for refusing the method, after "This model (family)". `nil`: it names the method.
        var missing: String?
    }

    private var properties: Properties {
        switch self {
        case .raw:
            Properties(
                axis: .head, note: "Attention weights are not necessarily an explanation.",
                missing: "has no attention")
        case .writeContribution:
            Properties(
                axis: .direction, hasInitialState: true,
                note:
                    "How much of the state at each step was written at each earlier step; column 0 is the initial state. "
                    + "What was written had already read earlier context, so this is not what caused it.",
                normNote: " These are norms: rows do not sum to 1.")
        case .jacobian:
            Properties(note: "Norms of derivatives of each state by each input: sensitivity, not attention.")
        }
    }

    /// The axis of the maps after `layer`. `nil` if the maps have neither: one map describes the whole network.
    public var axis: Axis? { properties.axis }

    /// Whether the maps have an axis of layers, and one of heads or directions.
    public var hasLayers: Bool { axis != nil }

    /// Whether the maps have heads, which a request may reduce to one.
    public var hasHeads: Bool { axis == .head }

    /// Whether column 0 of the maps is the initial state, so that step s is column s + 1.
    public var hasInitialState: Bool { properties.hasInitialState }

    /// The names of the maps' axes: `layer head query key`, `layer direction query key`, or `query key`.
    public var axes: [String] { (axis.map { ["layer", $0.rawValue] } ?? []) + ["query", "key"] }

    /// Columns of a map of `length` tokens or steps.
    public func columns(length: Int) -> Int { length + (hasInitialState ? 1 : 0) }

    /// Returns the sentence that tells users how to read the maps.
    /// - Parameter rowsAreDistributions: Whether the rows of the maps sum to 1.
    public func note(rowsAreDistributions: Bool) -> String {
        properties.note + (rowsAreDistributions ? "" : properties.normNote)
    }

    /// The reason for refusing the method to a model that lacks it: `has no attention`, `cannot do jacobian`.
    public var missing: String { properties.missing ?? "cannot do \(rawValue)" }
}
