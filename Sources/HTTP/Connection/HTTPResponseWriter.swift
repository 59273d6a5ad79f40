import Concurrency
import Synchronization

/// The writer of one response, from any thread. The loop takes a response that is there when the handler returns; a later
/// one is handed to the loop.
final class HTTPResponseWriter: ResponseWriter, @unchecked Sendable {
    private enum Stage: UInt8, AtomicRepresentable {
        /// The handler has not returned.
        case handling
        /// The response came before the handler returned.
        case answeredEarly
        /// The handler has returned without a response.
        case waiting
    }

    private let connection: HTTPConnection
    private let requestNumber: UInt64
    /// The flag that the loop sets when the client has gone.
    private let cancellation: Flag
    private let answered = Atomic(false)
    private let stage = Atomic(Stage.handling)
    /// The early response, written before the stage becomes `answeredEarly` and read after.
    private var early: HTTPResponse?

    init(connection: HTTPConnection, requestNumber: UInt64, cancellation: Flag) {
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
        connection.owner.executeOnLoop { connection.answer(response, to: requestNumber) }
    }

    /// Takes the early response, on the loop, when the handler has returned; `nil` if the response is to come.
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
        connection.owner.enqueue { connection.answerMissing(to: requestNumber) }
    }
}
