import Logging
import Testing

@testable import Server

/// Keeps what is logged.
private struct KeepingHandler: LogHandler {
    let lines: Locked<[String]>
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info
    /// Holds the log up.
    var gate: Gate?

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        gate?.wait()
        lines.withLock { $0.append("\(event.level): \(event.message)") }
    }
}

private func log(
    _ level: Logger.Level = .info, gate: Gate? = nil, maxWaiting: Int = 100
) -> (AccessLog, Locked<[String]>) {
    let lines = Locked<[String]>([])
    let logger = Logger(label: "test") { _ in KeepingHandler(lines: lines, logLevel: level, gate: gate) }
    return (AccessLog(logger, maxWaiting: maxWaiting), lines)
}

private func entry(_ path: String = "/v1/encode", out: Int? = 120) -> AccessLog.Entry {
    var timing = ServerTiming()
    timing.queue = .microseconds(120)
    timing.infer = .microseconds(11_500)
    return AccessLog.Entry(
        method: "POST", path: path, status: 200, total: .microseconds(12_345), timing: timing, bytesIn: 17,
        bytesOut: out, id: "abc")
}

@Suite struct AccessLogTests {
    @Test(arguments: [
        (0, "0.0"), (1, "0.001"), (10, "0.01"), (100, "0.1"), (120, "0.12"), (999, "0.999"), (1000, "1.0"),
        (1010, "1.01"),
        (12_345, "12.345"), (3_600_000_500, "3600000.5"),
    ])
    func showsMilliseconds(microseconds: Int, shown: String) {
        #expect(Duration.microseconds(microseconds).shownMilliseconds == shown)
        #expect((Duration.microseconds(microseconds) + .nanoseconds(400)).shownMilliseconds == shown)
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
        #expect(lines.withLock { $0 } == ["info: " + line])
    }

    @Test func longPathsAreCut() {
        #expect(AccessLog.line(entry("/" + String(repeating: "a", count: 5000))).utf8.count < 300)
    }

    @Test func aboveInfoIsSilence() {
        let (log, lines) = log(.warning)
        log.record(entry())
        log.flush()
        #expect(lines.withLock { $0 }.isEmpty)
    }

    /// A log that nobody reads holds up nothing.
    @Test func slowLogsLoseLines() {
        let gate = Gate()
        let (log, lines) = log(gate: gate, maxWaiting: 10)
        for _ in 0..<100 { log.record(entry()) }
        gate.open()
        log.flush()
        let all = lines.withLock { $0 }
        #expect(all.count { $0.hasPrefix("info: POST") } == 10)
        // Told as soon as a line can be written, so perhaps in parts.
        let lost = all.filter { $0.hasPrefix("warning: ") }.compactMap { Int($0.split(separator: " ")[1]) }
        #expect(lost.reduce(0, +) == 90)
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
        _ = handler.failure(status: 408, code: "head_timeout", message: "slow")
        log.flush()
        let all = lines.withLock { $0 }
        #expect(all.count == 3)
        #expect(
            all[0].hasPrefix("info: POST /v1/encode 200 ms=") && all[0].contains(" in=14 ")
                && all[0].hasSuffix(" id=r1"))
        #expect(all[1].hasPrefix("info: GET /nowhere 404 ") && !all[1].contains("secret"))
        #expect(all[2].hasPrefix("info: - - 408 "))
    }
}
