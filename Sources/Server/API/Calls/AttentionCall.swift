import Models

/// A choice among numbered things, as the client wrote it.
package enum IndexChoice: Sendable, Equatable {
    case all
    /// Indices, of which negative ones count from the end.
    case some([Int])
}

/// The format of an attention response.
package enum AttentionFormat: String, Sendable, CaseIterable {
    case json, npy, safetensors, svg, png

    package var mediaType: String {
        switch self {
        case .json: "application/json"
        case .npy: NPYWriter.mediaType
        case .safetensors: SafetensorsWriter.mediaType
        case .svg: "image/svg+xml"
        case .png: "image/png"
        }
    }
}

/// A call for the attention or attribution maps of one sequence.
package struct AttentionCall: EngineCall {
    /// The fields that choose which weights are computed and shown.
    package struct Options: Sendable, Equatable {
        package var layers = IndexChoice.all
        package var heads = IndexChoice.all
        package var queries = IndexChoice.all
        package var headReduce = HeadReduction.none
        /// The method's name as the client wrote it; `nil` if the model's default is meant.
        package var method: String?
        package var specialTokens = SpecialTokenPolicy.keep
        /// The weights of a row to keep; `nil` if all are.
        package var select: WeightSelection?
        /// The format of the response, on which its limits depend.
        package var format = AttentionFormat.json
        /// The type of the weights in a binary format.
        package var dtype = BinaryFloat.f32

        package init() {}
    }

    package var model: String?
    package var input: CallInput
    /// Whether a sequence that is too long for the model is cut.
    package var truncate = true
    package var options = Options()

    package init(_ input: CallInput) { self.input = input }

    package func plan(
        for model: Model, limits: CallLimits, isCancelled: @escaping @Sendable () -> Bool
    ) throws(APIError) -> CallPlan<AttentionResults> {
        let sequence = try InputReader(input, model: model, limits: limits.request, truncate: truncate).readOne()
        let tokens = AttentionToken.tokens(of: sequence, model)
        let plan = try AttentionPlan(
            options, model: model.description, length: tokens.count, special: tokens.map(\.special), field: input.field,
            limits: limits.attention)
        var outputs = OutputSelection()
        outputs.attention = plan.selection
        let request = SequenceRequest(input: sequence.input, outputs: outputs)
        return CallPlan(requests: [request]) { [isTruncated = sequence.truncated] results throws(APIError) in
            guard let maps = results.first?.attention else {
                throw APIError(500, "internal_error", "The model '\(model.name)' made no maps.")
            }
            return AttentionResults(
                model: model.name, description: model.description, plan: plan, tokens: tokens,
                isTruncated: isTruncated, maps: maps)
        }
    }
}
