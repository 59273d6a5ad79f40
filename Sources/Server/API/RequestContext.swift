import HTTP
import Models
import Synchronization

/// One request on its way: who asked, when, and where the answer goes.
final class RequestContext: Sendable {
    let request: HTTPRequest
    let writer: any ResponseWriter
    let id: String
    /// The route's pattern, for metrics.
    let route: String
    let arrival = ContinuousClock.now
    private let recorder: AnswerRecorder

    init(_ request: HTTPRequest, _ writer: any ResponseWriter, route: String, recorder: AnswerRecorder) {
        self.request = request
        self.writer = writer
        self.route = route
        self.recorder = recorder
        id = RequestContext.identifier(request.headers["X-Request-Id"])
    }

    /// The client's, when it is visible ASCII of at most 128 characters; else a new one.
    static func identifier(_ sent: String?) -> String {
        if let sent, (1...128).contains(sent.utf8.count), sent.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) {
            return sent
        }
        return String(unsafeUninitializedCapacity: 16) { digits in
            let number = nextNumber()
            for i in 0..<16 {
                let digit = UInt8(truncatingIfNeeded: number >> (60 - 4 * UInt64(i))) & 15
                digits[i] = digit + (digit < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10)
            }
            return 16
        }
    }

    private static let numbers = Atomic(UInt64.random(in: .min ... .max))

    /// Numbers that look random and do not repeat before 2⁶⁴ of them, from a random start: SplitMix64 (Steele, Lea, Flood,
    /// "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014). Asking the system each time would be a system call.
    private static func nextNumber() -> UInt64 {
        var z = numbers.wrappingAdd(0x9E37_79B9_7F4A_7C15, ordering: .relaxed).newValue
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    func respond(_ response: HTTPResponse, timing: ServerTiming = ServerTiming()) {
        writer.respond(
            recorder.record(
                response, to: request, id: id, route: route, total: arrival.duration(to: .now), timing: timing))
    }

    func respond(_ error: APIError, timing: ServerTiming = ServerTiming()) { respond(error.response, timing: timing) }
}

/// Where a request's time went.
struct ServerTiming: Sendable, Equatable {
    var tokenize = Duration.zero
    var queue = Duration.zero
    var infer = Duration.zero
    var serialize = Duration.zero

    /// https://www.w3.org/TR/server-timing/
    var field: String {
        if self == ServerTiming() { return ServerTiming.none }
        return text
    }

    /// Most answers need no work.
    private static let none = ServerTiming().text

    private var text: String {
        var text: [UInt8] = []
        text.reserveCapacity(96)
        func add(_ name: String, _ duration: Duration) {
            text.append(contentsOf: name.utf8)
            duration.appendMilliseconds(to: &text)
        }
        add("tokenize;dur=", tokenize)
        add(", queue;dur=", queue)
        add(", infer;dur=", infer)
        add(", serialize;dur=", serialize)
        return String(decoding: text, as: UTF8.self)
    }
}

extension Duration {
    var milliseconds: Double { Double(components.seconds) * 1e3 + Double(components.attoseconds) / 1e15 }

    /// Rounded to microseconds, with at least one decimal: `12.345`, `0.12`, `3.0`.
    func appendMilliseconds(to text: inout [UInt8]) {
        let (seconds, attoseconds) = components
        let microseconds = Int(seconds) * 1_000_000 + Int((attoseconds + 500_000_000_000) / 1_000_000_000_000)
        text.append(decimal: microseconds / 1000)
        text.append(0x2E)
        var (rest, unit) = (microseconds % 1000, 100)
        repeat {
            text.append(hexDigit: UInt8(truncatingIfNeeded: rest / unit))
            rest %= unit
            unit /= 10
        } while rest > 0
    }
}
