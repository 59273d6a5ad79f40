import Glibc

/// A mutex with condition variables. `Synchronization.Mutex` has no way to wait.
public final class Monitor: @unchecked Sendable {
    @usableFromInline let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

    /// Makes an unlocked monitor.
    public init() { pthread_mutex_init(mutex, nil) }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Runs `body` with the monitor locked.
    @inlinable public func withLock<T>(_ body: () -> T) -> T {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }

    /// Runs `body` with the monitor unlocked. The caller holds the lock, and holds it again when this returns.
    @inlinable public func unlocked(_ body: () -> Void) {
        pthread_mutex_unlock(mutex)
        body()
        pthread_mutex_lock(mutex)
    }

    /// A condition variable. Threads wait for its signals with a monitor locked.
    public final class Condition: @unchecked Sendable {
        @usableFromInline let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

        /// Makes a condition for which nobody waits.
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

        /// Wakes one thread that waits, if there is one.
        public func signal() { pthread_cond_signal(condition) }
        /// Wakes all threads that wait.
        public func broadcast() { pthread_cond_broadcast(condition) }

        /// Waits for a signal. The caller holds the lock of `monitor`. May return without one.
        public func wait(_ monitor: Monitor) { pthread_cond_wait(condition, monitor.mutex) }

        /// Waits for a signal until a time of the monotonic clock. Returns whether the time has not passed yet.
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
