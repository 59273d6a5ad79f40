/// A value that one thread at a time may use.
///
/// As `Synchronization.Mutex`, whose lock the thread sanitizer cannot see: the standard library is not instrumented, so
/// it reports every use of the value as a race. The POSIX mutex behind this one it knows.
final class Locked<Value>: @unchecked Sendable {
    private let monitor = Monitor()
    private var value: Value

    init(_ value: Value) { self.value = value }

    func withLock<Result>(_ body: (inout Value) -> Result) -> Result { monitor.withLock { body(&value) } }
}
