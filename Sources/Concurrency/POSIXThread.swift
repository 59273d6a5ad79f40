import Glibc

/// A POSIX thread that runs one closure. The caller must call `join` or `detach`, one of them and once.
public struct POSIXThread: Sendable {
    private let handle: pthread_t

    /// Starts a thread. The result is `nil` if the system cannot create one; `errno` then holds the reason.
    public init?(_ body: @escaping @Sendable () -> Void) {
        final class Box {
            let body: @Sendable () -> Void
            init(_ body: @escaping @Sendable () -> Void) { self.body = body }
        }
        var handle = pthread_t()
        let box = Unmanaged.passRetained(Box(body))
        let failure = pthread_create(
            &handle, nil,
            { context in
                if let context { Unmanaged<Box>.fromOpaque(context).takeRetainedValue().body() }
                return nil
            }, box.toOpaque())
        guard failure == 0 else {
            box.release()
            errno = failure
            return nil
        }
        self.handle = handle
    }

    /// Waits until the closure has returned.
    public func join() { pthread_join(handle, nil) }

    /// Lets the system free the thread's resources as soon as the closure returns.
    public func detach() { pthread_detach(handle) }
}
