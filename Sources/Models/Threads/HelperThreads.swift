import CSystem
import Concurrency
import Synchronization

/// Threads that help one team, and sleep unless it calls.
public final class HelperThreads: @unchecked Sendable {
    public let team: ThreadTeam
    private let signal: WakeSignal
    private var threads: [POSIXThread] = []

    /// The futex that the threads sleep on.
    private final class WakeSignal: @unchecked Sendable {
        /// The number of calls so far, the futex.
        let calls = UnsafeMutablePointer<Atomic<UInt32>>.allocate(capacity: 1)
        /// Whether the threads are to end.
        let ends = Atomic(false)

        init() { calls.initialize(to: Atomic(0)) }

        deinit {
            calls.deinitialize(count: 1)
            calls.deallocate()
        }

        func wake() {
            calls.pointee.add(1, ordering: .sequentiallyConsistent)
            encoderd_futex_wake(calls, .max)
        }
    }

    private static func work(for team: ThreadTeam, until signal: WakeSignal) {
        while !signal.ends.load(ordering: .acquiring) {
            let calls = signal.calls.pointee.load(ordering: .acquiring)
            if team.help(while: { true }) == .idle { team.askToBeCalled() }
            // Returns at once if there has been a call since.
            encoderd_futex_wait(signal.calls, calls)
        }
    }

    /// - Parameters:
    ///   - count: Threads beside the leader. If the system provides fewer, the team has fewer.
    ///   - leastWork: `ThreadTeam.leastWork`.
    public init(count: Int, leastWork: Int = 1 << 18) {
        let signal = WakeSignal()
        self.signal = signal
        team = ThreadTeam(size: 1 + max(0, count), leastWork: leastWork) { _ in signal.wake() }
        for _ in 1..<team.size {
            guard let thread = POSIXThread({ [team] in Self.work(for: team, until: signal) }) else { break }
            threads.append(thread)
        }
    }

    deinit {
        signal.ends.store(true, ordering: .releasing)
        signal.wake()
        for thread in threads { thread.join() }
    }
}
