import JSON
import Models

/// Answers every request of the HTTP contract.
public final class APIHandler: RequestHandler {
    let models: ModelSet
    let engine: InferenceEngine
    let metrics: Metrics
    let limits: RequestLimits
    private let router: Router

    public init(models: [Model], engine: InferenceEngine, metrics: Metrics, limits: RequestLimits = RequestLimits()) {
        self.models = ModelSet(models: models)
        self.engine = engine
        self.metrics = metrics
        self.limits = limits
        router = Router()
    }

    public func handle(_ request: HTTPRequest, _ writer: any ResponseWriter) {
        let match = router.match(request.method, request.path)
        let context = RequestContext(request, writer, route: match.pattern, metrics: metrics)
        do throws(APIError) {
            switch try match.route.get() {
            case .encode:
                let route = EncodeRoute(models: models, engine: engine, limits: limits)
                try work(context) { exchange throws(APIError) in try route.prepare(exchange) }
            case .attention:
                let route = AttentionRoute(models: models, engine: engine, limits: limits)
                try work(context) { exchange throws(APIError) in try route.prepare(exchange) }
            }
        } catch {
            context.respond(error)
        }
    }

    public func failure(status: Int, code: String, message: String) -> HTTPResponse {
        metrics.countRequest(route: "", status: status, seconds: 0)
        var response = APIError(status, code, message).response
        response.headers.add("X-Request-Id", RequestContext.identifier(nil))
        response.headers.add("Server-Timing", ServerTiming().field)
        return response
    }

    /// Has a worker do what an admitted request asks.
    private func work(
        _ context: RequestContext, _ body: @escaping @Sendable (Exchange) throws(APIError) -> Void
    ) throws(APIError) {
        let deadline = try APIHandler.deadline(context)
        let admission: Admission
        do throws(QueueError) {
            admission = try engine.admit(bytes: context.request.body.count)
        } catch {
            throw APIError(error)
        }
        let taken = engine.prepare {
            var exchange = Exchange(context: context, admission: admission, deadline: deadline)
            let now = ContinuousClock.now
            exchange.timing.queue = context.arrival.duration(to: now)
            if context.writer.isCancelled { return context.respond(APIError(.cancelled)) }
            if let deadline, deadline <= now { return context.respond(APIError(.expired), timing: exchange.timing) }
            do throws(APIError) { try body(exchange) } catch { context.respond(error, timing: exchange.timing) }
        }
        if !taken { throw APIError(.draining) }
    }

    private static func deadline(_ context: RequestContext) throws(APIError) -> ContinuousClock.Instant? {
        guard let text = context.request.headers["X-Request-Timeout-Ms"] else { return nil }
        guard text.utf8.count <= 9, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let milliseconds = Int(text)
        else {
            throw .value("X-Request-Timeout-Ms", "'X-Request-Timeout-Ms' must be a whole number of milliseconds.")
        }
        return context.arrival + .milliseconds(milliseconds)
    }
}
