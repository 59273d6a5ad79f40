import Dispatch
import Synchronization

/// Set by the loop when a client has gone, read by workers.
final class CancellationFlag: Sendable {
    private let flag = Atomic(false)
    var isSet: Bool { flag.load(ordering: .acquiring) }
    func set() { flag.store(true, ordering: .releasing) }
}

/// Carries one answer from any thread to the connection's loop. One that is there before the handler returns is taken from
/// here by the loop, which was waiting for nothing else; a later one is brought to it.
final class HTTPResponseWriter: ResponseWriter, @unchecked Sendable {
    private enum Stage: UInt8, AtomicRepresentable {
        case handling, answeredEarly, waiting
    }

    private let server: HTTPServer
    private let connection: HTTPConnection
    private let requestNumber: UInt64
    private let cancellation: CancellationFlag
    private let answered = Atomic(false)
    private let stage = Atomic(Stage.handling)
    /// Written before the stage becomes `answeredEarly`, and read after.
    private var early: HTTPResponse?

    init(server: HTTPServer, connection: HTTPConnection, requestNumber: UInt64, cancellation: CancellationFlag) {
        self.server = server
        self.connection = connection
        self.requestNumber = requestNumber
        self.cancellation = cancellation
    }

    var isCancelled: Bool { cancellation.isSet }

    func respond(_ response: HTTPResponse) {
        guard !answered.exchange(true, ordering: .acquiringAndReleasing) else { return }
        if stage.load(ordering: .acquiring) == .handling {
            early = response
            if become(.answeredEarly) { return }
            early = nil
        }
        let (connection, requestNumber) = (connection, requestNumber)
        server.enterLoop { connection.answer(response, to: requestNumber) }
    }

    /// To be called on the loop when the handler has returned: the answer, if there is one. Otherwise it is brought when it
    /// comes.
    func takeEarly() -> HTTPResponse? {
        if become(.waiting) { return nil }
        defer { early = nil }
        return early
    }

    private func become(_ next: Stage) -> Bool {
        stage.compareExchange(expected: .handling, desired: next, ordering: .acquiringAndReleasing).exchanged
    }

    deinit {
        guard !answered.load(ordering: .acquiring) else { return }
        let (connection, requestNumber) = (connection, requestNumber)
        server.queue.async { connection.answerMissing(to: requestNumber) }
    }
}
