import Concurrency
import Foundation
import TestSupport
import Testing

@testable import HTTP
@testable import Server

/// A log, and its lines without the time.
private func log(gate: Gate? = nil, maxWaitingBytes: Int = 1 << 20) -> (AccessLog, Locked<[String]>) {
    let lines = Locked<[String]>([])
    let log = AccessLog(maxWaitingBytes: maxWaitingBytes) { bytes in
        gate?.wait()
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.hasSuffix("\n"))
        lines.withLock {
            $0 += text.split(separator: "\n").map { $0.split(separator: " ", maxSplits: 1).last.map(String.init) ?? "" }
        }
    }
    return (log, lines)
}

private func entry(_ path: String = "/v1/encode", out: Int? = 120) -> AccessLog.Entry {
    var timing = ServerTiming()
    timing.queue = .microseconds(120)
    timing.infer = .microseconds(11_500)
    return AccessLog.Entry(
        method: "POST", path: path, status: 200, total: .microseconds(12_345), timing: timing, bytesIn: 17,
        bytesOut: out, id: "abc")
}

private func keys(_ text: String) throws -> APIKeys {
    try withFile(Array(text.utf8)) { try APIKeys(path: $0) }
}

@Suite struct AccessLogTests {
    @Test(arguments: [
        (0, "0.0"), (1, "0.001"), (10, "0.01"), (100, "0.1"), (120, "0.12"), (999, "0.999"), (1000, "1.0"),
        (1010, "1.01"),
        (12_345, "12.345"), (3_600_000_500, "3600000.5"),
    ])
    func showsMilliseconds(microseconds: Int, shown: String) {
        for rest in [0, 400] {
            var text: [UInt8] = []
            (Duration.microseconds(microseconds) + .nanoseconds(rest)).appendMilliseconds(to: &text)
            #expect(String(decoding: text, as: UTF8.self) == shown)
        }
    }

    @Test(
        arguments: [
            ("/v1/encode", 120, "POST /v1/encode 200 ms=12.345 queue=0.12 infer=11.5 in=17 out=120 id=abc"),
            ("/v1/encode", nil, "POST /v1/encode 200 ms=12.345 queue=0.12 infer=11.5 in=17 out=stream id=abc"),
            ("/a b\n200%é", 0, "POST /a%20b%0A200%25%C3%A9 200 ms=12.345 queue=0.12 infer=11.5 in=17 out=0 id=abc"),
        ] as [(String, Int?, String)])
    func lines(path: String, out: Int?, line: String) {
        let (log, lines) = log()
        log.record(entry(path, out: out))
        log.flush()
        #expect(lines.withLock { $0 } == ["info encoderd: " + line])
    }

    @Test func longPathsAreCut() {
        let (log, lines) = log()
        log.record(entry("/" + String(repeating: "a", count: 5000)))
        log.flush()
        #expect(lines.withLock { $0.map(\.utf8.count) }[0] < 320)
    }

    /// The form of swift-log's own lines, with the time zone's offset.
    @Test func linesBeginWithTheTime() throws {
        let pipe = Pipe()
        let before = Date()
        let log = AccessLog(descriptor: pipe.fileHandleForWriting.fileDescriptor)
        log.record(entry())
        log.flush()
        let line = String(decoding: pipe.fileHandleForReading.availableData, as: UTF8.self)
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.dateFormat = "yyyy-MM-dd'T'HH:mm:ssZ"
        let time = try #require(format.date(from: String(line.prefix { $0 != " " })))
        #expect(abs(time.timeIntervalSince(before)) < 5)
        #expect(line.contains(" info encoderd: POST /v1/encode 200 "))
    }

    /// Lines come without being asked for, and many at once come whole and in order, through a pipe that holds few.
    @Test func manyLinesComeWholeAndInOrder() throws {
        let pipe = Pipe()
        let log = AccessLog(maxWaitingBytes: 4 << 20, descriptor: pipe.fileHandleForWriting.fileDescriptor)
        for i in 0..<5000 { log.record(entry("/\(i)")) }
        var text = Data()
        while text.count(where: { $0 == 0x0A }) < 5000 { text += pipe.fileHandleForReading.availableData }
        let paths = String(decoding: text, as: UTF8.self).split(separator: "\n").map { $0.split(separator: " ")[4] }
        let isInOrder = paths.elementsEqual((0..<5000).lazy.map { "/\($0)" })
        #expect(isInOrder)
    }

    /// A log that nobody reads holds up nothing.
    @Test func slowLogsLoseLines() {
        let gate = Gate()
        let (log, lines) = log(gate: gate, maxWaitingBytes: 1000)
        for _ in 0..<100 { log.record(entry()) }
        gate.open()
        log.flush()
        let all = lines.withLock { $0 }
        let written = all.count { $0.hasPrefix("info encoderd: POST") }
        #expect((1..<100).contains(written))
        // Told as soon as a line can be written, so perhaps in parts.
        let lost = all.filter { $0.hasPrefix("warning encoderd: ") }.compactMap {
            Int($0.split(separator: " ")[2])
        }
        #expect(written + lost.reduce(0, +) == 100)
    }

    @Test func requestsAreLogged() throws {
        let (log, lines) = log()
        let engine = try InferenceEngine(networks: Toy.models.map(\.network), threads: 1)
        defer { engine.stop() }
        let handler = APIHandler(metrics: Metrics(), log: log)
        handler.serve(Toy.models, engine: engine)
        func send(_ method: String, _ path: String, _ body: String = "") {
            let writer = TestWriter()
            handler.handle(
                HTTPRequest(
                    method: method, path: path, query: "secret=1",
                    headers: ["X-Request-Id": "r1", "Content-Type": "application/json"], body: Array(body.utf8)), writer
            )
            _ = writer.response
        }
        send("POST", "/v1/encode", "{\"input\": \"a\"}")
        send("GET", "/nowhere")
        _ = handler.failure(status: 408, code: "head_timeout", message: "slow", path: nil)
        log.flush()
        let all = lines.withLock { $0 }
        #expect(all.count == 3)
        #expect(
            all[0].hasPrefix("info encoderd: POST /v1/encode 200 ms=") && all[0].contains(" in=14 ")
                && all[0].hasSuffix(" id=r1"))
        #expect(all[1].hasPrefix("info encoderd: GET /nowhere 404 ") && !all[1].contains("secret"))
        #expect(all[2].hasPrefix("info encoderd: - - 408 "))
    }

    /// Also what the API is not asked for: every answer says the id under which it is logged, and is counted.
    @Test(
        arguments: [
            ("OPTIONS", "/v1/encode", ["Access-Control-Request-Method": "POST"], "", 204),
            ("OPTIONS", "/v1/encode", ["Access-Control-Request-Method": "POST", "Content-Length": "5"], "", 401),
            ("GET", "/v1/models", [:], "", 401), ("POST", "/v1/encode", ["Authorization": "Bearer other"], "", 401),
        ] as [(String, String, HTTPHeaders, String, Int)], [nil, "mine"])
    func earlyAnswersAreLogged(
        _ asked: (method: String, path: String, headers: HTTPHeaders, route: String, status: Int), id: String?
    ) throws {
        let (log, lines) = log()
        let api = APIHandler(metrics: Metrics(), log: log)
        let handler = try AccessHandler(
            api, keys: keys("k"), cors: CORSPolicy(["https://a.example"]))
        var request = HTTPRequest(method: asked.method, path: asked.path, headers: asked.headers)
        request.headers.add("Origin", "https://a.example")
        if let id { request.headers.add("X-Request-Id", id) }
        let writer = TestWriter()
        if let early = asked.status == 204 ? nil : handler.refusal(of: request) {
            writer.respond(early)
        } else {
            handler.handle(request, writer)
        }
        let response = writer.response
        #expect(response.status == asked.status)
        let shown = try #require(response.headers["X-Request-Id"])
        #expect(shown == id ?? shown)
        #expect(response.headers["Server-Timing"] != nil)
        #expect(response.headers["Access-Control-Allow-Origin"] == "https://a.example")
        log.flush()
        let all = lines.withLock { $0 }
        #expect(all.count == 1)
        #expect(
            all.first?.hasPrefix("info encoderd: \(asked.method) \(asked.path) \(asked.status) ms=") == true)
        #expect(all.first?.hasSuffix(" id=\(shown)") == true)
        let counts = api.recorder.metrics.snapshot.requests
        let route = asked.route.isEmpty ? "unmatched" : asked.route
        #expect(counts == [Metrics.RouteStatus(route: route, status: asked.status): 1])
    }

    /// A preflight with a body is logged with the bytes of it, of which the API takes 64 KiB.
    @Test func preflightsWithBodiesAreLogged() throws {
        let (log, lines) = log()
        let api = APIHandler(metrics: Metrics(), log: log)
        let handler = AccessHandler(api, cors: CORSPolicy(["*"]))
        let headers: HTTPHeaders = [
            "Origin": "https://a.example", "Access-Control-Request-Method": "POST", "Content-Length": "5",
            "X-Request-Id": "p",
        ]
        let request = HTTPRequest(method: "OPTIONS", path: "/v1/encode", headers: headers, body: Array("hello".utf8))
        #expect(handler.maxBodyBytes(of: request) == 64 << 10)
        let writer = TestWriter()
        handler.handle(request, writer)
        #expect(writer.response.status == 204 && writer.response.headers["Access-Control-Allow-Methods"] != nil)
        log.flush()
        let all = lines.withLock { $0 }
        #expect(all.count == 1)
        #expect(all.first?.hasPrefix("info encoderd: OPTIONS /v1/encode 204 ") == true)
        #expect(all.first?.hasSuffix(" in=5 out=0 id=p") == true)
        #expect(api.recorder.metrics.snapshot.requests.values.reduce(0, +) == 1)
    }
}
