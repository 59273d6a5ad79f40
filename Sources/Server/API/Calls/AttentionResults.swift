import Models

/// The results of an `AttentionCall`.
package struct AttentionResults: Sendable {
    /// The name of the model.
    package let model: String
    /// The description of the model.
    package let description: ModelDescription
    let plan: AttentionPlan
    /// The tokens of the sequence, one a position.
    package let tokens: [AttentionToken]
    /// Whether the sequence was cut to what the model takes.
    package let isTruncated: Bool
    package let reconstructionMaxError: Float?
    package let rowSumMaxError: Float?
    /// The entropy and distance of every map; `nil` if its rows are not distributions.
    package let summary: AttentionSummary?
    /// The sizes of the axes of `summary`.
    let summaryShape: [Int]
    /// The weights, with heads reduced and special tokens left out as the call says.
    package internal(set) var view: AttentionView

    init(
        model: String, description: ModelDescription, plan: AttentionPlan, tokens: [AttentionToken],
        isTruncated: Bool = false, maps: AttentionMaps
    ) {
        self.model = model
        self.description = description
        self.plan = plan
        self.tokens = tokens
        self.isTruncated = isTruncated
        reconstructionMaxError = maps.reconstructionMaxError
        rowSumMaxError = maps.rowSumMaxError
        summary = AttentionSummary(maps, selection: plan.selection, length: tokens.count)
        summaryShape = Array(maps.shape.dropLast(2))
        var view = AttentionView(maps, selection: plan.selection, length: tokens.count)
        view.reduceHeads(plan.options.headReduce)
        view.apply(plan.options.specialTokens, special: tokens.map(\.special))
        self.view = view
    }
}
