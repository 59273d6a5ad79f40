import Synchronization

/// A flag that one thread sets and others read. What was written before it was set is visible to whoever sees it set.
public final class Flag: Sendable {
    private let flag = Atomic(false)

    public init() {}

    public var isSet: Bool { flag.load(ordering: .acquiring) }

    /// Sets the flag.
    /// - Returns: `false` if it had been set before.
    @discardableResult
    public func set() -> Bool { !flag.exchange(true, ordering: .acquiringAndReleasing) }
}
