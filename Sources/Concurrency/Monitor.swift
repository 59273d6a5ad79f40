import Glibc

/// A mutex with condition variables: what `Synchronization.Mutex` lacks is waiting.
public final class Monitor: @unchecked Sendable {
    @usableFromInline let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

    public init() { pthread_mutex_init(mutex, nil) }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    @inlinable public func withLock<T>(_ body: () -> T) -> T {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }

    /// To be called with the monitor locked; it is again afterwards.
    @inlinable public func unlocked(_ body: () -> Void) {
        pthread_mutex_unlock(mutex)
        body()
        pthread_mutex_lock(mutex)
    }

    public final class Condition: @unchecked Sendable {
        @usableFromInline let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

        public init() {
            var attributes = pthread_condattr_t()
            pthread_condattr_init(&attributes)
            pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
            pthread_cond_init(condition, &attributes)
            pthread_condattr_destroy(&attributes)
        }

        deinit {
            pthread_cond_destroy(condition)
            condition.deallocate()
        }

        public func signal() { pthread_cond_signal(condition) }
        public func broadcast() { pthread_cond_broadcast(condition) }

        /// To be called with the monitor locked; wakes may be spurious.
        public func wait(_ monitor: Monitor) { pthread_cond_wait(condition, monitor.mutex) }

        /// The same, until a time of the monotonic clock; false once that has passed.
        public func wait(_ monitor: Monitor, until deadline: timespec) -> Bool {
            var deadline = deadline
            return pthread_cond_timedwait(condition, monitor.mutex, &deadline) != ETIMEDOUT
        }
    }

    /// The monotonic clock's time `seconds` from now.
    public static func deadline(seconds: Double) -> timespec {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        let whole = min(max(seconds, 0), 1e9)
        time.tv_sec += Int(whole)
        time.tv_nsec += Int((whole - whole.rounded(.down)) * 1e9)
        if time.tv_nsec >= 1_000_000_000 {
            time.tv_sec += 1
            time.tv_nsec -= 1_000_000_000
        }
        return time
    }
}
