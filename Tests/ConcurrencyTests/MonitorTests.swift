import Concurrency
import Testing

@Suite struct MonitorTests {
    @Test func oneThreadAtATimeHasTheValue() throws {
        let value = Locked(0)
        let threads = try (0..<4).map { _ in
            try #require(POSIXThread { for _ in 0..<10_000 { value.withLock { $0 += 1 } } })
        }
        for thread in threads { thread.join() }
        #expect(value.withLock { $0 } == 40_000)
    }

    @Test func waitsForASignal() throws {
        let (monitor, condition) = (Monitor(), Monitor.Condition())
        nonisolated(unsafe) var isReady = false
        let thread = try #require(
            POSIXThread {
                monitor.withLock {
                    isReady = true
                    condition.signal()
                }
            })
        let found = monitor.withLock {
            while !isReady { condition.wait(monitor) }
            return isReady
        }
        thread.join()
        #expect(found)
    }

    /// A wait ends with its deadline, also one that has passed.
    @Test(arguments: [-1, 0, 0.01]) func waitsUntilADeadline(seconds: Double) {
        let (monitor, condition) = (Monitor(), Monitor.Condition())
        let clock = ContinuousClock()
        let start = clock.now
        let deadline = Monitor.deadline(seconds: seconds)
        monitor.withLock { while condition.wait(monitor, until: deadline) {} }
        #expect(start.duration(to: clock.now) >= .seconds(max(0, seconds)))
    }
}
