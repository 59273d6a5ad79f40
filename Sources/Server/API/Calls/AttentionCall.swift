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

    /// The value of the response's Content-Type.
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
        /// The layers to compute.
        package var layers = IndexChoice.all
        /// The heads, or directions, to compute.
        package var heads = IndexChoice.all
        /// The rows to compute, by their positions in the sequence.
        package var queries = IndexChoice.all
        /// The way of making one map of all heads.
        package var headReduce = HeadReduction.none
        /// The method's name as the client wrote it; `nil` if the model's default is meant.
        package var method: String?
        /// The treatment of the rows and columns of special tokens.
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
    /// The sequence.
    package var input: CallInput
    /// Whether a sequence that is too long for the model is cut.
    package var truncate = true
    /// The choice of weights.
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
