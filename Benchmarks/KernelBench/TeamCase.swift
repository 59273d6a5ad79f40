import CPeak
import Foundation
import Models

/// Work whose parts take a fixed time.
private struct FixedWork: ParallelWork {
    let rounds: Int

    static let runChunk: ThreadTeam.ChunkFunction = { work, _, _ in
        _ = encoderd_peak(128, work.assumingMemoryBound(to: FixedWork.self).pointee.rounds)
    }
}

/// Measures the cost of handing parts to other threads and waiting for them: the time of a region with a part for each
/// thread, less the time of one part.
func measureTeam(_ stopwatch: Stopwatch, _ report: Report) {
    for threads in [2, 4] where threads <= ProcessInfo.processInfo.activeProcessorCount {
        let helpers = HelperThreads(count: threads - 1)
        let team = helpers.team
        for rounds in [100, 1000, 10_000] as [Int] {
            let work = FixedWork(rounds: rounds)
            let alone = stopwatch.best { team.run(1, work) }
            team.open()
            let together = stopwatch.best { team.run(threads, work) }
            team.close()
            report.add(
                "team", "\(threads) threads", [("part_us", alone * 1e6), ("hand_over_us", (together - alone) * 1e6)])
        }
    }
}
