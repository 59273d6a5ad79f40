import HTTP
import Models

/// The way of a call through the engine: prepare → enqueue → results → write → respond.
///
/// The event loop admits the request. One worker prepares it: reads the request into a call, finds the model, tokenizes and
/// enqueues the sequences. Forward passes run in batches with other requests. The worker of the last one writes the
/// response.
struct CallPipeline: Sendable {
    let loaded: Service.Loaded
    let service: Service

    private var engine: InferenceEngine { loaded.engine }

    /// Admits a request. Runs on the event loop.
    /// - Parameter read: Reads the request into a call, on a worker.
    func start(
        _ context: RequestContext, _ read: @escaping @Sendable (RequestContext) throws(APIError) -> Call
    ) throws(APIError) {
        context.deadline = try CallPipeline.deadline(context)
        do throws(QueueError) {
            context.admission = try engine.admit(bytes: context.request.body.count)
        } catch {
            throw APIError(error)
        }
        if !engine.prepare({ prepare(context, read) }) { throw APIError(.draining) }
    }

    /// Reads and enqueues a request. Runs on a worker.
    private func prepare(_ context: RequestContext, _ read: (RequestContext) throws(APIError) -> Call) {
        let start = ContinuousClock.now
        let writer = context.writer
        if writer.isCancelled { return context.respond(APIError(.cancelled)) }
        context.timing.queue = context.arrival.duration(to: start)
        if let deadline = context.deadline, deadline <= start { return context.respond(APIError(.expired)) }
        do throws(APIError) {
            let call = try read(context)
            let (index, model) = try loaded.models.find(call.model)
            let plan = try call.plan(for: model, limits: service.limits) { writer.isCancelled }
            context.timing.tokenize = start.duration(to: .now)
            try enqueue(plan, model: index, context)
        } catch {
            context.respond(error)
        }
    }

    private func enqueue(_ plan: Call.Plan, model: Int, _ context: RequestContext) throws(APIError) {
        let writer = context.writer
        let task = InferenceTask(
            model: model, sequences: plan.requests, deadline: context.deadline, isCancelled: { writer.isCancelled }
        ) { [write = plan.results] outcome in
            switch outcome {
            case .failure(let error): context.respond(APIError(error))
            case .success(let outcome): respond(context, outcome, write)
            }
        }
        do throws(QueueError) { try engine.enqueue(task) } catch { throw APIError(error) }
    }

    /// Writes the response from the results. Runs on a worker.
    private func respond(
        _ context: RequestContext, _ outcome: InferenceOutcome,
        _ write: ([SequenceResult]) throws(APIError) -> ResponseContent
    ) {
        context.timing.queue += outcome.queued
        context.timing.infer = outcome.inferred
        let start = ContinuousClock.now
        do throws(APIError) {
            let response = try write(outcome.results).response(
                engine: engine, accept: context.request.acceptEncoding, compression: service.compression,
                inferSeconds: outcome.inferred.milliseconds / 1e3)
            context.timing.serialize = start.duration(to: .now)
            context.respond(response)
        } catch {
            context.respond(error)
        }
    }

    /// Returns the moment that the request's `X-Request-Timeout-Ms` sets; `nil` if it has none.
    private static func deadline(_ context: RequestContext) throws(APIError) -> ContinuousClock.Instant? {
        guard let text = context.request.headers["X-Request-Timeout-Ms"] else { return nil }
        guard text.utf8.count <= 9, text.utf8.allSatisfy(HTTPGrammar.isDigit), let milliseconds = Int(text)
        else {
            throw .value("X-Request-Timeout-Ms", "'X-Request-Timeout-Ms' must be a whole number of milliseconds.")
        }
        return context.arrival + .milliseconds(milliseconds)
    }
}
