import HTTP
import Models

/// The dispatcher of requests to their endpoints. Until models are loaded, endpoints that need one answer 503.
public final class APIHandler: RecordingHandler {
    private let service: Service
    private let router = Router(Endpoints.all)

    var recorder: ResponseRecorder { service.recorder }

    public init(
        metrics: Metrics, limits: RequestLimits = RequestLimits(), attentionLimits: AttentionLimits = AttentionLimits(),
        compression: CompressionPolicy = .auto, log: AccessLog? = nil
    ) {
        service = Service(
            recorder: ResponseRecorder(metrics: metrics, log: log),
            limits: CallLimits(request: limits, attention: attentionLimits), compression: compression)
    }

    /// Serves these models from now on.
    public func serve(_ models: [Model], engine: InferenceEngine) {
        recorder.metrics.use(models: models.count)
        service.use(Service.Loaded(models: ModelSet(models: models), engine: engine))
    }

    /// Makes /ready answer 503 from now on, while requests are still accepted.
    public func becomeUnready() { service.becomeUnready() }

    /// Sets where /metrics gets the number of open connections from.
    public func countConnections(_ count: @escaping @Sendable () -> Int) { service.countConnections(count) }

    package func begin(_ head: HTTPRequest) -> RequestDecision {
        let match = router.match(head.method, head.path)
        let accepted = MatchedRequest(handler: self, match: match)
        switch match.outcome {
        case .refused(let error):
            // A body that is too long to be read for nothing is not read.
            if head.headers["Content-Length"].map({ Int($0) ?? .max }) ?? 0 > APIHandler.maxUnusedBodyBytes {
                return .respond(recorder.record(match.dialect.errorResponse(error), to: head, route: match.label))
            }
        case .endpoint(let endpoint): if case .json = endpoint.body { return .accept(accepted, maxBodyBytes: nil) }
        case .options: break
        }
        return .accept(accepted, maxBodyBytes: APIHandler.maxUnusedBodyBytes)
    }

    /// The largest body in bytes that is read and ignored (RFC 9110, 9.3.1), so that the connection can take its next request.
    private static let maxUnusedBodyBytes = 64 << 10

    /// A request whose endpoint is known.
    private struct MatchedRequest: AcceptedRequest {
        let handler: APIHandler
        let match: Router.Match

        func handle(_ request: HTTPRequest, _ writer: any ResponseWriter) {
            handler.handle(RequestContext(request, writer, match, service: handler.service))
        }
    }

    private func handle(_ context: RequestContext) {
        do throws(APIError) {
            switch context.match.outcome {
            case .refused(let error): throw error
            case .options(let allow): context.respond(HTTPResponse(status: 204, headers: ["Allow": allow]))
            case .endpoint(let endpoint):
                switch endpoint.handling {
                case .immediate(let answer): context.respond(try answer(context))
                case .call(let read):
                    try CallPipeline(loaded: try service.loaded(), service: service).start(context, read)
                }
            }
        } catch {
            context.respond(error)
        }
    }

    // MARK: Errors of connections and of wrapping handlers

    package func record(_ response: HTTPResponse, to request: HTTPRequest) -> HTTPResponse {
        recorder.record(response, to: request)
    }

    package func refusal(
        of head: HTTPRequest, status: Int, code: String, message: String, headers: HTTPHeaders
    ) -> HTTPResponse {
        let error = APIError(status, code, message, headers: headers)
        return recorder.record(router.dialect(of: head.path).errorResponse(error), to: head)
    }

    package func failure(status: Int, code: String, message: String, path: String?) -> HTTPResponse {
        recorder.record(errorResponse(status, code, message, path), to: nil)
    }

    /// The response keeps the identifier and the CORS headers of the one that it replaces. The log has a line for either.
    package func failure(
        status: Int, code: String, message: String, path: String?, insteadOf answer: HTTPResponse
    ) -> HTTPResponse {
        var response = errorResponse(status, code, message, path)
        for (name, value) in answer.headers.fields
        where name == "Vary" || name.hasPrefix("Access-Control-") { response.headers.add(name, value) }
        return recorder.record(response, to: nil, id: answer.headers["X-Request-Id"])
    }

    private func errorResponse(_ status: Int, _ code: String, _ message: String, _ path: String?) -> HTTPResponse {
        let dialect = path.map(router.dialect(of:)) ?? .native
        return dialect.errorResponse(APIError(status, code, message))
    }
}
