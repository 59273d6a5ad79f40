import Concurrency
import HTTP
import JSON
import Models
import Synchronization

/// Answers every request of the HTTP contract: of the models' routes, those that come once there are models.
public final class APIHandler: RequestHandler {
    private struct Service {
        let models: ModelSet
        let engine: InferenceEngine
    }

    let recorder: AnswerRecorder
    let limits: RequestLimits
    let attentionLimits: AttentionLimits
    private let compression: CompressionPolicy
    private let page: StaticContent
    private let openAPI: StaticContent
    private let router = Router()
    /// nil: the models are being loaded.
    private let service = Locked<Service?>(nil)
    private let isDraining = Atomic(false)
    private let connectionCount = Locked<@Sendable () -> Int>({ 0 })

    public init(
        metrics: Metrics, limits: RequestLimits = RequestLimits(), attentionLimits: AttentionLimits = AttentionLimits(),
        compression: CompressionPolicy = .auto, log: AccessLog? = nil
    ) {
        recorder = AnswerRecorder(metrics: metrics, log: log)
        self.limits = limits
        self.attentionLimits = attentionLimits
        self.compression = compression
        page = StaticContent(EmbeddedFiles.page, "text/html; charset=utf-8", compression: compression)
        openAPI = StaticContent(EmbeddedFiles.openAPI, "application/json", compression: compression)
    }

    /// Answers for these models from now on; until then their routes say 503, and so does /ready.
    public func serve(_ models: [Model], engine: InferenceEngine) {
        recorder.metrics.use(models: models.count)
        service.withLock { $0 = Service(models: ModelSet(models: models), engine: engine) }
    }

    /// From now on /ready answers 503, while requests are still taken.
    public func becomeUnready() { isDraining.store(true, ordering: .relaxed) }

    /// Tells /metrics where to ask for the number of open connections.
    public func countConnections(_ count: @escaping @Sendable () -> Int) { connectionCount.withLock { $0 = count } }

    package func begin(_ head: HTTPRequest) -> RequestDecision {
        let match = router.match(head.method, head.path)
        switch match.route {
        case .failure(let error):
            // Refused whatever the body says, if the body is too long to be read for nothing.
            if head.headers["Content-Length"].map({ Int($0) ?? .max }) ?? 0 > APIHandler.maxUnusedBodyBytes {
                return .respond(recorder.record(error.response, to: head, route: match.pattern))
            }
        case .success(let route):
            if route.takesBody(head.method) {
                return .accept(Matched(handler: self, match: match), maxBodyBytes: nil)
            }
        }
        return .accept(Matched(handler: self, match: match), maxBodyBytes: APIHandler.maxUnusedBodyBytes)
    }

    /// A request whose endpoint is known.
    private struct Matched: AcceptedRequest {
        let handler: APIHandler
        let match: Router.Match

        func handle(_ request: HTTPRequest, _ writer: any ResponseWriter) { handler.handle(request, writer, match) }
    }

    private func handle(_ request: HTTPRequest, _ writer: any ResponseWriter, _ match: Router.Match) {
        let context = RequestContext(request, writer, route: match.pattern, recorder: recorder)
        do throws(APIError) {
            switch try match.route.get() {
            case .encode:
                let service = try loaded()
                let route = EncodeRoute(models: service.models, engine: service.engine, limits: limits)
                try work(context, service.engine) { exchange throws(APIError) in try route.prepare(exchange) }
            case .attention:
                let service = try loaded()
                let route = AttentionRoute(
                    models: service.models, engine: service.engine, limits: limits, answerLimits: attentionLimits)
                try work(context, service.engine) { exchange throws(APIError) in try route.prepare(exchange) }
            case .health: context.respond(APIHandler.status("ok", 200))
            case .ready:
                if isDraining.load(ordering: .relaxed) { throw APIError(.draining) }
                if try loaded().engine.status.draining { throw APIError(.draining) }
                context.respond(APIHandler.status("ready", 200))
            case .metrics: context.respond(metricsPage())
            case .models: context.respond(ModelsRoute(models: try loaded().models).list())
            case .model(let name): context.respond(try ModelsRoute(models: try loaded().models).one(name))
            case .openAPI:
                context.respond(openAPI.response(request.acceptEncoding))
            case .methods(let list): context.respond(HTTPResponse(status: 204, headers: ["Allow": list]))
            case .page: context.respond(page.response(request.acceptEncoding))
            }
        } catch {
            context.respond(error)
        }
    }

    /// The largest body that is read and ignored (RFC 9110, 9.3.1), so that the connection's next request can follow it.
    private static let maxUnusedBodyBytes = 64 << 10

    package func record(_ response: HTTPResponse, to head: HTTPRequest) -> HTTPResponse {
        recorder.record(response, to: head)
    }

    package func refusal(
        of head: HTTPRequest, status: Int, code: String, message: String, headers: HTTPHeaders
    ) -> HTTPResponse {
        recorder.record(APIError(status, code, message, headers: headers).response, to: head)
    }

    package func failure(status: Int, code: String, message: String, path: String?) -> HTTPResponse {
        recorder.record(APIError(status, code, message).response, to: nil)
    }

    /// Under the same id, and readable by the same pages. Its line in the log follows that of the answer.
    package func failure(
        status: Int, code: String, message: String, path: String?, insteadOf answer: HTTPResponse
    ) -> HTTPResponse {
        var response = APIError(status, code, message).response
        for (name, value) in answer.headers.fields
        where name == "Vary" || name.hasPrefix("Access-Control-") { response.headers.add(name, value) }
        return recorder.record(response, to: nil, id: answer.headers["X-Request-Id"])
    }

    private static func text(_ text: String, _ type: String) -> HTTPResponse {
        HTTPResponse(status: 200, headers: ["Content-Type": type], body: [ArraySegment(Array(text.utf8))])
    }

    private static func status(_ word: String, _ status: Int) -> HTTPResponse {
        text("{\"status\":\"\(word)\"}", "application/json")
    }

    private func loaded() throws(APIError) -> Service {
        if let service = service.withLock({ $0 }) { return service }
        if isDraining.load(ordering: .relaxed) { throw APIError(.draining) }
        throw APIError(
            503, "loading", "The models are being loaded; try again in 1 s.", headers: ["Retry-After": "1"])
    }

    private func metricsPage() -> HTTPResponse {
        let count = connectionCount.withLock { $0 }
        let service = service.withLock { $0 }
        let page = MetricsPage(
            metrics: recorder.metrics, queue: service?.engine.status ?? QueueStatus(),
            threads: service?.engine.threads ?? 0,
            models: service?.models.models ?? [], connections: count())
        return APIHandler.text(page.text(), "text/plain; version=0.0.4; charset=utf-8")
    }

    // MARK: Work for the workers

    /// Has a worker do what an admitted request asks.
    private func work(
        _ context: RequestContext, _ engine: InferenceEngine,
        _ body: @escaping @Sendable (Exchange) throws(APIError) -> Void
    ) throws(APIError) {
        let deadline = try APIHandler.deadline(context)
        let admission: Admission
        do throws(QueueError) {
            admission = try engine.admit(bytes: context.request.body.count)
        } catch {
            throw APIError(error)
        }
        let taken = engine.prepare { [compression] in
            var exchange = Exchange(
                context: context, admission: admission, deadline: deadline, compression: compression)
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
