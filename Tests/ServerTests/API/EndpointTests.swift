import JSON
import Testing

@testable import HTTP
@testable import Server

extension Dialect {
    /// A dialect of lenient clients, with errors of its own.
    fileprivate static let test = Dialect(
        name: "test", fields: .lenient, ignoresExtraSlashes: true, prefixes: ["/v2/", "/v2/strange/"]
    ) { error in
        HTTPResponse(status: error.status == 404 ? 400 : error.status, headers: ["X-Code": error.code])
    }
}

private func endpoint(_ method: String, _ path: String, _ dialect: Dialect) -> Endpoint {
    Endpoint(method, path, dialect, .immediate { _ in HTTPResponse(status: 200) })
}

private let router = Router([
    endpoint("GET", "/", .native), endpoint("GET", "/v1/models", .native),
    endpoint("GET", "/v1/models/{name}", .native),
    endpoint("POST", "/v1/models", .native), endpoint("POST", "/v2/models/{model}/infer", .test),
    endpoint("GET", "/v2/models/{model}", .test), endpoint("GET", "/v2/models/{model}/ready", .test),
    endpoint("POST", "/v2/models/{model}/versions/{version}/infer", .test), endpoint("POST", "/embed", .test),
    endpoint("GET", "/embed", .test),
])

/// The method and path of the endpoint found, with the values of its parameters; or the error's code; or `Allow`.
private func found(_ method: String, _ path: String) -> String {
    let match = router.match(method, path)
    let values = match.parameters.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
    switch match.outcome {
    case .endpoint(let endpoint): return "\(endpoint.method) \(endpoint.path)\(values)"
    case .options(let allow): return "allow \(allow)"
    case .refused(let error): return error.code
    }
}

@Suite struct EndpointTests {
    @Test(arguments: [
        ("GET", "/", "GET /"), ("HEAD", "/", "GET /"), ("GET", "/v1/models", "GET /v1/models"),
        ("POST", "/v1/models", "POST /v1/models"), ("GET", "/v1/models/", "not_found"),
        ("GET", "/v1/models/minilm", "GET /v1/models/{name} name=minilm"),
        ("GET", "/v1/models/BAAI/bge/", "GET /v1/models/{name} name=BAAI/bge/"), ("GET", "/v1", "not_found"),
        ("GET", "//v1/models", "not_found"), ("GET", "/V1/models", "not_found"), ("GET", "", "not_found"),
        ("POST", "/v2/models/a/infer", "POST /v2/models/{model}/infer model=a"),
        ("POST", "/v2/models/BAAI/bge-small/infer", "POST /v2/models/{model}/infer model=BAAI/bge-small"),
        ("POST", "/v2/models/infer/infer", "POST /v2/models/{model}/infer model=infer"),
        ("POST", "/v2/models/a/infer/infer", "POST /v2/models/{model}/infer model=a/infer"),
        ("POST", "/v2/models/a/versions//infer", "POST /v2/models/{model}/infer model=a/versions/"),
        ("POST", "/v2/models//infer", "method_not_allowed"), ("GET", "/v2/models/a/infer", "method_not_allowed"),
        ("GET", "/v2/models/a", "GET /v2/models/{model} model=a"),
        ("HEAD", "/v2/models/a/ready", "GET /v2/models/{model}/ready model=a"),
        (
            "POST", "/v2/models/a/versions/1/infer",
            "POST /v2/models/{model}/versions/{version}/infer model=a version=1"
        ),
        (
            "POST", "/v2/models/a/versions/1/versions/2/infer",
            "POST /v2/models/{model}/versions/{version}/infer model=a/versions/1 version=2"
        ),
        ("POST", "/embed", "POST /embed"), ("POST", "/embed/", "POST /embed"), ("POST", "//embed", "POST /embed"),
        ("POST", "///embed/", "POST /embed"), ("POST", "/embed//", "not_found"),
        ("POST", "//v2/models/a/infer/", "POST /v2/models/{model}/infer model=a"),
        ("OPTIONS", "/v1/models", "allow GET, POST, HEAD, OPTIONS"), ("OPTIONS", "/", "allow GET, HEAD, OPTIONS"),
        ("OPTIONS", "/v2/models/a/infer", "allow POST, OPTIONS"), ("OPTIONS", "*", "allow GET, HEAD, POST, OPTIONS"),
        ("OPTIONS", "/none", "not_found"), ("DELETE", "/v1/models", "method_not_allowed"),
        ("HEAD", "/v2/models/a/infer", "method_not_allowed"), ("get", "/", "method_not_allowed"),
    ])
    func isMatched(_ method: String, _ path: String, _ expected: String) {
        #expect(found(method, path) == expected)
    }

    /// RFC 9110, 15.5.6: a 405 names the methods that the path takes.
    @Test func methodsAreNamed() {
        guard case .refused(let error) = router.match("PUT", "/v1/models").outcome else {
            Issue.record("not refused")
            return
        }
        #expect(error.status == 405 && error.headers["Allow"] == "GET, POST, HEAD, OPTIONS")
        #expect(error.message == "/v1/models takes GET, POST, HEAD, OPTIONS, not PUT.")
    }

    /// Metrics have one label for all values of a parameter, and none for unknown paths.
    @Test(arguments: [
        ("GET", "/v1/models/a", "/v1/models/{name}"), ("PUT", "/v1/models/a", "/v1/models/{name}"),
        ("OPTIONS", "/v1/models/a", "/v1/models/{name}"), ("GET", "/none", ""), ("OPTIONS", "*", "*"),
        ("POST", "//embed/", "/embed"),
    ])
    func isLabeled(_ method: String, _ path: String, _ label: String) {
        #expect(router.match(method, path).label == label)
    }

    /// `%2F` means the same as `/`: paths are decoded before they are matched.
    @Test(arguments: [
        ("/v1/models/BAAI%2Fbge", "name=BAAI/bge"), ("/v1/models/a%20b", "name=a b"),
        ("/%76%31/models/caf%C3%A9", "name=café"), ("/v1/models/%7Bname%7D", "name={name}"),
    ])
    func pathsAreDecoded(_ target: String, _ parameter: String) throws {
        let path = try #require(Array(target.utf8).withUnsafeBufferPointer { HTTPGrammar.decodedPath($0[...]) })
        #expect(found("GET", path) == "GET /v1/models/{name} \(parameter)")
    }

    /// The hint of a 404 is a path that can be asked for, so never a pattern.
    @Test(arguments: [
        ("/v1/model", "There is no '/v1/model' here; did you mean '/v1/models'?"),
        ("/embeds", "There is no '/embeds' here; did you mean '/embed'?"),
        ("/nothing/at/all", "There is no '/nothing/at/all' here; see /openapi.json."),
    ])
    func hints(_ path: String, _ message: String) {
        guard case .refused(let error) = router.match("GET", path).outcome else {
            Issue.record("not refused")
            return
        }
        #expect(error.message == message)
    }
}

@Suite struct DialectTests {
    /// Unknown paths and wrong methods are answered in the dialect of the path.
    @Test(arguments: [
        ("GET", "/v2/none", "test"), ("GET", "/v2/strange/none", "test"), ("PUT", "/embed", "test"),
        ("OPTIONS", "/embed", "test"), ("GET", "/v1/none", "native"), ("GET", "/", "native"), ("PUT", "/", "native"),
    ])
    func isThatOfThePath(_ method: String, _ path: String, _ name: String) {
        #expect(router.match(method, path).dialect.name == name)
        #expect(router.dialect(of: path).name == name)
    }

    /// A dialect may change an error's status and form.
    @Test func writesErrors() {
        let error = APIError(404, "model_not_found", param: "model", "No model.")
        let lenient = Dialect.test.errorResponse(error)
        #expect(lenient.status == 400 && lenient.headers["X-Code"] == "model_not_found" && lenient.body.isEmpty)
        let native = Dialect.native.errorResponse(error)
        #expect(native.status == 404)
        let expected =
            #"{"error":{"message":"No model.","type":"invalid_request_error","param":"model","code":"model_not_found"}}"#
        #expect(native.text == expected)
    }

    @Test func strictFields() throws {
        let body = try JSONValue(parsing: Array(#"{"a": null, "b": 1, "unknown": 2}"#.utf8))
        let error = #expect(throws: APIError.self) {
            try FieldReader(body, .strict, name: "/p", fields: ["a", "b"])
        }
        #expect(error?.code == "unknown_field" && error?.param == "unknown")
        let fields = try FieldReader(body, .strict, name: "/p", fields: ["a", "b", "unknown"])
        #expect(fields["a"] == .null)
        #expect(throws: APIError.self) { try fields.string("a") }
    }

    @Test func lenientFields() throws {
        let body = try JSONValue(parsing: Array(#"{"a": null, "b": 1, "unknown": 2}"#.utf8))
        let fields = try FieldReader(body, .lenient, name: "/p", fields: ["a", "b"])
        #expect(fields["a"] == nil)
        #expect(try fields.string("a") == nil && fields.integer("b") == 1 && fields.integer("c") == nil)
        #expect(throws: APIError.self) { try fields.string("b") }
    }

    /// Errors name the input as the dialect does.
    @Test(arguments: [
        (#"[]"#, "texts", "'texts' is empty; send one sequence or an array of them."),
        (#"["a", null]"#, "texts[1]", "'texts[1]' must be a text, a pair"),
        (#"{"text": "a"}"#, "texts.pair", "'pair' is missing"), (#"5"#, "texts", "'texts' must be a text"),
    ])
    func inputsHaveAnyName(_ json: String, _ param: String, _ message: String) throws {
        let input = CallInput(try JSONValue(parsing: Array(json.utf8)), field: "texts")
        let error = #expect(throws: APIError.self) { try EncodeCall(input).run(on: Toy.models[0]) }
        #expect(error?.param == param && error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    /// Objects in the input follow the dialect's rules too.
    @Test func inputsFollowTheRules() throws {
        let pair = try JSONValue(parsing: Array(#"{"text": "a", "pair": "b", "more": 1}"#.utf8))
        #expect(throws: APIError.self) { try EncodeCall(CallInput(pair)).run(on: Toy.models[0]) }
        let results = try EncodeCall(CallInput(pair, rules: .lenient)).run(on: Toy.models[0])
        #expect(results.sequences.count == 1)
    }

    @Test(arguments: [(nil, 200), ("application/json", 200), ("text/plain", 415)] as [(String?, Int)])
    func mediaTypeMayBeMissing(_ type: String?, _ status: Int) {
        let dialect = Dialect(
            name: "test", fields: .lenient, acceptsMissingContentType: true, errorResponse: Dialect.test.errorResponse)
        var http = HTTPRequest(method: "POST", path: "/", headers: ["Content-Length": "2"], body: Array("{}".utf8))
        if let type { http.headers.add("Content-Type", type) }
        do throws(APIError) {
            _ = try http.jsonBody(RequestLimits(), dialect)
            #expect(status == 200)
        } catch {
            #expect(error.status == status)
        }
        if type == nil { #expect(throws: APIError.self) { try http.jsonBody(RequestLimits(), .native) } }
    }
}
