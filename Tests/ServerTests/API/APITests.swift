import CResources
import JSON
import Testing

@testable import HTTP
@testable import Server

@Suite struct APITests {
    @Test(arguments: [
        ("GET", "/", 200), ("GET", "/health", 200), ("HEAD", "/health", 200), ("GET", "/ready", 200),
        ("GET", "/metrics", 200), ("GET", "/openapi.json", 200), ("GET", "/v1/models", 200),
        ("GET", "/v1/models/text", 200), ("GET", "/v1/models/none", 404), ("GET", "/v1/encodes", 404),
        ("GET", "/v1/encode", 405), ("POST", "/health", 405), ("DELETE", "/v1/models/text", 405),
        ("GET", "/v1/attention", 400), ("POST", "/v1/encode", 411), ("OPTIONS", "/v1/encode", 204),
        ("OPTIONS", "*", 204), ("OPTIONS", "/nowhere", 404),
    ])
    func routes(_ method: String, _ path: String, _ status: Int) throws {
        let response = try TestAPI().get(path, method: method)
        #expect(response.status == status, "\(response.text)")
        #expect((response.headers["Allow"] != nil) == ([204, 405].contains(status)))
        #expect(response.headers["X-Request-Id"] != nil)
    }

    /// Bodies that are of no use: what is refused by the head alone, and how much is read of others.
    @Test(
        arguments: [
            ("POST", "/v1/encode", "33554432", nil, nil), ("POST", "/v1/attention", "chunked", nil, nil),
            ("GET", "/v1/attention", "65537", nil, 65536), ("GET", "/health", "chunked", nil, 65536),
            ("HEAD", "/ready", "1", nil, 65536), ("OPTIONS", "*", "65537", nil, 65536),
            ("POST", "/health", "65536", nil, 65536), ("POST", "/health", "65537", 405, nil),
            ("POST", "/ready", "chunked", nil, 65536), ("PUT", "/v1/encode", "65537", 405, nil),
            ("POST", "/v1/models/text", "65537", 405, nil), ("POST", "/v1/encodes", "65537", 404, nil),
            ("POST", "/v1/encodes", "99999999999999999999", 404, nil),
        ] as [(String, String, String, Int?, Int?)])
    func refusesBodies(_ method: String, _ path: String, _ length: String, _ status: Int?, _ bytes: Int?) throws {
        var request = HTTPRequest(method: method, path: path)
        request.headers.add(length == "chunked" ? "Transfer-Encoding" : "Content-Length", length)
        let handler = try TestAPI().handler
        let response = handler.refusal(of: request)
        #expect(response?.status == status)
        #expect((response?.headers["Allow"] != nil) == (status == 405))
        #expect((response?.error["message"]?.string?.isEmpty == false) == (status != nil))
        #expect(handler.maxBodyBytes(of: request) == bytes)
    }

    /// A response without room is replaced under the same id and for the same pages.
    @Test func answersInsteadOfAnAnswer() throws {
        let answer = HTTPResponse(
            status: 200,
            headers: [
                "X-Request-Id": "mine", "Vary": "Origin", "Access-Control-Allow-Origin": "a", "Content-Type": "b",
            ])
        let response = try TestAPI().handler.failure(
            status: 503, code: "server_busy", message: "m", path: "/v1/encode", insteadOf: answer)
        #expect(response.status == 503 && response.error["code"] == .string("server_busy"))
        #expect(response.headers.values("X-Request-Id") == ["mine"])
        #expect(response.headers["Vary"] == "Origin" && response.headers["Access-Control-Allow-Origin"] == "a")
        #expect(response.headers.values("Content-Type") == ["application/json"])
        #expect(response.headers.values("Server-Timing").count == 1)
    }

    /// It listens before there are models.
    @Test func saysThatItLoads() throws {
        let api = try TestAPI()
        let handler = APIHandler(metrics: Metrics())
        func get(_ path: String, method: String = "GET") -> HTTPResponse {
            let writer = TestWriter()
            handler.handle(HTTPRequest(method: method, path: path), writer)
            return writer.response
        }
        let answers: [(method: String, path: String, status: Int)] = [
            ("GET", "/health", 200), ("GET", "/metrics", 200), ("GET", "/openapi.json", 200), ("GET", "/", 200),
            ("GET", "/ready", 503), ("GET", "/v1/models", 503), ("GET", "/v1/models/text", 503),
            ("POST", "/v1/encode", 503), ("POST", "/v1/attention", 503), ("GET", "/v1/attention", 503),
        ]
        for (method, path, status) in answers {
            let response = get(path, method: method)
            #expect(response.status == status)
            #expect(response.headers["Retry-After"] == (status == 503 ? "1" : nil))
            if status == 503 { #expect(response.error["code"]?.string == "loading") }
        }
        handler.serve(Toy.models, engine: api.engine)
        #expect(get("/ready").status == 200)
        #expect(get("/v1/models").json["data"]?.array?.count == Toy.models.count)
        handler.becomeUnready()
        #expect(get("/ready").error["code"]?.string == "draining")
        #expect(get("/v1/models").status == 200)
        let early = APIHandler(metrics: Metrics())
        early.becomeUnready()
        let writer = TestWriter()
        early.handle(HTTPRequest(method: "GET", path: "/ready"), writer)
        #expect(writer.response.error["code"]?.string == "draining")
    }

    /// openapi.json has the paths, methods and fields of all endpoints, and no others.
    @Test func documentsEveryEndpoint() throws {
        let document = try JSONValue(parsing: EmbeddedFiles.openAPI)
        var documented: Set<String> = []
        for (path, operations) in try #require(document["paths"]?.object).members {
            for (method, operation) in try #require(operations.object).members {
                var names: [String] = []
                for parameter in operation["parameters"]?.array ?? [] where parameter["in"]?.string == "query" {
                    names.append("query \(parameter["name"]?.string ?? "")")
                }
                let schema = operation["requestBody"]?["content"]?["application/json"]?["schema"]
                names += schema?["properties"]?.object?.keys.map { "body \($0)" } ?? []
                documented.insert("\(method.uppercased()) \(path): \(names.sorted().joined(separator: ", "))")
            }
        }
        let served = Endpoints.all.map { endpoint in
            var names = endpoint.query.map { "query \($0)" }
            if case .json(let fields) = endpoint.body { names += fields.map { "body \($0)" } }
            return "\(endpoint.method) \(endpoint.path): \(names.sorted().joined(separator: ", "))"
        }
        #expect(documented == Set(served))
        #expect(served.count == Set(served).count)
    }

    /// `info.version` of the document is the version that `encoderd --version` prints.
    @Test func documentsTheVersion() throws {
        let document = try JSONValue(parsing: EmbeddedFiles.openAPI)
        #expect(document["info"]?["version"]?.string == ENCODERD_VERSION)
    }

    @Test func listsModels() throws {
        let json = try TestAPI().get("/v1/models").json
        #expect(json["object"]?.string == "list")
        #expect(json["data"]?.array?.map { $0["id"]?.string } == ["text", "ids", "features", "classes"])
        #expect(json["data"]?.array?[2]["input_size"]?.int == 2)
    }

    @Test func countsRequests() throws {
        let api = try TestAPI()
        _ = api.encode("{\"input\": [7, 8]}")
        _ = api.encode("{}")
        let text = api.get("/metrics").text
        #expect(text.contains("encoderd_requests_total{route=\"/v1/encode\",status=\"200\"} 1\n"))
        #expect(text.contains("encoderd_requests_total{route=\"/v1/encode\",status=\"400\"} 1\n"))
        #expect(text.contains("encoderd_tokens_total{model=\"text\"} 2\n"))
        #expect(text.contains("process_resident_memory_bytes "))
    }

    @Test(arguments: [
        ("abc-1", true), ("a b", false), ("é", false), (String(repeating: "x", count: 129), false), ("", false),
    ])
    func echoesIdentifiers(_ id: String, _ echoed: Bool) throws {
        let response = try TestAPI().encode("{\"input\": [7]}", ["X-Request-Id": id])
        #expect((response.headers["X-Request-Id"] == id) == echoed)
    }
}
