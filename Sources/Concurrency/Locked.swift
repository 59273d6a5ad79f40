/// A value that one thread at a time may use.
///
/// It replaces `Synchronization.Mutex`, whose lock the thread sanitizer cannot see: the standard library is not
/// instrumented, so the sanitizer reports every use of the value as a race. It knows the POSIX mutex of this type.
public final class Locked<Value: Sendable>: @unchecked Sendable {
    @usableFromInline let monitor = Monitor()
    @usableFromInline var value: Value

    public init(_ value: Value) { self.value = value }

    @inlinable public func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
        monitor.withLock { body(&value) }
    }
}
