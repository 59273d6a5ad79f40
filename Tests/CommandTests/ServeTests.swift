import Foundation
import Testing

/// The server process with the three published models, from outside.
@Suite(.serialized) struct ServeTests {
    static let models = ["minilm", "g2p", "resemblyzer"].flatMap { ["--model", "\($0)=\(Program.model($0))"] }
    /// Started once for all tests of this file; ended with the test process.
    static let shared = Result { try RunningServer(models) }

    static func server() throws -> RunningServer { try shared.get() }

    static func reference(_ name: String) throws -> [String: Any] {
        let data = try Data(contentsOf: URL(fileURLWithPath: "\(Program.root)/Tests/Reference/data/\(name)"))
        return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    static func numbers(_ value: Any?) throws -> [Double] { try #require(value as? [Double]) }

    // MARK: What it answers

    /// Tests/Reference/serve.py: sentence-transformers for MiniLM, numpy for g2p, torch for Resemblyzer.
    @Test func encodes() throws {
        let server = try Self.server()
        let expected = try Self.reference("serve.json")
        for (model, input, output) in [
            ("minilm", "text", "embedding"), ("minilm", "texts", "embedding"), ("minilm", "pair", "states"),
            ("g2p", "word", "states"), ("g2p", "ids", "embedding"), ("resemblyzer", "frames", "embedding"),
        ] {
            let sent = try #require((expected["inputs"] as? [String: Any])?[input])
            let answer = try server.post("/v1/encode", ["model": model, "input": sent, "output": output])
            #expect(answer.status == 200, "\(String(decoding: answer.body, as: UTF8.self).prefix(300))")
            let json = try answer.json()
            #expect(json["model"] as? String == model)
            let data = try #require(json["data"] as? [[String: Any]])
            let want = try #require((expected["outputs"] as? [String: [Any]])?["\(model).\(input)"])
            #expect(data.count == want.count)
            for (item, wanted) in zip(data, want) {
                let got = item[output]
                let flat = try (got as? [[Double]])?.flatMap { $0 } ?? Self.numbers(got)
                let values = try (wanted as? [[Double]])?.flatMap { $0 } ?? Self.numbers(wanted)
                let largest = values.reduce(0) { max($0, abs($1)) }
                let error =
                    flat.count == values.count ? zip(flat, values).reduce(0) { max($0, abs($1.0 - $1.1)) } : .infinity
                #expect(error < 2e-6 * largest * (output == "states" ? 5 : 1), "\(model) \(input) \(error)")
            }
            #expect(answer.headers["x-request-id"] != nil)
            let timing = try #require(answer.headers["server-timing"])
            for phase in ["tokenize", "queue", "infer", "serialize"] { #expect(timing.contains("\(phase);dur=")) }
        }
    }

    @Test func drawsMaps() throws {
        let server = try Self.server()
        let maps: [(String, [Int], [String])] = [
            ("model=minilm&input=hello+world&layers=-1", [1, 12, 4, 4], ["layer", "head", "query", "key"]),
            ("model=g2p&input=hello", [1, 1, 6, 7], ["layer", "direction", "query", "key"]),
        ]
        for (query, shape, axes) in maps {
            let json = try server.get("/v1/attention?\(query)").json()
            #expect(json["shape"] as? [Int] == shape && json["axes"] as? [String] == axes)
            #expect(json["note"] is String && json["checks"] is [String: Any])
        }
        let picture = try server.get("/v1/attention?model=minilm&input=hello+world&layers=5&format=svg")
        let text = String(decoding: picture.body, as: UTF8.self)
        #expect(
            picture.headers["content-type"]?.hasPrefix("image/svg+xml") == true && text.contains("hello")
                && text.contains("<svg"))
        let png = try server.get("/v1/attention?model=g2p&input=hello&format=png")
        #expect(png.headers["content-type"] == "image/png" && png.body.starts(with: [0x89, 0x50, 0x4E, 0x47]))
        let npy = try server.get("/v1/attention?model=minilm&input=hello+world", accept: "application/x-npy")
        #expect(npy.body.starts(with: [0x93] + Array("NUMPY".utf8)))
        let tensors = try server.get("/v1/attention?model=minilm&input=hello+world&format=safetensors")
        #expect(tensors.status == 200 && tensors.body.count > 6 * 12 * 16 * 4)
    }

    @Test func tellsOfItself() throws {
        let server = try Self.server()
        #expect(try server.get("/health").status == 200)
        #expect(try server.get("/ready").status == 200)
        let models = try server.get("/v1/models").json()
        let names = try #require(models["data"] as? [[String: Any]]).compactMap { $0["id"] as? String }
        #expect(names == ["minilm", "g2p", "resemblyzer"])
        #expect(try server.get("/v1/models/g2p").status == 200)
        #expect(try server.get("/metrics").headers["content-type"]?.hasPrefix("text/plain") == true)
        let document = try server.get("/openapi.json").json()
        #expect((document["paths"] as? [String: Any])?["/v1/encode"] != nil)
        #expect(try server.get("/").headers["content-type"]?.hasPrefix("text/html") == true)
    }

    // MARK: What it refuses

    struct Refusal: CustomTestStringConvertible, Sendable {
        var target = "/v1/encode"
        let body: String
        let status: Int
        let code: String
        /// The field, and what the message must contain.
        let param: String?
        let says: String
        var testDescription: String { "\(target) \(body.prefix(60))" }
    }

    private static func frames(_ width: Int, _ value: String = "0") -> String {
        "[[" + Array(repeating: value, count: width).joined(separator: ",") + "]]"
    }

    static let refusals: [Refusal] = [
        .init(body: #"{"input": "x""#, status: 400, code: "invalid_json", param: nil, says: "JSON"),
        .init(body: "", status: 400, code: "invalid_json", param: nil, says: "JSON"),
        .init(body: "[1]", status: 400, code: "invalid_type", param: nil, says: "object"),
        .init(body: #"{"input": "x", "input": "y"}"#, status: 400, code: "invalid_json", param: nil, says: "input"),
        .init(body: #"{"input": "\ud800"}"#, status: 400, code: "invalid_json", param: nil, says: "surrogate"),
        .init(body: #"{"input": NaN}"#, status: 400, code: "invalid_json", param: nil, says: "JSON"),
        .init(body: #"{"input": "x"} {}"#, status: 400, code: "invalid_json", param: nil, says: "JSON"),
        .init(
            body: String(repeating: "[", count: 100_000), status: 400, code: "invalid_json", param: nil, says: "deep"),
        .init(body: "{}", status: 400, code: "missing_field", param: "input", says: "'input'"),
        .init(body: #"{"input": null}"#, status: 400, code: "invalid_type", param: "input", says: "'input'"),
        .init(
            body: #"{"input": "x", "inputs": "y"}"#, status: 400, code: "unknown_field", param: "inputs", says: "inputs"
        ),
        .init(
            body: #"{"input": "x", "model": "nope"}"#, status: 404, code: "model_not_found", param: "model",
            says: "minilm"),
        .init(body: #"{"input": "x", "model": 3}"#, status: 400, code: "invalid_type", param: "model", says: "string"),
        .init(body: #"{"input": 3}"#, status: 400, code: "invalid_type", param: "input", says: "input"),
        .init(body: #"{"input": true}"#, status: 400, code: "invalid_type", param: "input", says: "input"),
        .init(body: #"{"input": []}"#, status: 400, code: "empty_input", param: "input", says: "empty"),
        .init(body: #"{"input": [[]]}"#, status: 400, code: "empty_input", param: "input[0]", says: "input[0]"),
        .init(body: #"{"input": ["a", 3]}"#, status: 400, code: "invalid_type", param: "input[1]", says: "input[1]"),
        .init(
            body: #"{"input": [101, 30522]}"#, status: 400, code: "token_id_out_of_range", param: "input[1]",
            says: "30521"
        ),
        .init(
            body: #"{"input": [101, -1]}"#, status: 400, code: "token_id_out_of_range", param: "input[1]", says: "-1"),
        .init(
            body: #"{"input": [101, 1.5]}"#, status: 400, code: "invalid_token_id", param: "input[1]", says: "input[1]"),
        .init(
            body: #"{"input": [101, 1e30]}"#, status: 400, code: "token_id_out_of_range", param: "input[1]",
            says: "input[1]"),
        .init(
            body: #"{"input": [[101], [102, 99999999999999999999]]}"#, status: 400, code: "token_id_out_of_range",
            param: "input[1][1]", says: "input[1][1]"),
        .init(
            body: #"{"input": {"text": "a"}}"#, status: 400, code: "missing_field", param: "input.pair", says: "pair"),
        .init(
            body: #"{"input": {"text": "a", "pair": 3}}"#, status: 400, code: "invalid_type", param: "input.pair",
            says: "string"),
        .init(
            body: #"{"input": {"text": "a", "pair": "b", "third": "c"}}"#, status: 400, code: "unknown_field",
            param: "input.third", says: "third"),
        .init(
            body: #"{"input": "\#(String(repeating: "word ", count: 400))", "truncate": false}"#, status: 400,
            code: "sequence_too_long", param: "input", says: "256"),
        .init(
            body: #"{"input": "x", "truncate": "no"}"#, status: 400, code: "invalid_type", param: "truncate",
            says: "true or false"),
        .init(
            body: #"{"input": "x", "output": "vector"}"#, status: 400, code: "invalid_value", param: "output",
            says: "embedding"),
        .init(
            body: #"{"input": "x", "output": []}"#, status: 400, code: "invalid_value", param: "output", says: "empty"),
        .init(
            body: #"{"input": "x", "output": ["states", "states"]}"#, status: 400, code: "invalid_value",
            param: "output[1]",
            says: "more than once"),
        .init(
            body: #"{"input": "x", "output": "logits"}"#, status: 422, code: "no_head", param: "output", says: "head"),
        .init(body: #"{"input": "x", "layer": 7}"#, status: 400, code: "invalid_value", param: "layer", says: "6"),
        .init(body: #"{"input": "x", "layer": -8}"#, status: 400, code: "invalid_value", param: "layer", says: "-7"),
        .init(
            body: #"{"input": "x", "layer": "last"}"#, status: 400, code: "invalid_type", param: "layer", says: "layer"),
        .init(
            body: #"{"input": "x", "pooling": "sum"}"#, status: 400, code: "invalid_value", param: "pooling",
            says: "mean"),
        .init(
            body: #"{"input": "x", "normalize": 1}"#, status: 400, code: "invalid_type", param: "normalize",
            says: "true or false"),
        .init(
            body: #"{"input": "x", "dimensions": 0}"#, status: 400, code: "invalid_value", param: "dimensions",
            says: "384"),
        .init(
            body: #"{"input": "x", "dimensions": 385}"#, status: 400, code: "invalid_value", param: "dimensions",
            says: "384"),
        .init(
            body: #"{"input": "x", "encoding_format": "hex"}"#, status: 400, code: "invalid_value",
            param: "encoding_format",
            says: "base64"),
        .init(
            body: #"{"input": "x", "return_state": true}"#, status: 422, code: "no_state", param: "return_state",
            says: "recurrent"),
        .init(
            body: #"{"input": [[0.5, 1.5]]}"#, status: 422, code: "wrong_input_kind", param: "input",
            says: "feature"),
        .init(
            body: #"{"model": "resemblyzer", "input": "hello"}"#, status: 422, code: "wrong_input_kind",
            param: "input",
            says: "feature"),
        .init(
            body: #"{"model": "resemblyzer", "input": \#(frames(39))}"#, status: 400, code: "wrong_feature_width",
            param: "input[0]", says: "40"),
        .init(
            body: #"{"model": "resemblyzer", "input": \#(frames(40, "\"a\""))}"#, status: 400, code: "invalid_type",
            param: "input[0][0]", says: "number"),
        .init(
            body: #"{"model": "resemblyzer", "input": \#(frames(40, "1e39"))}"#, status: 400,
            code: "number_out_of_range",
            param: "input[0][0]", says: "32-bit float"),
        .init(
            body: #"{"model": "resemblyzer", "input": [[[0.1]]]}"#, status: 400, code: "wrong_feature_width",
            param: "input[0][0]", says: "40"),
        .init(
            body: #"{"model": "resemblyzer", "input": \#(frames(40)), "initial_state": {"hidden": [[0]]}}"#,
            status: 400,
            code: "invalid_shape", param: "initial_state.hidden", says: "256"),
        .init(
            target: "/v1/attention", body: #"{"input": "x", "method": "jacobian"}"#, status: 422,
            code: "method_not_supported",
            param: "method", says: "raw"),
        .init(
            target: "/v1/attention", body: #"{"model": "g2p", "input": "x", "method": "raw"}"#, status: 422,
            code: "method_not_supported", param: "method", says: "write_contribution, jacobian"),
        .init(
            target: "/v1/attention",
            body: #"{"model": "g2p", "input": \#(Array(repeating: 3, count: 1000)), "method": "jacobian"}"#,
            status: 413,
            code: "sequence_too_long", param: "input", says: "at most"),
        .init(
            target: "/v1/attention", body: #"{"input": ["x", "y"]}"#, status: 400, code: "invalid_value",
            param: "input",
            says: "one sequence"),
        .init(
            target: "/v1/attention", body: #"{"input": "x", "layers": [6]}"#, status: 400, code: "invalid_value",
            param: "layers", says: "5"),
        .init(
            target: "/v1/attention", body: #"{"input": "x", "heads": "first"}"#, status: 400, code: "invalid_value",
            param: "heads", says: "all"),
        .init(
            target: "/v1/attention", body: #"{"input": "x", "select": {"top_k": 0}}"#, status: 400,
            code: "invalid_value",
            param: "select.top_k", says: "top_k"),
        .init(
            target: "/v1/attention", body: #"{"input": "\#(String(repeating: "word ", count: 300))"}"#, status: 413,
            code: "too_many_weights", param: nil, says: "1000000"),
    ]

    @Test(arguments: refusals) func refuses(_ refusal: Refusal) throws {
        let answer = try Self.server().post(refusal.target, refusal.body)
        let text = String(decoding: answer.body.prefix(600), as: UTF8.self)
        let error = try #require(try answer.json()["error"] as? [String: Any], "\(text)")
        #expect(answer.status == refusal.status, "\(text)")
        #expect(error["code"] as? String == refusal.code, "\(text)")
        if let param = refusal.param { #expect(error["param"] as? String == param, "\(text)") }
        #expect((error["message"] as? String)?.contains(refusal.says) == true, "\(text)")
        #expect(error["type"] as? String == "invalid_request_error")
    }

    @Test func refusesByHTTP() throws {
        let server = try Self.server()
        #expect(Self.refusals.count >= 40)
        #expect(try server.get("/nowhere").status == 404)
        let method = try server.get("/v1/encode")
        #expect(method.status == 405 && method.headers["allow"] == "POST, OPTIONS")
        let body = Data(#"{"input": "x"}"#.utf8)
        let head = "POST /v1/encode HTTP/1.1\r\nHost: test\r\nContent-Length: \(body.count)\r\n"
        #expect(try server.exchange(head + "Content-Type: text/plain\r\n", body: body).status == 415)
        #expect(
            try server.exchange(head + "Content-Type: application/json\r\nContent-Encoding: zstd\r\n", body: body)
                .status == 415)
        let huge =
            "POST /v1/encode HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n"
        #expect(try server.exchange(huge, body: Data()).status == 413)
        // Without a byte of the body, or with as much as is read of one.
        for (head, body, status) in [
            ("POST /health HTTP/1.1\r\nHost: test\r\nContent-Length: 33554432\r\n", "", 405),
            ("GET /health HTTP/1.1\r\nHost: test\r\nContent-Length: 65537\r\n", "", 413),
            ("GET /health HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n", "10001\r\n", 413),
            ("GET /health HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\n\r\n", 200),
            ("POST /nowhere HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\n\r\n", 404),
            ("POST /nowhere HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n", "x\r\n", 400),
        ] { #expect(try server.exchange(head, body: Data(body.utf8)).status == status) }
        let noLength = "POST /v1/encode HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
        #expect(try server.exchange(noLength, body: Data()).status == 411)
    }

    /// The numbers of a long JSON answer, which comes in chunks, are those of the binary one, to the bit.
    @Test func streamsLongAnswers() throws {
        let server = try Self.server()
        let ids = (2000..<2256).map { "\($0)" }.joined(separator: ",")
        let question = "{\"model\": \"minilm\", \"input\": [\(ids)], \"output\": \"states\"}"
        let answer = try server.post("/v1/encode", question, headers: "X-Request-Id: long-1\r\n")
        #expect(answer.headers["transfer-encoding"] == "chunked" && answer.headers["content-length"] == nil)
        let items = try #require(try answer.json()["data"] as? [[String: Any]])
        let rows = try #require(items.first?["states"] as? [[Double]])
        let binary = try server.post("/v1/encode", question, headers: "Accept: application/x-npy\r\n")
        let last = binary.body.suffix(256 * 384 * 4)
        try #require(last.count == 256 * 384 * 4)
        let values = last.withUnsafeBytes { bytes in
            (0..<256 * 384).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
        }
        #expect(rows.count == 256 && rows.joined().map { Float($0) } == values)
        let packed = try server.post("/v1/encode", question, headers: "Accept-Encoding: identity;q=0, gzip\r\n")
        #expect(packed.headers["content-encoding"] == "gzip" && packed.body.starts(with: [0x1F, 0x8B]))
        #expect(packed.body.count < answer.body.count / 2)
        // Of the last answer's line, which may come after it.
        usleep(200_000)
        let log = try server.logText().split(separator: "\n").filter { $0.hasSuffix(" id=long-1") }
        #expect(log.count == 1 && log[0].contains("info") && log[0].contains("POST /v1/encode 200 ms="))
    }

    // MARK: How it starts and ends

    /// A directory without an option is a model, and the models of the environment have no effect.
    @Test func servesADirectory() throws {
        let server = try RunningServer(
            [Program.model("g2p"), "voice=\(Program.model("resemblyzer"))"],
            environment: ["ENCODERD_MODELS": "/nowhere", "ENCODERD_MODEL": "/nobody"])
        for name in ["g2p", "voice"] { #expect(try server.get("/v1/models/\(name)").status == 200) }
    }

    @Test func takesOptionsFromTheEnvironment() throws {
        let folder = try TemporaryFolder()
        try folder.link("voice", to: Program.model("resemblyzer"))
        let server = try RunningServer(
            [],
            environment: [
                "ENCODERD_MODELS": folder.path, "ENCODERD_THREADS": "1", "ENCODERD_ISA": "baseline",
                "ENCODERD_ACCESS_LOG": "off",
            ])
        #expect(try server.logText().contains("baseline kernels"))
        #expect(try server.logText().contains("1 worker thread"))
        #expect(try server.get("/v1/models/voice").status == 200)
        usleep(100_000)
        #expect(try !server.logText().contains("/v1/models/voice 200"))
    }

    @Test(
        arguments: [
            (["--port", "70000"], [:], "--port takes 0 to 65535"),
            ([], ["ENCODERD_PORT": "many"], "'many' is invalid for '--port"),
            (["--model", "a="], [:], "NAME=DIRECTORY"),
            ([], [:], "nothing to serve"),
            (
                ["--model", "m=\(Program.model("g2p"))", "--model", "m=\(Program.model("g2p"))"], [:],
                "Two models are named 'm'"
            ),
            (["--model", Program.model("g2p")], ["ENCODERD_ISA": "mmx"], "ENCODERD_ISA"),
            (["--model", Program.model("g2p"), "--host", "nowhere.invalid"], [:], "nowhere.invalid"),
            (["--model", Program.model("g2p"), "--threads", "0"], [:], "--threads takes 1 to 1024"),
            (["--cors-origin", "a.example"], [:], "--cors-origin takes SCHEME://HOST[:PORT] or *"),
            (["--model", Program.model("g2p"), "--api-key-file", "/none"], [:], "/none"),
            (["--listen", "8080"], [:], "--listen takes HOST:PORT, http://HOST:PORT or unix:PATH"),
            (["--tls-cert", "a.pem"], [:], "--tls-cert and --tls-key are given together"),
            (["--body-idle-seconds=-1"], [:], "--body-idle-seconds takes 0 to 86400"),
            ([], ["ENCODERD_MIN_BODY_RATE": "x"], "'x' is invalid for '--min-body-rate"),
            (["--model", Program.model("g2p"), "--tls-cert", "none", "--tls-key", "none"], [:], "certificate none"),
        ] as [([String], [String: String], String)])
    func refusesOptions(arguments: [String], environment: [String: String], message: String) throws {
        let outcome = try Program.run(["serve"] + arguments, environment: environment)
        #expect(!outcome.crashed && outcome.code != 0)
        #expect(outcome.errors.contains(message), "\(outcome.errors)")
    }

    /// Keys and pages of other origins, several addresses, and SIGHUP.
    @Test func asksForKeysAndReadsThemAgain() throws {
        let folder = try TemporaryFolder()
        try folder.write("keys", Array("old\n".utf8))
        let socket = folder.path + "/socket"
        let server = try RunningServer(
            [
                "--model", "m=\(Program.model("g2p"))", "--api-key-file", folder.path + "/keys", "--cors-origin", "*",
                "--listen", "unix:\(socket)", "--listen", "127.0.0.1:0",
            ])
        func status(_ key: String) throws -> Int {
            try server.exchange("GET /v1/models HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer \(key)\r\n", body: Data())
                .status
        }
        #expect(try server.get("/health").status == 200)
        #expect(try server.get("/v1/models").status == 401)
        #expect(try status("old") == 200)
        #expect(FileManager.default.fileExists(atPath: socket))
        for (keys, works, fails) in [("new\n", "new", "old"), ("", "new", "old")] {
            try folder.write("keys", Array(keys.utf8))
            let before = try server.logText().split(separator: "SIGHUP").count
            kill(server.process.processIdentifier, SIGHUP)
            for _ in 0..<300 where try server.logText().split(separator: "SIGHUP").count == before { usleep(10_000) }
            #expect(try status(works) == 200)
            #expect(try status(fails) == 401)
        }
        kill(server.process.processIdentifier, SIGTERM)
        server.process.waitUntilExit()
        #expect(!FileManager.default.fileExists(atPath: socket))
    }

    /// Without descriptors for all clients the server neither spins nor ends, and has room again when they have gone.
    @Test func survivesRunningOutOfDescriptors() throws {
        let server = try RunningServer(["--model", "m=\(Program.model("g2p"))"], limit: "-n 60")
        #expect(try server.logText().contains("10000 connections want 10320 descriptors, and 60 are allowed"))
        let identifier = server.process.processIdentifier
        func descriptors() throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/\(identifier)/fd").count
        }
        /// Processor time so far, in ticks of 10 ms (proc(5)).
        func ticks() throws -> Int {
            let line = try String(contentsOfFile: "/proc/\(identifier)/stat", encoding: .utf8)
            let fields = try #require(line.split(separator: ")").last).split(separator: " ")
            return try #require(Int(fields[11])) + #require(Int(fields[12]))
        }
        let loyal = try server.open()
        func ask(_ path: String = "/health") throws -> Int? {
            try RunningServer.next(loyal, Data("GET \(path) HTTP/1.1\r\nHost: t\r\n\r\n".utf8))
        }
        // While models load, Dispatch has yet to make a descriptor for timers that it keeps.
        var isReady = false
        for _ in 0..<3000 where !isReady {
            isReady = try ask("/ready") == 200
            if !isReady { usleep(10_000) }
        }
        try #require(isReady)
        let before = try descriptors() - 1
        #expect(try ask() == 200)
        var clients: [Int32] = []
        for _ in 0..<200 { clients.append(try server.open()) }
        let start = try ticks()
        usleep(1_000_000)
        #expect(try ticks() - start < 50)
        #expect(try ask() == 200)
        for client in clients + [loyal] { close(client) }
        // One that is taken while there is still no room is closed.
        #expect((0..<20).contains { _ in (try? server.get("/health").status) == 200 })
        for _ in 0..<500 where try descriptors() > before { usleep(10_000) }
        #expect(try descriptors() <= before)
    }

    /// The soft limit is raised to what the connections need, and no further.
    @Test(arguments: [("300", 620), ("100", 420), ("10", 400)])
    func raisesTheLimitOfDescriptors(_ connections: String, _ expected: Int) throws {
        let server = try RunningServer(
            ["--model", "m=\(Program.model("g2p"))", "--max-connections", connections], limit: "-S -n 400")
        let limits = try String(contentsOfFile: "/proc/\(server.process.processIdentifier)/limits", encoding: .utf8)
        let line = try #require(limits.split(separator: "\n").first { $0.hasPrefix("Max open files") })
        #expect(line.split(separator: " ").compactMap { Int($0) }.first == expected)
        #expect(try !server.logText().contains("descriptors"))
    }

    /// It listens while models load; one that cannot be loaded ends it with a sentence.
    @Test func listensBeforeModelsAreLoaded() throws {
        let folder = try TemporaryFolder()
        let socket = folder.path + "/socket"
        let log = try TemporaryFile()
        let models = (0..<8).flatMap { ["--model", "m\($0)=\(Program.model("minilm"))"] }
        let process = Program.process(
            ["serve", "--listen", "127.0.0.1:0", "--listen", "unix:\(socket)"] + models
                + ["--model", "none=\(folder.path)"], environment: [:])
        process.standardError = try FileHandle(forWritingTo: log.url)
        try process.run()
        defer { if process.isRunning { process.terminate() } }
        var port: UInt16?
        for _ in 0..<2000 where port == nil && process.isRunning {
            usleep(5000)
            port = try log.text().split(separator: "\n").first { $0.contains("opened http://") }
                .flatMap { $0.split(separator: ",").first?.split(separator: ":").last }.flatMap { UInt16($0) }
        }
        let found = try #require(port)
        func answer(_ path: String) throws -> RunningServer.Answer {
            let descriptor = try RunningServer.open(port: Int(found))
            defer { close(descriptor) }
            return try RunningServer.finish(
                descriptor, Data("GET \(path) HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n".utf8))
        }
        for (path, status) in [("/health", 200), ("/ready", 503), ("/v1/models", 503)] {
            let answer = try answer(path)
            #expect(answer.status == status && (answer.headers["retry-after"] == "1") == (status == 503))
        }
        process.waitUntilExit()
        #expect(process.terminationStatus == 1 && process.terminationReason == .exit)
        let lines = try log.text().split(separator: "\n")
        #expect(lines.last == "Error: \(folder.path): holds no config.json, which says what kind of model it is")
        #expect(lines.count { $0.hasPrefix("Error") } == 1 && !lines.contains { $0.contains("listening on") })
        #expect(!FileManager.default.fileExists(atPath: socket))
    }

    /// SIGTERM amid 24 connections that ask for 40 passes, some of them pipelined: all are answered. A probe is told meanwhile.
    @Test func drainsAmidManyRequests() throws {
        let server = try RunningServer(
            [
                "--model", "m=\(Program.model("minilm"))", "--drain-accept-seconds", "0.5", "--access-log", "off",
                // The thread sanitizer makes the passes some thirty times as long.
                "--drain-seconds", "300",
            ])
        let text = String(repeating: "word ", count: 200)
        let request = Data(
            "POST /v1/encode HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length: \(text.utf8.count + 13)\r\n\r\n{\"input\": \"\(text)\"}"
                .utf8)
        let clients = try (0..<24).map { index in (descriptor: try server.open(), count: index % 3 == 0 ? 3 : 1) }
        defer { for client in clients { close(client.descriptor) } }
        for client in clients {
            RunningServer.send(client.descriptor, Data((0..<client.count).flatMap { _ in request }))
        }
        let idle = try server.open()
        defer { close(idle) }
        kill(server.process.processIdentifier, SIGTERM)
        for _ in 0..<200 where try !server.logText().contains("SIGTERM") { usleep(1000) }
        #expect(try server.get("/ready").status == 503)
        #expect(try server.get("/health").status == 200)
        for client in clients {
            let answers = try RunningServer.finishAll(client.descriptor)
            #expect(answers.map(\.status) == Array(repeating: 200, count: client.count))
            #expect(answers.last?.headers["connection"] == "close")
        }
        server.process.waitUntilExit()
        let log = try server.logText()
        #expect(server.process.terminationStatus == 0 && server.process.terminationReason == .exit, "\(log)")
    }

    /// Whoever cannot wait sends a second signal.
    @Test func endsAtOnceOnASecondSignal() throws {
        let server = try RunningServer(
            ["--model", "m=\(Program.model("g2p"))", "--drain-accept-seconds", "20", "--drain-seconds", "20"])
        let identifier = server.process.processIdentifier
        kill(identifier, SIGTERM)
        for _ in 0..<500 where try !server.logText().contains("SIGTERM") { usleep(1000) }
        let start = ContinuousClock.now
        kill(identifier, SIGTERM)
        server.process.waitUntilExit()
        #expect(start.duration(to: .now) < .seconds(2))
        #expect(server.process.terminationStatus == 1 && server.process.terminationReason == .exit)
    }

    /// Neither the end nor a second signal waits for a pass.
    @Test(arguments: [false, true]) func endsAmidAPass(_ signalsTwice: Bool) throws {
        let server = try RunningServer(
            ["--model", "m=\(Program.model("minilm"))", "--threads", "1", "--max-batch-tokens", "100000"],
            environment: ["ENCODERD_ISA": "baseline"])
        let ids = "[" + Array(repeating: "2000", count: 256).joined(separator: ",") + "]"
        let body = "{\"input\": [" + Array(repeating: ids, count: 64).joined(separator: ",") + "]}"
        let client = try server.open()
        RunningServer.send(
            client,
            Data(
                "POST /v1/encode HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
                    .utf8))
        func gauge(_ name: String) throws -> String? {
            let page = String(decoding: try server.get("/metrics").body, as: UTF8.self)
            return page.split(separator: "\n").first { $0.hasPrefix(name + " ") }.map {
                String($0.dropFirst(name.count + 1))
            }
        }
        var isUnderWay = false
        for _ in 0..<1000 where !isUnderWay {
            usleep(10_000)
            isUnderWay = try gauge("encoderd_workers_busy") == "1" && gauge("encoderd_queue_sequences") == "0"
        }
        try #require(isUnderWay)
        usleep(300_000)
        var reset = linger(l_onoff: 1, l_linger: 0)
        setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, socklen_t(MemoryLayout<linger>.size))
        // The pass of a client that has gone ends at once; that of one that waits ends with the second signal.
        if !signalsTwice { close(client) }
        defer { if signalsTwice { close(client) } }
        let start = ContinuousClock.now
        kill(server.process.processIdentifier, SIGTERM)
        if signalsTwice {
            usleep(300_000)
            kill(server.process.processIdentifier, SIGTERM)
        }
        server.process.waitUntilExit()
        #expect(start.duration(to: .now) < .seconds(4))
        #expect(server.process.terminationReason == .exit)
        #expect(server.process.terminationStatus == (signalsTwice ? 1 : 0))
    }

    /// Whoever reads the log has stopped: the pipe is full, and SIGTERM ends the process all the same.
    @Test(
        .disabled(
            if: ProcessInfo.processInfo.environment["TSAN_OPTIONS"] != nil,
            "the thread sanitizer's _exit flushes standard error (FlushStreams), and waits for whoever writes to it"))
    func endsWhenNobodyReadsItsLog() throws {
        let log = Pipe()
        let path = TemporaryFolder.unmade()
        let process = Program.process(
            ["serve", "--listen", "unix:\(path)", "--model", "g2p=\(Program.model("g2p"))"], environment: [:])
        process.standardOutput = FileHandle.nullDevice
        process.standardError = log
        try process.run()
        defer { process.terminate() }
        var said = ""
        while !said.contains("listening on") {
            let data = log.fileHandleForReading.availableData
            try #require(!data.isEmpty, "\(said)")
            said += String(decoding: data, as: UTF8.self)
        }
        // A description of its own: that of the process keeps on waiting for room.
        let full = open("/proc/\(process.processIdentifier)/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC)
        try #require(full >= 0)
        while write(full, [UInt8](repeating: 0x2E, count: 4096), 4096) > 0 {}
        close(full)
        kill(process.processIdentifier, SIGTERM)
        for _ in 0..<1000 where process.isRunning { usleep(10_000) }
        #expect(!process.isRunning)
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
        #expect(process.terminationReason == .exit)
        #expect(process.terminationStatus == 0)
    }

    /// SIGTERM while a request is being computed: it is answered, and the process ends with 0.
    @Test func drainsOnSIGTERM() throws {
        // The thread sanitizer makes the passes some thirty times as long.
        let server = try RunningServer(["--model", "m=\(Program.model("minilm"))", "--drain-seconds", "300"])
        let descriptor = try server.open()
        defer { close(descriptor) }
        let texts = Array(repeating: String(repeating: "word ", count: 250), count: 24)
        let body = try JSONSerialization.data(withJSONObject: ["input": texts])
        let head =
            "POST /v1/encode HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length: \(body.count)\r\n\r\n"
        RunningServer.send(descriptor, Data(head.utf8) + body)
        usleep(100_000)
        kill(server.process.processIdentifier, SIGTERM)
        let answer = try RunningServer.finish(descriptor, Data())
        #expect(answer.status == 200)
        #expect((try answer.json()["data"] as? [Any])?.count == 24)
        server.process.waitUntilExit()
        #expect(server.process.terminationStatus == 0 && server.process.terminationReason == .exit)
    }

    // MARK: Without a server

    @Test func encodesOnce() throws {
        let expected = try Self.reference("serve.json")
        let text = try #require((expected["inputs"] as? [String: Any])?["text"] as? String)
        let outcome = try Program.run(["encode", "--model", Program.model("minilm"), text])
        let got = try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [Double])
        let want = try Self.numbers((expected["outputs"] as? [String: [Any]])?["minilm.text"]?.first)
        #expect(got.count == want.count && zip(got, want).allSatisfy { abs($0 - $1) < 1e-6 })
        let piped = try Program.run(["encode", "--model", Program.model("minilm"), "-"], input: text + "\n")
        #expect(piped.output == outcome.output)
        let ids = try Program.run(["encode", "--model", Program.model("g2p"), "--json", "[5, 3, 29]"])
        #expect(ids.code == 1 && ids.errors.contains("28"), "\(ids.errors)")
    }

    @Test func inspects() throws {
        let outcome = try Program.run(["inspect", Program.model("minilm")])
        #expect(outcome.code == 0)
        for fact in [
            "bert", "22565376", "WordPiece, 30522 tokens", "256 tokens", "safetensors",
            "encoder.layer.5.output.dense.weight",
            "[384, 1536]", "resident",
        ] {
            #expect(outcome.output.contains(fact), "\(fact)")
        }
    }
}
