import CSystem
import Concurrency
import Glibc

/// Something that must be answered at a deadline.
protocol Expirable: AnyObject, Sendable {
    /// Whether it has been answered.
    var isAnswered: Bool { get }
    /// Answers it because the deadline has passed. Called on the timer's thread.
    func expire()
}

/// A thread that answers requests at their deadlines, whatever the workers are doing.
final class DeadlineTimer: @unchecked Sendable {
    private struct Entry {
        weak var request: (any Expirable)?
    }

    private let monitor = Monitor()
    private let change = Monitor.Condition()
    // The monitor guards everything below.
    /// The requests by deadline, in nanoseconds of the monotonic clock.
    private var entries = PriorityQueue<Int, Entry>()
    /// The number of entries at which those of answered requests are removed.
    private var pruneCount = 1024
    private var isStopped = false
    private var thread: POSIXThread?

    init() {
        thread = POSIXThread { [self] in run() }
    }

    /// Whether the system gave the timer a thread.
    var isRunning: Bool { thread != nil }

    /// Answers a request at a deadline unless it has been answered before.
    /// - Parameter delay: the time from now.
    func add(_ request: any Expirable, after delay: Duration) {
        let (seconds, attoseconds) = delay.components
        // A deadline is at most 999,999,999 ms away.
        let nanoseconds = Int(seconds) * 1_000_000_000 + Int(attoseconds / 1_000_000_000)
        let deadline = encoderd_nanoseconds() + nanoseconds
        monitor.withLock {
            if entries.count >= pruneCount {
                entries.removeAll { $0.request?.isAnswered ?? true }
                pruneCount = max(1024, 2 * entries.count)
            }
            let isNext = entries.firstKey.map { deadline < $0 } ?? true
            entries.insert(Entry(request: request), key: deadline)
            if isNext { change.signal() }
        }
    }

    /// Ends the thread. The deadlines that are left are not kept.
    func stop() {
        let thread = monitor.withLock {
            isStopped = true
            change.signal()
            defer { self.thread = nil }
            return self.thread
        }
        thread?.join()
    }

    private func run() {
        while let request = next() { request.expire() }
    }

    /// Waits for the next deadline and returns its request; `nil` if the timer has been stopped.
    private func next() -> (any Expirable)? {
        monitor.withLock {
            while !isStopped {
                guard let deadline = entries.firstKey else {
                    change.wait(monitor)
                    continue
                }
                let left = deadline - encoderd_nanoseconds()
                if left > 0 {
                    _ = change.wait(monitor, until: Monitor.deadline(seconds: Double(left) / 1e9))
                } else if let request = entries.popFirst()?.request, !request.isAnswered {
                    return request
                }
            }
            return nil
        }
    }
}
