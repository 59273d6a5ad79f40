import Models

/// A question to the engine, without knowledge of a dialect: which sequences it computes, and what their results mean.
package protocol EngineCall: Sendable {
    associatedtype Results: Sendable

    /// The name of the model; `nil` if the only, or first, model is meant.
    var model: String? { get }

    /// Reads the input and checks the call against the model. Tokenizing long texts takes time: it runs on a worker.
    /// - Parameter isCancelled: Whether nobody waits for the results any more.
    func plan(
        for model: Model, limits: CallLimits, isCancelled: @escaping @Sendable () -> Bool
    ) throws(APIError) -> CallPlan<Results>
}

/// A call fitted to a model.
package struct CallPlan<Results: Sendable>: Sendable {
    /// The forward passes that the network runs, one a sequence.
    package let requests: [SequenceRequest]
    /// Makes the results of the call from those of `requests`, in the same order.
    package let results: @Sendable ([SequenceResult]) throws(APIError) -> Results
}

extension EngineCall {
    /// Runs the call without a server, on the calling thread and the team of `scratch`.
    package func run(
        on model: Model, limits: CallLimits = CallLimits(), scratch: Scratch = Scratch()
    ) throws(APIError) -> Results {
        let plan = try plan(for: model, limits: limits, isCancelled: { false })
        return try plan.results(model.network.forward(plan.requests, scratch: scratch))
    }
}

/// A call together with the writer of its response, as an endpoint makes it from a request.
struct Call: Sendable {
    /// A call fitted to a model, of which a worker writes the results as a response.
    typealias Plan = CallPlan<ResponseContent>

    /// The name of the model; `nil` if the only, or first, model is meant.
    let model: String?
    private let makePlan: @Sendable (Model, CallLimits, @escaping @Sendable () -> Bool) throws(APIError) -> Plan

    init<C: EngineCall>(_ call: C, write: @escaping @Sendable (C.Results) throws(APIError) -> ResponseContent) {
        model = call.model
        makePlan = { model, limits, isCancelled throws(APIError) in
            let plan = try call.plan(for: model, limits: limits, isCancelled: isCancelled)
            return Plan(requests: plan.requests) { results throws(APIError) in
                try write(plan.results(results))
            }
        }
    }

    /// Reads the input and checks the call against the model. The plan keeps no input.
    func plan(
        for model: Model, limits: CallLimits, isCancelled: @escaping @Sendable () -> Bool = { false }
    ) throws(APIError) -> Plan {
        try makePlan(model, limits, isCancelled)
    }
}
