import Locks
import Synchronization

/// Stands before another handler: who shows no key learns nothing, and pages of other origins are told what they may read.
public final class AccessHandler: RequestHandler {
    private let inner: any RequestHandler
    private let recorder: AnswerRecorder
    private let keys: Locked<APIKeys?>
    private let cors: CORSPolicy?

    /// - Parameters:
    ///   - recorder: of the answers that `inner` is not asked for.
    ///   - keys: nil: no key is needed.
    ///   - cors: nil: pages of other origins may read nothing.
    init(
        _ inner: any RequestHandler, recorder: AnswerRecorder, keys: APIKeys? = nil, cors: CORSPolicy? = nil
    ) {
        self.inner = inner
        self.recorder = recorder
        self.keys = Locked(keys)
        self.cors = cors
    }

    /// From the next request on.
    func use(_ keys: APIKeys) { self.keys.withLock { $0 = keys } }

    public func handle(_ request: HTTPRequest, _ writer: any ResponseWriter) {
        // A browser sends no key with this question.
        if let cors, cors.isPreflight(request) {
            return writer.respond(recorder.record(cors.preflight(request), to: request))
        }
        if let refusal = keyRefusal(of: request) { return writer.respond(refusal) }
        inner.handle(request, cors.map { CORSWriter(writer: writer, cors: $0, request: request) } ?? writer)
    }

    /// Before a stranger's body is taken in.
    public func refusal(of request: HTTPRequest) -> HTTPResponse? {
        if let refusal = keyRefusal(of: request) { return refusal }
        guard let refusal = inner.refusal(of: request) else { return nil }
        return cors?.adding(to: refusal, for: request) ?? refusal
    }

    public func failure(status: Int, code: String, message: String, insteadOf answer: HTTPResponse) -> HTTPResponse {
        inner.failure(status: status, code: code, message: message, insteadOf: answer)
    }

    public func maxBodyBytes(of request: HTTPRequest) -> Int? { inner.maxBodyBytes(of: request) }

    private func keyRefusal(of request: HTTPRequest) -> HTTPResponse? {
        guard let problem = problem(request) else { return nil }
        // RFC 6750, 3
        let error = problem.code == "wrong_key" ? ", error=\"invalid_token\"" : ""
        let refusal = APIError(
            401, problem.code, problem.message,
            headers: ["WWW-Authenticate": "Bearer realm=\"encoderd\"\(error)"])
        let response = recorder.record(refusal.response, to: request)
        return cors?.adding(to: response, for: request) ?? response
    }

    public func failure(status: Int, code: String, message: String) -> HTTPResponse {
        inner.failure(status: status, code: code, message: message)
    }

    /// What orchestrators ask, who have no key.
    private static let open: Set<String> = ["/health", "/ready"]

    private func problem(_ request: HTTPRequest) -> (code: String, message: String)? {
        guard let keys = keys.withLock({ $0 }), !Self.open.contains(request.path) else { return nil }
        let values = request.headers.values("Authorization")
        guard let shown = values.first?.utf8, values.count == 1,
            HTTPGrammar.equal(shown.prefix(7), ignoringCase: "bearer ")
        else { return ("missing_key", "Send a key with 'Authorization: Bearer KEY'.") }
        return keys.contain(Array(shown.dropFirst(7).drop { $0 == 0x20 }))
            ? nil : ("wrong_key", "The key in 'Authorization: Bearer' is not one of this server's.")
    }
}

/// Adds to an answer what lets a page read it.
private struct CORSWriter: ResponseWriter {
    let writer: any ResponseWriter
    let cors: CORSPolicy
    let request: HTTPRequest

    init(writer: any ResponseWriter, cors: CORSPolicy, request: HTTPRequest) {
        self.writer = writer
        self.cors = cors
        // Not its body: the answer may be long in coming.
        self.request = HTTPRequest(method: request.method, path: request.path, headers: request.headers)
    }

    func respond(_ response: HTTPResponse) { writer.respond(cors.adding(to: response, for: request)) }
    var isCancelled: Bool { writer.isCancelled }
}
