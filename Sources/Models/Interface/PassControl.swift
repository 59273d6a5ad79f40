import CSystem
import Synchronization

/// The owner of the thread that runs a pass.
public protocol PassOwner: AnyObject {
    /// Whether anybody waits for the results of the pass. Asked on the leader's thread, every few milliseconds.
    var isPassWanted: Bool { get }
    /// Lets the owner use the thread for something more urgent, for a while. Called on the leader's thread between steps of
    /// the work, often: it must return at once if nothing is urgent.
    /// - Parameter now: the time of the monotonic clock in nanoseconds.
    func pauseIfUrgent(now: Int)
}

/// The place where a pass looks, between steps of its work, whether it should go on.
///
/// A pass is long if its sequences are, and nothing can take a thread away from it. It therefore calls `shouldContinue` on
/// its leader's thread after every few milliseconds of work, and ends at once when the answer is no: its results, which are
/// then incomplete, are not used.
public final class PassControl: @unchecked Sendable {
    /// The time between two questions whether the pass is wanted.
    private static let pollNanoseconds = 5_000_000

    private let stopped = Atomic(false)
    // Used on the leader's thread only.
    private weak var owner: (any PassOwner)?
    private var nextPoll = 0

    public init() {}

    /// Whether the pass should end. Any thread may ask.
    public var isStopped: Bool { stopped.load(ordering: .relaxed) }

    /// Begins a pass.
    public func begin(for owner: any PassOwner) {
        self.owner = owner
        nextPoll = encoderd_nanoseconds() + Self.pollNanoseconds
        stopped.store(false, ordering: .relaxed)
    }

    /// Ends the pass.
    /// - Returns: whether it ran to its end.
    public func end() -> Bool {
        owner = nil
        return !isStopped
    }

    /// Whether the pass should go on. May run other work before it returns. Only the leader's thread may call it, while no
    /// chunk of its team is running on that thread's memory.
    @discardableResult
    public func shouldContinue() -> Bool {
        guard let owner else { return true }
        let now = encoderd_nanoseconds()
        owner.pauseIfUrgent(now: now)
        if now >= nextPoll {
            nextPoll = now + Self.pollNanoseconds
            if !owner.isPassWanted { stopped.store(true, ordering: .relaxed) }
        }
        return !isStopped
    }
}
