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
    private var metrics: Metrics { service.recorder.metrics }

    /// Counts that the queue does not take a request.
    /// - Returns: the error that tells the client of it.
    private func failure(_ error: QueueError) -> APIError {
        metrics.countFailure(error)
        return APIError(error)
    }

    /// Admits a request. Runs on the event loop.
    /// - Parameter read: Reads the request into a call, on a worker.
    func start(
        _ context: RequestContext, _ read: @escaping @Sendable (RequestContext) throws(APIError) -> Call
    ) throws(APIError) {
        let timeout = try CallPipeline.timeout(context)
        let bytes = context.request.body.count
        do throws(QueueError) { context.admission = try engine.admit(bytes: bytes) } catch { throw failure(error) }
        if let timeout {
            context.deadline = context.arrival + timeout
            engine.deadlines.add(context, after: timeout)
        }
        // Up to a megabyte of a compressed body may be read ahead of other work.
        let isCoded = context.request.headers["Content-Encoding"] != nil
        let (inflated, overflow) = bytes.multipliedReportingOverflow(by: service.limits.request.maxInflateRatio)
        let size = isCoded ? (overflow ? .max : inflated / 16) : bytes
        if !engine.prepare(for: context.request.client, bytes: size, { prepare(context, read, on: $0) }) {
            throw failure(.draining)
        }
    }

    /// Reads and enqueues a request. Runs on a worker.
    private func prepare(
        _ context: RequestContext, _ read: (RequestContext) throws(APIError) -> Call, on worker: Worker
    ) {
        let start = ContinuousClock.now
        let isUnwanted = context.isUnwanted
        if isUnwanted() { return context.respond(QueueError.cancelled) }
        if let deadline = context.deadline, deadline <= start { return context.respond(QueueError.expired) }
        context.timing.queue = context.arrival.duration(to: start)
        do throws(APIError) {
            let call = try read(context)
            let (index, model) = try loaded.models.find(call.model)
            let plan = try call.plan(for: model, limits: service.limits) {
                worker.pauseIfUrgent()
                return isUnwanted()
            }
            context.timing.tokenize = start.duration(to: .now)
            try checkCost(plan.requests, model: index)
            try enqueue(plan, model: index, context)
        } catch {
            context.respond(error)
        }
    }

    /// Refuses weight maps that take too long. What every pass costs is bounded by the limits on tokens.
    private func checkCost(_ requests: [SequenceRequest], model: Int) throws(APIError) {
        guard let outputs = requests.first?.outputs, let method = outputs.attention?.method else { return }
        let most = service.limits.request.maxCostSeconds
        let seconds = engine.estimatedSeconds(requests, model: model)
        guard seconds > most else { return }
        metrics.countFailure(.costly)
        let length = requests.map(\.length).max() ?? 0
        let fits = engine.longestLength(
            seconds: most / Double(requests.count), outputs: outputs, model: model, below: length)
        func text(_ seconds: Double) -> String { seconds < 10 ? "\((seconds * 10).rounded() / 10)" : "\(Int(seconds))" }
        throw APIError(
            413, "request_too_costly",
            "'\(method.rawValue)' of \(length) positions takes about \(text(seconds)) s of one core here, more than the "
                + "\(text(most)) s that one request may take; "
                + (fits > 0 ? "a sequence of up to \(fits) positions fits." : "no sequence fits."))
    }

    private func enqueue(_ plan: Call.Plan, model: Int, _ context: RequestContext) throws(APIError) {
        let task = InferenceTask(
            client: context.request.client, model: model, network: loaded.models.models[model].network,
            sequences: plan.requests, preparationSeconds: context.timing.tokenize / .seconds(1),
            isUnwanted: context.isUnwanted
        ) { [write = plan.results] outcome in
            switch outcome {
            case .failure(let error): context.respond(error)
            case .success(let outcome):
                metrics.countResults(model: model, queued: outcome.queued, ran: outcome.inferred)
                respond(context, outcome, write)
            }
        }
        do throws(QueueError) { try engine.enqueue(task) } catch { throw failure(error) }
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

    /// Returns the time that the request's `X-Request-Timeout-Ms` allows; `nil` if it has none.
    private static func timeout(_ context: RequestContext) throws(APIError) -> Duration? {
        guard let text = context.request.headers["X-Request-Timeout-Ms"] else { return nil }
        guard text.utf8.count <= 9, text.utf8.allSatisfy(HTTPGrammar.isDigit), let milliseconds = Int(text)
        else {
            throw .value("X-Request-Timeout-Ms", "'X-Request-Timeout-Ms' must be a whole number of milliseconds.")
        }
        return .milliseconds(milliseconds)
    }
}
