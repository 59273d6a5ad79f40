import Concurrency

/// Wraps a handler with API-key authentication and CORS headers, and tells it the client of each request.
package final class AccessHandler: RequestHandler {
    private let inner: any RecordingHandler
    private let keys: Locked<APIKeys?>
    private let cors: CORSPolicy?
    private let forwardedField: String?

    /// - Parameters:
    ///   - keys: the keys that clients must show; `nil` if none is needed.
    ///   - cors: the pages of other origins that may read responses; `nil` if none may.
    ///   - forwardedField: the header field in which a trusted proxy names its client; `nil` if there is no such proxy.
    package init(
        _ inner: any RecordingHandler, keys: APIKeys? = nil, cors: CORSPolicy? = nil, forwardedField: String? = nil
    ) {
        self.inner = inner
        self.keys = Locked(keys)
        self.cors = cors
        self.forwardedField = forwardedField
    }

    /// Replaces the keys, from the next request on.
    package func use(_ keys: APIKeys) { self.keys.withLock { $0 = keys } }

    package func begin(_ head: HTTPRequest) -> RequestDecision {
        // A browser sends no key with a preflight, and no body.
        let isPreflight = cors?.isPreflight(head) == true
        if let cors, isPreflight, !head.hasBody { return .respond(inner.record(cors.preflight(head), to: head)) }
        let decision: RequestDecision
        var client: ClientIdentity?
        switch keyCheck(of: head) {
        case .refused(let response): decision = .respond(response)
        case .key(let index):
            client = .key(index)
            decision = inner.begin(head)
        case .open:
            client = forwardedClient(of: head)
            decision = inner.begin(head)
        }
        if cors == nil, client == nil { return decision }
        switch decision {
        case .respond(let response): return .respond(cors?.adding(to: response, for: head) ?? response)
        case .accept(var accepted, let maxBodyBytes):
            if let client { accepted = IdentifiedRequest(accepted: accepted, client: client) }
            if let cors {
                accepted =
                    isPreflight
                    ? PreflightRequest(recorder: inner, cors: cors) : CORSRequest(accepted: accepted, cors: cors)
            }
            return .accept(accepted, maxBodyBytes: maxBodyBytes)
        }
    }

    /// Returns the client that the trusted proxy names: the last address of the field, which that proxy itself has added.
    private func forwardedClient(of head: HTTPRequest) -> ClientIdentity? {
        guard let forwardedField, let value = head.headers.values(forwardedField).last else { return nil }
        let address = value.utf8.reversed().prefix { $0 != UInt8(ascii: ",") }.reversed().filter {
            $0 != 0x20 && $0 != 0x09
        }
        return address.isEmpty ? nil : .address(String(decoding: address.prefix(64), as: UTF8.self))
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

    private enum KeyCheck {
        /// No key is needed.
        case open
        /// The place of the key among those of the server.
        case key(Int)
        case refused(HTTPResponse)
    }

    private func refusal(of head: HTTPRequest, code: String, _ message: String) -> KeyCheck {
        // RFC 6750, 3
        let error = code == "wrong_key" ? ", error=\"invalid_token\"" : ""
        return .refused(
            inner.refusal(
                of: head, status: 401, code: code, message: message,
                headers: ["WWW-Authenticate": "Bearer realm=\"encoderd\"\(error)"]))
    }

    /// The paths that need no key: orchestrators, which have none, ask them.
    private static let open: Set<String> = ["/health", "/ready"]

    private func keyCheck(of head: HTTPRequest) -> KeyCheck {
        guard let keys = keys.withLock({ $0 }), !Self.open.contains(head.path) else { return .open }
        let values = head.headers.values("Authorization")
        guard let shown = values.first?.utf8, values.count == 1,
            HTTPGrammar.equal(shown.prefix(7), ignoringCase: "bearer ")
        else { return refusal(of: head, code: "missing_key", "Send a key with 'Authorization: Bearer KEY'.") }
        if let index = keys.firstIndex(of: Array(shown.dropFirst(7).drop { $0 == 0x20 })) { return .key(index) }
        return refusal(
            of: head, code: "wrong_key", "The key in 'Authorization: Bearer' is not one of this server's.")
    }
}

/// An accepted request of a client that is known by more than its connection.
private struct IdentifiedRequest: AcceptedRequest {
    let accepted: any AcceptedRequest
    let client: ClientIdentity

    func handle(_ request: HTTPRequest, _ writer: any ResponseWriter) {
        var request = request
        request.client = client
        accepted.handle(request, writer)
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
