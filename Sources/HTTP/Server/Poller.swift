import CSystem
import Concurrency
import Dispatch
import Glibc
import Synchronization

/// Waits for sockets on a thread of its own, in epoll, and has what happened handled on a Dispatch queue: by `sync`, which
/// runs on the waiting thread itself when the queue is free. A Dispatch source would wake two threads one after the other,
/// its manager's and one of the pool's.
///
/// All but `stop` is to be called on the queue.
final class Poller: @unchecked Sendable {
    private let descriptor: Int32
    /// An eventfd, which ends the wait.
    private let bell: Int32
    /// In milliseconds.
    private let timeout: Int32
    private let isStopped = Atomic(false)
    private static let maxEvents = 256
    /// What the bell is called in epoll: no connection and no listener.
    private static let bellToken = UInt64.max

    /// nil, with `errno`, when descriptors or threads have run out.
    /// - Parameters:
    ///   - tickSeconds: how long to wait for events at most.
    ///   - handle: called on `queue` with at most 256 events, or none when a tick has passed, and kept until `stop`.
    init?(
        queue: DispatchQueue, tickSeconds: Double,
        handle: @escaping @Sendable (UnsafeBufferPointer<epoll_event>) -> Void
    ) {
        timeout = Int32(max(1, min(tickSeconds * 1000, 60_000)))
        descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        bell = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard descriptor >= 0, bell >= 0, set(bell, to: EPOLLIN.rawValue, token: Self.bellToken, isNew: true),
            let thread = POSIXThread({ [self] in wait(queue, handle) })
        else {
            let error = errno
            closeAll()
            errno = error
            return nil
        }
        thread.detach()
    }

    /// Watches a descriptor for events, which come with its token; false, with `errno`, where that cannot be.
    @discardableResult
    func set(_ socket: Int32, to events: UInt32, token: UInt64, isNew: Bool = false) -> Bool {
        var event = epoll_event(events: events, data: epoll_data_t(u64: token))
        return epoll_ctl(descriptor, isNew ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, socket, &event) == 0
    }

    /// Watches it no more; closing a descriptor does that too.
    func remove(_ socket: Int32) {
        var event = epoll_event()
        epoll_ctl(descriptor, EPOLL_CTL_DEL, socket, &event)
    }

    /// Ends the thread; from any. It closes the bell as soon as it is marked as stopped, which is therefore rung before: nobody
    /// hears it out, so it rings until then.
    func stop() {
        eventfd_write(bell, 1)
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
        if bell >= 0 { close(bell) }
    }
}
