import HTTP

/// A recorder that adds the headers of every response, counts it and logs it.
struct ResponseRecorder: Sendable {
    let metrics: Metrics
    var log: AccessLog?

    /// - Parameters:
    ///   - request: The request; `nil` if the client's bytes never became one.
    ///   - id: The identifier; `nil` if it is the request's own, else a new one.
    ///   - route: The path of the endpoint's documentation, for metrics; empty if there is none.
    /// - Returns: The response with its `X-Request-Id` and `Server-Timing`.
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
