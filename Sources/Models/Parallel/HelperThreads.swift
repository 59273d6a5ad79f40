import CSystem
import Concurrency
import Glibc
import Synchronization

/// Threads that do nothing but help one team. Asleep unless it calls.
public final class HelperThreads: @unchecked Sendable {
    public let team: ThreadTeam
    private let bell: WakeSignal
    private var threads: [POSIXThread] = []

    /// What the threads sleep on.
    private final class WakeSignal: @unchecked Sendable {
        /// Calls so far, the futex; and whether to end.
        let rings = UnsafeMutablePointer<Atomic<UInt32>>.allocate(capacity: 1)
        let ends = Atomic(false)

        init() { rings.initialize(to: Atomic(0)) }

        deinit {
            rings.deinitialize(count: 1)
            rings.deallocate()
        }

        func ring() {
            rings.pointee.add(1, ordering: .sequentiallyConsistent)
            encoderd_futex_wake(rings, .max)
        }
    }

    private static func work(for team: ThreadTeam, until bell: WakeSignal) {
        while !bell.ends.load(ordering: .acquiring) {
            let rings = bell.rings.pointee.load(ordering: .acquiring)
            if team.help(while: { true }) == .idle { team.askToBeCalled() }
            // Returns at once where there has been a call since.
            encoderd_futex_wait(bell.rings, rings)
        }
    }

    /// - Parameter count: of threads beside the one that leads; where the system gives fewer, the team has fewer.
    public init(count: Int, leastWork: Int = 1 << 18) {
        let bell = WakeSignal()
        self.bell = bell
        team = ThreadTeam(size: 1 + max(0, count), leastWork: leastWork) { _ in bell.ring() }
        for _ in 1..<team.size {
            guard let thread = POSIXThread({ [team] in Self.work(for: team, until: bell) }) else { break }
            threads.append(thread)
        }
    }

    deinit {
        bell.ends.store(true, ordering: .releasing)
        bell.ring()
        for thread in threads { thread.join() }
    }
}
