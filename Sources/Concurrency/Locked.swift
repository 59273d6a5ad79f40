/// A value that one thread at a time may use.
///
/// It replaces `Synchronization.Mutex`, whose lock the thread sanitizer cannot see, since the standard library is not
/// instrumented. The sanitizer would report every use of the value as a race. It knows the POSIX mutex of this type.
public final class Locked<Value: Sendable>: @unchecked Sendable {
    @usableFromInline let monitor = Monitor()
    @usableFromInline var value: Value

    /// Protects a value.
    public init(_ value: Value) { self.value = value }

    /// Runs `body` with the value, while no other thread has it.
    @inlinable public func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
        monitor.withLock { body(&value) }
    }
}
