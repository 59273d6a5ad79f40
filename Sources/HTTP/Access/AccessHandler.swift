import Concurrency

/// Wraps a handler with API-key authentication and CORS headers.
package final class AccessHandler: RequestHandler {
    private let inner: any RecordingHandler
    private let keys: Locked<APIKeys?>
    private let cors: CORSPolicy?

    /// - Parameters:
    ///   - keys: the keys that clients must show; `nil` if none is needed.
    ///   - cors: the pages of other origins that may read responses; `nil` if none may.
    package init(_ inner: any RecordingHandler, keys: APIKeys? = nil, cors: CORSPolicy? = nil) {
        self.inner = inner
        self.keys = Locked(keys)
        self.cors = cors
    }

    /// Replaces the keys, from the next request on.
    package func use(_ keys: APIKeys) { self.keys.withLock { $0 = keys } }

    package func begin(_ head: HTTPRequest) -> RequestDecision {
        // A browser sends no key with a preflight, and no body.
        let isPreflight = cors?.isPreflight(head) == true
        if let cors, isPreflight, !head.hasBody { return .respond(inner.record(cors.preflight(head), to: head)) }
        let decision = keyRefusal(of: head).map { .respond($0) } ?? inner.begin(head)
        guard let cors else { return decision }
        switch decision {
        case .respond(let response): return .respond(cors.adding(to: response, for: head))
        case .accept(let accepted, let maxBodyBytes):
            let request: any AcceptedRequest =
                isPreflight
                ? PreflightRequest(recorder: inner, cors: cors) : CORSRequest(accepted: accepted, cors: cors)
            return .accept(request, maxBodyBytes: maxBodyBytes)
        }
    }

    package func failure(status: Int, code: String, message: String, path: String?) -> HTTPResponse {
        inner.failure(status: status, code: code, message: message, path: path)
    }

    package func failure(
        status: Int, code: String, message: String, path: String?, insteadOf response: HTTPResponse
    ) -> HTTPResponse {
        inner.failure(status: status, code: code, message: message, path: path, insteadOf: response)
    }

    // MARK: Keys

    private func keyRefusal(of head: HTTPRequest) -> HTTPResponse? {
        guard let problem = keyProblem(of: head) else { return nil }
        // RFC 6750, 3
        let error = problem.code == "wrong_key" ? ", error=\"invalid_token\"" : ""
        return inner.refusal(
            of: head, status: 401, code: problem.code, message: problem.message,
            headers: ["WWW-Authenticate": "Bearer realm=\"encoderd\"\(error)"])
    }

    /// The paths that need no key: orchestrators, which have none, ask them.
    private static let open: Set<String> = ["/health", "/ready"]

    private func keyProblem(of head: HTTPRequest) -> (code: String, message: String)? {
        guard let keys = keys.withLock({ $0 }), !Self.open.contains(head.path) else { return nil }
        let values = head.headers.values("Authorization")
        guard let shown = values.first?.utf8, values.count == 1,
            HTTPGrammar.equal(shown.prefix(7), ignoringCase: "bearer ")
        else { return ("missing_key", "Send a key with 'Authorization: Bearer KEY'.") }
        return keys.contain(Array(shown.dropFirst(7).drop { $0 == 0x20 }))
            ? nil : ("wrong_key", "The key in 'Authorization: Bearer' is not one of this server's.")
    }
}

/// An accepted request whose response gets the CORS headers.
private struct CORSRequest: AcceptedRequest {
    let accepted: any AcceptedRequest
    let cors: CORSPolicy

    func handle(_ request: HTTPRequest, _ writer: any ResponseWriter) {
        accepted.handle(request, CORSWriter(writer: writer, cors: cors, request: request))
    }
}

/// A preflight that is answered when its body has been read.
private struct PreflightRequest: AcceptedRequest {
    let recorder: any RecordingHandler
    let cors: CORSPolicy

    func handle(_ request: HTTPRequest, _ writer: any ResponseWriter) {
        writer.respond(recorder.record(cors.preflight(request), to: request))
    }
}

/// A writer that adds the CORS headers to the response.
private struct CORSWriter: ResponseWriter {
    let writer: any ResponseWriter
    let cors: CORSPolicy
    let request: HTTPRequest

    init(writer: any ResponseWriter, cors: CORSPolicy, request: HTTPRequest) {
        self.writer = writer
        self.cors = cors
        // Without the body: the response may be long in coming.
        self.request = HTTPRequest(method: request.method, path: request.path, headers: request.headers)
    }

    func respond(_ response: HTTPResponse) { writer.respond(cors.adding(to: response, for: request)) }
    var isCancelled: Bool { writer.isCancelled }
}
