import HTTP

/// Gives every answer what each of them carries, counts it and logs it.
struct AnswerRecorder: Sendable {
    let metrics: Metrics
    var log: AccessLog?

    /// - Parameters:
    ///   - request: nil: what came never became one.
    ///   - id: nil: what the request calls itself, else a new one.
    ///   - route: the pattern, for metrics; empty: none.
    /// - Returns: the answer with its `X-Request-Id` and `Server-Timing`.
    func record(
        _ response: HTTPResponse, to request: HTTPRequest?, id: String? = nil, route: String = "",
        total: Duration = .zero, timing: ServerTiming = ServerTiming()
    ) -> HTTPResponse {
        let id = id ?? RequestContext.identifier(request?.headers["X-Request-Id"])
        var response = response
        response.headers.add("X-Request-Id", id)
        response.headers.add("Server-Timing", timing.field)
        metrics.countRequest(route: route, status: response.status, seconds: total.milliseconds / 1e3)
        log?.record(
            AccessLog.Entry(
                method: request?.method ?? "-", path: request?.path ?? "-", status: response.status, total: total,
                timing: timing, bytesIn: request?.body.count ?? 0, bytesOut: response.byteCount, id: id))
        return response
    }
}
