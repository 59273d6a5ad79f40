import CSystem
import Concurrency
import Dispatch
import Glibc
import Synchronization

/// A thread that waits for events of sockets in epoll. It has them handled on a Dispatch queue by `sync`, which runs on the
/// waiting thread itself if the queue is free. A Dispatch source would wake two threads one after the other: its manager's and
/// one of the pool's.
///
/// All methods but `stop` are called on the queue.
final class Poller: @unchecked Sendable {
    private let descriptor: Int32
    /// An eventfd that ends the wait.
    private let wakeSignal: Int32
    /// The longest wait in milliseconds.
    private let timeout: Int32
    private let isStopped = Atomic(false)
    private static let maxEvents = 256
    /// The token of the wake signal in epoll, which no connection or listener has.
    private static let wakeToken = UInt64.max

    /// Starts the thread. Fails, with `errno` set, if no descriptor or thread is left.
    /// - Parameters:
    ///   - tickSeconds: the longest wait for events.
    ///   - handle: is called on `queue` with at most 256 events, or none when a tick has passed; kept until `stop`.
    init?(
        queue: DispatchQueue, tickSeconds: Double,
        handle: @escaping @Sendable (UnsafeBufferPointer<epoll_event>) -> Void
    ) {
        timeout = Int32(max(1, min(tickSeconds * 1000, 60_000)))
        descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        wakeSignal = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard descriptor >= 0, wakeSignal >= 0,
            set(wakeSignal, to: EPOLLIN.rawValue, token: Self.wakeToken, isNew: true),
            let thread = POSIXThread({ [self] in wait(queue, handle) })
        else {
            let error = errno
            closeAll()
            errno = error
            return nil
        }
        thread.detach()
    }

    /// Watches a descriptor for events, which are reported with its token. Returns false, with `errno` set, on failure.
    @discardableResult
    func set(_ socket: Int32, to events: UInt32, token: UInt64, isNew: Bool = false) -> Bool {
        var event = epoll_event(events: events, data: epoll_data_t(u64: token))
        return epoll_ctl(descriptor, isNew ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, socket, &event) == 0
    }

    /// Stops watching a descriptor, as closing it does too.
    func remove(_ socket: Int32) {
        var event = epoll_event()
        epoll_ctl(descriptor, EPOLL_CTL_DEL, socket, &event)
    }

    /// Ends the thread. Any thread may call this. The thread closes the wake signal as soon as it sees `isStopped`, so the signal
    /// comes first. It stays set until the thread has seen it.
    func stop() {
        eventfd_write(wakeSignal, 1)
        isStopped.store(true, ordering: .releasing)
    }

    private func wait(_ queue: DispatchQueue, _ handle: @Sendable (UnsafeBufferPointer<epoll_event>) -> Void) {
        withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: Self.maxEvents) { events in
            while !isStopped.load(ordering: .acquiring) {
                let count = Int(epoll_wait(descriptor, events.baseAddress, Int32(Self.maxEvents), timeout))
                guard count >= 0 else { continue }
                nonisolated(unsafe) let happened = UnsafeBufferPointer(rebasing: events[..<count])
                queue.sync { handle(happened) }
            }
        }
        closeAll()
    }

    private func closeAll() {
        if descriptor >= 0 { close(descriptor) }
        if wakeSignal >= 0 { close(wakeSignal) }
    }
}
