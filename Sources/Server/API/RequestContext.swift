import Models

/// One request on its way: who asked, when, and where the answer goes.
final class RequestContext: Sendable {
    let request: HTTPRequest
    let writer: any ResponseWriter
    let id: String
    /// The route's pattern, for metrics.
    let route: String
    let arrival = ContinuousClock.now
    private let metrics: Metrics
    private let log: AccessLog?

    init(
        _ request: HTTPRequest, _ writer: any ResponseWriter, route: String, metrics: Metrics, log: AccessLog? = nil
    ) {
        self.request = request
        self.writer = writer
        self.route = route
        self.metrics = metrics
        self.log = log
        id = RequestContext.identifier(request.headers["X-Request-Id"])
    }

    /// The client's, when it is visible ASCII of at most 128 characters; else a new one.
    static func identifier(_ sent: String?) -> String {
        if let sent, (1...128).contains(sent.utf8.count), sent.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) {
            return sent
        }
        let text = String(UInt64.random(in: .min ... .max), radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }

    func respond(_ response: HTTPResponse, timing: ServerTiming = ServerTiming()) {
        var response = response
        response.headers.add("X-Request-Id", id)
        response.headers.add("Server-Timing", timing.field)
        let total = arrival.duration(to: .now)
        metrics.countRequest(route: route, status: response.status, seconds: total.milliseconds / 1e3)
        log?.record(
            AccessLog.Entry(
                method: request.method, path: request.path, status: response.status, total: total, timing: timing,
                bytesIn: request.body.count, bytesOut: response.byteCount, id: id))
        writer.respond(response)
    }

    func respond(_ error: APIError, timing: ServerTiming = ServerTiming()) { respond(error.response, timing: timing) }
}

/// Where a request's time went.
struct ServerTiming: Sendable {
    var tokenize = Duration.zero
    var queue = Duration.zero
    var infer = Duration.zero
    var serialize = Duration.zero

    /// https://www.w3.org/TR/server-timing/
    var field: String {
        [("tokenize", tokenize), ("queue", queue), ("infer", infer), ("serialize", serialize)]
            .map { "\($0);dur=\(($1.milliseconds * 1000).rounded() / 1000)" }.joined(separator: ", ")
    }
}

extension Duration {
    var milliseconds: Double { Double(components.seconds) * 1e3 + Double(components.attoseconds) / 1e15 }
}
