import Concurrency
import HTTP
import Synchronization

/// A request on its way to its response, with its match and the time that each stage takes.
final class RequestContext: Expirable, @unchecked Sendable {
    let request: HTTPRequest
    let writer: any ResponseWriter
    let service: Service
    let id: String
    let arrival = ContinuousClock.now
    let match: Router.Match

    // Only whoever has the request in hand uses these: the event loop, then one worker after the other. The engine's monitor
    // stands between them.
    var timing = ServerTiming()
    /// The moment at which the timer answers, if nobody has before; `nil` if there is none.
    var deadline: ContinuousClock.Instant?
    /// The request's place in the queue, kept until it is answered.
    var admission: Admission?
    /// The flag that tells whether the request has been answered, by a worker or by the timer of deadlines.
    private let answer = Flag()

    init(_ request: HTTPRequest, _ writer: any ResponseWriter, _ match: Router.Match, service: Service) {
        self.request = request
        self.writer = writer
        self.match = match
        self.service = service
        id = RequestContext.identifier(request.headers["X-Request-Id"])
    }

    /// The values of the path's parameters, by name.
    var parameters: [String: String] { match.parameters }

    /// A closure that tells whether nobody waits for a response any more. It does not keep the context, and so its admission.
    var isUnwanted: @Sendable () -> Bool {
        let (writer, answer) = (writer, answer)
        return { answer.isSet || writer.isCancelled }
    }
    var isAnswered: Bool { answer.isSet }

    /// Answers the request. Only the first response counts.
    func respond(_ response: HTTPResponse) {
        guard answer.set() else { return }
        send(response, timing: timing)
    }

    func respond(_ error: APIError) { respond(match.dialect.errorResponse(error)) }

    /// Answers that the queue has no results, and counts it.
    func respond(_ error: QueueError) { fail(error, timing: timing) }

    /// Answers that the deadline has passed. A worker may be using `timing`, which is therefore left out.
    func expire() { fail(.expired, timing: ServerTiming()) }

    private func fail(_ error: QueueError, timing: ServerTiming) {
        guard answer.set() else { return }
        service.recorder.metrics.countFailure(error)
        send(match.dialect.errorResponse(APIError(error)), timing: timing)
    }

    private func send(_ response: HTTPResponse, timing: ServerTiming) {
        writer.respond(
            service.recorder.record(
                response, to: request, id: id, route: match.label, total: arrival.duration(to: .now), timing: timing))
    }

    /// Returns the client's identifier if it is visible ASCII of at most 128 characters, else a new one.
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

    /// Returns a number that looks random and repeats after 2⁶⁴ others: SplitMix64 (Steele, Lea, Flood, "Fast Splittable
    /// Pseudorandom Number Generators", OOPSLA 2014) from a random start. The system's random numbers cost a system call each.
    private static func nextNumber() -> UInt64 {
        var z = numbers.wrappingAdd(0x9E37_79B9_7F4A_7C15, ordering: .relaxed).newValue
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
