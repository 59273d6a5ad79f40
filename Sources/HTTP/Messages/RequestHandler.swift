/// The destination of the response to one request. All methods are safe to call from any thread.
package protocol ResponseWriter: Sendable {
    /// Answers the request. Only the first call has an effect.
    func respond(_ response: HTTPResponse)
    /// Whether the client has gone, so that work for it may be dropped.
    var isCancelled: Bool { get }
}

/// The application behind an HTTP server. Every method is called on the event loop and must return at once.
package protocol RequestHandler: Sendable {
    /// Decides about a request when its head is complete. Called once for every request, also for one without a body.
    /// - Parameter head: the request with an empty body.
    func begin(_ head: HTTPRequest) -> RequestDecision

    /// Renders an error of the connection: a request that is malformed, too large, too slow or never answered.
    /// - Parameter path: the path of the request; `nil` if its request line is not complete.
    func failure(status: Int, code: String, message: String, path: String?) -> HTTPResponse
    /// Renders an error that replaces a response for which the server has no memory.
    func failure(
        status: Int, code: String, message: String, path: String?, insteadOf response: HTTPResponse
    ) -> HTTPResponse
}

/// A handler that another one may wrap.
package protocol RecordingHandler: RequestHandler {
    /// Logs and counts a response that a wrapping handler gives in place of this one, and adds the common header fields.
    func record(_ response: HTTPResponse, to request: HTTPRequest) -> HTTPResponse
    /// Renders an error with which a wrapping handler refuses a request, and records it as `record` does.
    /// - Parameter headers: further header fields of the response.
    func refusal(
        of head: HTTPRequest, status: Int, code: String, message: String, headers: HTTPHeaders
    ) -> HTTPResponse
}

/// The outcome of `RequestHandler.begin`.
package enum RequestDecision {
    /// Answers at once. If the request has a body, it is not read and the connection closes after the response.
    case respond(HTTPResponse)
    /// Reads the body, at most `maxBodyBytes` (`nil`: as many bytes as the server takes), then calls the request's `handle`.
    case accept(any AcceptedRequest, maxBodyBytes: Int?)
}

/// A request that `RequestHandler.begin` has accepted, with what was found out about its head. A value of at most three
/// words, or an object, needs no allocation of its own.
package protocol AcceptedRequest: Sendable {
    /// Handles the request when its body is complete. Called once at most, on the event loop: it must return at once.
    func handle(_ request: HTTPRequest, _ writer: any ResponseWriter)
}

extension RequestHandler {
    package func failure(
        status: Int, code: String, message: String, path: String?, insteadOf response: HTTPResponse
    ) -> HTTPResponse { failure(status: status, code: code, message: message, path: path) }
}
