import Dispatch
import Synchronization

/// Set by the loop when a client has gone, read by workers.
final class CancellationFlag: Sendable {
    private let flag = Atomic(false)
    var isSet: Bool { flag.load(ordering: .acquiring) }
    func set() { flag.store(true, ordering: .releasing) }
}

/// Carries one answer from any thread to the connection's loop.
final class HTTPResponseWriter: ResponseWriter {
    private let queue: DispatchQueue
    private let connection: HTTPConnection
    private let requestNumber: UInt64
    private let cancellation: CancellationFlag
    private let answered = Atomic(false)

    init(queue: DispatchQueue, connection: HTTPConnection, requestNumber: UInt64, cancellation: CancellationFlag) {
        self.queue = queue
        self.connection = connection
        self.requestNumber = requestNumber
        self.cancellation = cancellation
    }

    var isCancelled: Bool { cancellation.isSet }

    func respond(_ response: HTTPResponse) {
        guard !answered.exchange(true, ordering: .acquiringAndReleasing) else { return }
        let (connection, requestNumber) = (connection, requestNumber)
        queue.async { connection.answer(response, to: requestNumber) }
    }

    deinit {
        guard !answered.load(ordering: .acquiring) else { return }
        let (connection, requestNumber) = (connection, requestNumber)
        queue.async { connection.answerMissing(to: requestNumber) }
    }
}
