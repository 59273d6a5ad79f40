import Concurrency
import Synchronization
import TestSupport
import Testing

@testable import HTTP

@Suite struct AccessTests {
    /// A handler that answers 200 to every request.
    private struct Inner: RecordingHandler, AcceptedRequest {
        func handle(_ request: HTTPRequest, _ writer: any ResponseWriter) {
            writer.respond(HTTPResponse(status: 200, headers: ["X-Request-Id": "inner"]))
        }
        func begin(_ head: HTTPRequest) -> RequestDecision {
            head.path == "/refused"
                ? .respond(HTTPResponse(status: 405))
                : .accept(self, maxBodyBytes: head.method == "OPTIONS" ? 1000 : nil)
        }
        func record(_ response: HTTPResponse, to head: HTTPRequest) -> HTTPResponse {
            var response = response
            if let id = head.headers["X-Request-Id"] { response.headers.set("X-Request-Id", id) }
            return response
        }
        func refusal(
            of head: HTTPRequest, status: Int, code: String, message: String, headers: HTTPHeaders
        ) -> HTTPResponse { record(HTTPResponse(status: status, headers: headers), to: head) }
        func failure(status: Int, code: String, message: String, path: String?) -> HTTPResponse {
            HTTPResponse(status: status, headers: ["X-Request-Id": "made-up"], body: [ArraySegment(Array(code.utf8))])
        }
    }

    private final class Capture: ResponseWriter {
        let response = Locked<HTTPResponse?>(nil)
        var isCancelled: Bool { false }
        func respond(_ response: HTTPResponse) { self.response.withLock { $0 = response } }
    }

    private static func ask(
        _ handler: AccessHandler, _ method: String = "GET", _ path: String = "/v1/models", _ headers: HTTPHeaders = [:]
    ) throws -> HTTPResponse {
        let request = HTTPRequest(method: method, path: path, headers: headers)
        switch handler.begin(request) {
        case .respond(let response): return response
        case .accept(let accepted, _):
            let capture = Capture()
            accepted.handle(request, capture)
            return try #require(capture.response.withLock { $0 })
        }
    }

    private static func refusal(_ handler: AccessHandler, of request: HTTPRequest) -> HTTPResponse? {
        if case .respond(let response) = handler.begin(request) { response } else { nil }
    }

    /// The client that requests are said to be from.
    private struct ClientRecorder: RecordingHandler, AcceptedRequest {
        let found = Locked<ClientIdentity?>(nil)
        func begin(_ head: HTTPRequest) -> RequestDecision { .accept(self, maxBodyBytes: nil) }
        func handle(_ request: HTTPRequest, _ writer: any ResponseWriter) {
            found.withLock { $0 = request.client }
            writer.respond(HTTPResponse(status: 200))
        }
        func record(_ response: HTTPResponse, to head: HTTPRequest) -> HTTPResponse { response }
        func refusal(
            of head: HTTPRequest, status: Int, code: String, message: String, headers: HTTPHeaders
        ) -> HTTPResponse { HTTPResponse(status: status) }
        func failure(status: Int, code: String, message: String, path: String?) -> HTTPResponse {
            HTTPResponse(status: status)
        }
    }

    /// A client is known by its key, else by the last address that the trusted proxy names, else by its connection.
    @Test func tellsClientsApart() throws {
        let keys = try Self.keys("first\nsecond\n")
        let forwarded: HTTPHeaders = ["X-Forwarded-For": "10.0.0.1, 192.0.2.7"]
        let cases: [(keys: APIKeys?, field: String?, headers: HTTPHeaders, expected: ClientIdentity)] = [
            (nil, nil, [:], .unknown),
            (nil, nil, forwarded, .unknown),
            (nil, "x-forwarded-for", forwarded, .address("192.0.2.7")),
            (
                nil, "x-forwarded-for", ["X-Forwarded-For": "10.0.0.1", "x-forwarded-for": "10.0.0.2"],
                .address("10.0.0.2")
            ),
            (nil, "x-forwarded-for", ["X-Forwarded-For": " "], .unknown),
            (nil, "x-forwarded-for", [:], .unknown),
            (keys, nil, ["Authorization": "Bearer first"], .key(0)),
            (keys, "x-forwarded-for", ["Authorization": "Bearer second", "X-Forwarded-For": "10.0.0.1"], .key(1)),
        ]
        for (keys, field, headers, expected) in cases {
            let recorder = ClientRecorder()
            for cors in [nil, CORSPolicy(["*"])] {
                let handler = AccessHandler(recorder, keys: keys, cors: cors, forwardedField: field)
                #expect(try Self.ask(handler, "GET", "/v1/models", headers).status == 200)
                #expect(recorder.found.withLock { $0 } == expected)
            }
        }
    }

    static func keys(_ text: String) throws -> APIKeys {
        try withFile(Array(text.utf8)) { try APIKeys(path: $0) }
    }

    @Test(arguments: [
        ("/v1/models", ["Authorization: Bearer first"], 200),
        ("/v1/models", ["authorization: bearer   second-key"], 200),
        ("/v1/models", [], 401), ("/v1/models", ["Authorization: Bearer"], 401),
        ("/v1/models", ["Authorization: Bearer "], 401), ("/v1/models", ["Authorization: first"], 401),
        ("/v1/models", ["Authorization: Basic first"], 401), ("/v1/models", ["Authorization: Bearer firs"], 401),
        ("/v1/models", ["Authorization: Bearer firstt"], 401), ("/v1/models", ["Authorization: Bearer First"], 401),
        ("/v1/models", ["Authorization: Bearer # a comment"], 401),
        ("/v1/models", ["Authorization: Bearer first", "Authorization: Bearer first"], 401),
        ("/health", [], 200), ("/ready", [], 200), ("/metrics", [], 401), ("/health/", [], 401), ("/", [], 401),
        ("*", [], 401),
    ])
    func asksForKeys(path: String, fields: [String], status: Int) throws {
        let handler = AccessHandler(
            Inner(), keys: try Self.keys("# a comment\n\nfirst\r\nsecond-key\n"))
        var headers: HTTPHeaders = ["X-Request-Id": "mine"]
        for field in fields {
            let parts = field.split(separator: ":", maxSplits: 1)
            headers.add(String(parts[0]), String(parts[1].drop { $0 == " " }))
        }
        let response = try Self.ask(handler, "GET", path, headers)
        #expect(response.status == status)
        #expect((response.headers["WWW-Authenticate"]?.hasPrefix("Bearer realm=") == true) == (status == 401))
        if status == 401 { #expect(response.headers["X-Request-Id"] == "mine") }
        let early = Self.refusal(handler, of: HTTPRequest(method: "POST", path: path, headers: headers))
        #expect(early?.status == (status == 401 ? 401 : nil))
    }

    @Test func changesKeys() throws {
        let handler = AccessHandler(Inner(), keys: try Self.keys("old"))
        handler.use(try Self.keys("new"))
        #expect(try Self.ask(handler, "GET", "/", ["Authorization": "Bearer old"]).status == 401)
        #expect(try Self.ask(handler, "GET", "/", ["Authorization": "Bearer new"]).status == 200)
        #expect(try Self.ask(AccessHandler(Inner())).status == 200)
    }

    /// Tests rows instead of arguments, which would be printed: the last file has 600,000 lines.
    @Test func refusesFiles() throws {
        for (text, message) in [
            ("", "holds no key"), ("# only this\n", "holds no key"), ("a\nb c\n", "line 2"), ("é", "line 1"),
            (String(repeating: "k", count: 1025), "line 1"), (String(repeating: "k\n", count: 600_000), "larger than"),
        ] {
            let error = #expect(throws: HTTPServerError.self) { try Self.keys(text) }
            #expect(
                error?.description.contains(message) == true,
                "\(text.prefix(20).debugDescription): \(error?.description ?? "no error")")
        }
        #expect(throws: HTTPServerError.self) { try APIKeys(path: "/none") }
        #expect(throws: HTTPServerError.self) { try APIKeys(path: "/") }
    }

    @Test(
        arguments: [
            (["*"], "https://a.example", "*"), (["https://a.example"], "https://a.example", "https://a.example"),
            (["https://a.example", "http://localhost:3000"], "http://localhost:3000", "http://localhost:3000"),
            (["https://a.example"], "http://a.example", nil), (["https://a.example"], "https://a.example.evil", nil),
            (["https://a.example"], "null", nil),
        ] as [([String], String, String?)])
    func allowsOrigins(origins: [String], origin: String, expected: String?) throws {
        let policy: CORSPolicy = try #require(CORSPolicy(origins))
        let handler = AccessHandler(Inner(), keys: try Self.keys("k"), cors: policy)
        let plain = try Self.ask(handler, "GET", "/", ["Origin": origin, "Authorization": "Bearer k"])
        #expect(plain.status == 200)
        #expect(plain.headers["Access-Control-Allow-Origin"] == expected)
        #expect((plain.headers["Vary"] == "Origin") == (origins != ["*"]))
        let refused = try Self.ask(handler, "GET", "/", ["Origin": origin])
        #expect(refused.status == 401 && refused.headers["Access-Control-Allow-Origin"] == expected)
        let early = Self.refusal(
            handler,
            of: HTTPRequest(method: "POST", path: "/refused", headers: ["Origin": origin, "Authorization": "Bearer k"]))
        #expect(early?.status == 405 && early?.headers["Access-Control-Allow-Origin"] == expected)
        let preflight = try Self.ask(
            handler, "OPTIONS", "/v1/encode", ["Origin": origin, "Access-Control-Request-Method": "POST"])
        #expect(preflight.status == (expected == nil ? 401 : 204))
        #expect(preflight.headers["Access-Control-Allow-Origin"] == expected)
        #expect(
            (preflight.headers["Access-Control-Allow-Headers"]?.contains("Authorization") == true) == (expected != nil))
    }

    /// A preflight with a body is read as another request with one is, after its key is checked.
    @Test(
        arguments: [
            (nil, "Content-Length: 5", 5, 204), (nil, "Content-Length: 1000", 1000, 204),
            (nil, "Transfer-Encoding: chunked", 5, 204), (nil, "Content-Length: 1001", 0, 413),
            ("k", "Content-Length: 5", 0, 401), ("k", "Transfer-Encoding: chunked", 0, 401),
            ("k", "Content-Length: 0", 0, 204), ("k", "X-A: 1", 0, 204),
            ("k", "Authorization: Bearer k\r\nContent-Length: 5", 5, 204),
        ] as [(String?, String, Int, Int)])
    func readsBodiesOfPreflights(key: String?, fields: String, bytes: Int, status: Int) throws {
        let handler = AccessHandler(Inner(), keys: try key.map(Self.keys), cors: CORSPolicy(["*"]))
        try withServer(of: handler) { _, port in
            let client = try TestClient(port: port)
            let head = "Host: x\r\nOrigin: https://a.example\r\nAccess-Control-Request-Method: POST\r\n"
            var body = String(repeating: "a", count: bytes)
            if fields.hasPrefix("Transfer-Encoding"), bytes > 0 { body = "\(bytes)\r\n\(body)\r\n0\r\n\r\n" }
            try client.send("OPTIONS /v1/encode HTTP/1.1\r\n\(head)\(fields)\r\n\r\n\(body)")
            let answer = try client.receive()
            #expect(answer.status == status)
            #expect(answer.headers["access-control-allow-origin"] == (status == 413 ? nil : "*"))
            #expect((answer.headers["access-control-allow-methods"] != nil) == (status == 204))
            #expect(answer.headers["connection"] == (status == 204 ? nil : "close"))
            guard status == 204 else { return }
            try client.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try client.receive().status == 200)
        }
    }

    @Test(arguments: [
        ("*", true), ("https://a.example", true), ("http://[::1]:80", true), ("a.example", false), ("https://", false),
        ("https://a.example/", false), ("://a", false), ("https://a b", false), ("", false),
    ])
    func readsOrigins(origin: String, isValid: Bool) { #expect((CORSPolicy([origin]) != nil) == isValid) }
}
