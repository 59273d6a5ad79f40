import Diagnostics
import JSON
import Models

/// A value that `EncodeCall` computes for every sequence.
package enum EncodeOutput: String, CaseIterable, Sendable { case embedding, states, logits, sparse }

/// The text in front of every text of a call.
package enum Prompt: Sendable, Equatable {
    /// The model's default prompt, if it has one.
    case standard
    case text(String)
    /// The prompt of that name among the model's.
    case named(String)
}

/// A call for vectors: embeddings, states, logits or sparse vectors of sequences.
package struct EncodeCall: EngineCall {
    package var model: String?
    /// The sequences.
    package var input: CallInput
    /// Whether sequences that are too long for the model are cut.
    package var truncate = true
    /// The text in front of every text.
    package var prompt = Prompt.standard
    /// The values to compute; empty if the model's default is meant.
    package var outputs: [EncodeOutput] = []
    /// The layer of the states: 0 (embeddings) … L, or negative, counted from the end.
    package var layer = -1
    /// The way of pooling; `nil` if the model's own is meant.
    package var pooling: Pooling?
    /// Whether embeddings have unit length; `nil` if the model decides.
    package var normalize: Bool?
    /// The number of values of an embedding that are kept; `nil` if all are.
    package var dimensions: Int?
    /// The state that a recurrent model begins with: `{"hidden": …, "cell": …}`, or an array of one a sequence; `nil` if it
    /// is zero.
    package var initialState: JSONValue?
    /// Whether the state after the last step is returned.
    package var returnState = false

    package init(_ input: CallInput) { self.input = input }

    package func plan(
        for model: Model, limits: CallLimits, isCancelled: @escaping @Sendable () -> Bool
    ) throws(APIError) -> CallPlan<EncodeResults> {
        var reader = InputReader(input, model: model, limits: limits.request, truncate: truncate)
        reader.prompt = try text(of: prompt, model.description)
        reader.isCancelled = isCancelled
        let sequences = try reader.read()
        let plan = try EncodePlan(self, model.description, sequences: sequences.count)
        try plan.check(sequences, model.description, limits.request)
        let shapes = sequences.map { (length: $0.length, truncated: $0.truncated) }
        return CallPlan(requests: plan.requests(sequences)) { results in
            EncodeResults(model: model, plan: plan, sequences: shapes, results: results)
        }
    }

    private func text(of prompt: Prompt, _ description: ModelDescription) throws(APIError) -> String {
        let name: String
        switch prompt {
        case .text(let text): return text
        case .named(let given): name = given
        case .standard:
            guard let standard = description.prompts.defaultName else { return "" }
            name = standard
        }
        guard let found = description.prompts.texts.first(where: { $0.name == name }) else {
            let known = description.prompts.texts.map(\.name).joined(separator: ", ")
            throw .value(
                "prompt_name",
                "'prompt_name' is '\(name.excerpt())'; "
                    + (known.isEmpty ? "this model has no prompts." : "this model has \(known)."))
        }
        return found.text
    }
}
