import Models

/// One request on its way: who asked, when, and where the answer goes.
final class RequestContext: Sendable {
    let request: HTTPRequest
    let writer: any ResponseWriter
    let id: String
    /// The route's pattern, for metrics.
    let route: String
    let arrival = ContinuousClock.now
    private let metrics: Metrics
    private let log: AccessLog?

    init(
        _ request: HTTPRequest, _ writer: any ResponseWriter, route: String, metrics: Metrics, log: AccessLog? = nil
    ) {
        self.request = request
        self.writer = writer
        self.route = route
        self.metrics = metrics
        self.log = log
        id = RequestContext.identifier(request.headers["X-Request-Id"])
    }

    /// The client's, when it is visible ASCII of at most 128 characters; else a new one.
    static func identifier(_ sent: String?) -> String {
        if let sent, (1...128).contains(sent.utf8.count), sent.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) {
            return sent
        }
        let number = UInt64.random(in: .min ... .max)
        return String(unsafeUninitializedCapacity: 16) { digits in
            for i in 0..<16 {
                let digit = UInt8(truncatingIfNeeded: number >> (60 - 4 * UInt64(i))) & 15
                digits[i] = digit + (digit < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10)
            }
            return 16
        }
    }

    func respond(_ response: HTTPResponse, timing: ServerTiming = ServerTiming()) {
        var response = response
        response.headers.add("X-Request-Id", id)
        response.headers.add("Server-Timing", timing.field)
        let total = arrival.duration(to: .now)
        metrics.countRequest(route: route, status: response.status, seconds: total.milliseconds / 1e3)
        log?.record(
            AccessLog.Entry(
                method: request.method, path: request.path, status: response.status, total: total, timing: timing,
                bytesIn: request.body.count, bytesOut: response.byteCount, id: id))
        writer.respond(response)
    }

    func respond(_ error: APIError, timing: ServerTiming = ServerTiming()) { respond(error.response, timing: timing) }
}

/// Where a request's time went.
struct ServerTiming: Sendable {
    var tokenize = Duration.zero
    var queue = Duration.zero
    var infer = Duration.zero
    var serialize = Duration.zero

    /// https://www.w3.org/TR/server-timing/
    var field: String {
        var text = ""
        text.reserveCapacity(112)
        func add(_ name: String, _ duration: Duration) {
            text += name
            text += duration.shownMilliseconds
        }
        add("tokenize;dur=", tokenize)
        add(", queue;dur=", queue)
        add(", infer;dur=", infer)
        add(", serialize;dur=", serialize)
        return text
    }
}

extension Duration {
    var milliseconds: Double { Double(components.seconds) * 1e3 + Double(components.attoseconds) / 1e15 }

    /// Rounded to microseconds, with at least one decimal: `12.345`, `0.12`, `3.0`.
    var shownMilliseconds: String {
        let microseconds = Int((milliseconds * 1000).rounded())
        var text = String(microseconds / 1000)
        text += "."
        var (rest, unit) = (microseconds % 1000, 100)
        repeat {
            text += String(rest / unit)
            rest %= unit
            unit /= 10
        } while rest > 0
        return text
    }
}
