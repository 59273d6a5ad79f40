import CSystem
import Models

/// A worker thread's memory and its current work.
///
/// A worker may interrupt its pass, or its reading of a long request, to do something more urgent on a worker nested in it.
/// A nested worker's own work is short, so it is not interrupted.
final class Worker: PassOwner, @unchecked Sendable {
    let scratch: Scratch
    private unowned let engine: InferenceEngine
    private let isNested: Bool
    private let makeScratch: () -> Scratch
    private lazy var nested = Worker(engine, isNested: true, makeScratch)

    // Used on the worker's thread only.
    /// The tasks of the current pass.
    private var tasks: [InferenceTask] = []
    private var isWorking = false
    private var isInteractive = false
    /// The time at which the current work began or went on, and the time for which it was interrupted, in nanoseconds.
    private var resumedAt = 0
    private var pausedNanoseconds = 0

    init(_ engine: InferenceEngine, isNested: Bool = false, _ makeScratch: @escaping () -> Scratch) {
        self.engine = engine
        self.isNested = isNested
        self.makeScratch = makeScratch
        scratch = makeScratch()
    }

    /// Begins a pass, or the reading of a request.
    /// - Parameters:
    ///   - tasks: the tasks of a pass; empty if it is none.
    ///   - isInteractive: whether the work is likely to be short, so that it is not interrupted at first.
    func begin(_ tasks: [InferenceTask] = [], isInteractive: Bool) {
        self.tasks = tasks
        self.isInteractive = isInteractive
        isWorking = true
        resumedAt = encoderd_nanoseconds()
        pausedNanoseconds = 0
    }

    /// Ends it.
    /// - Returns: the seconds for which it was interrupted.
    func end() -> Double {
        tasks = []
        isWorking = false
        return Double(pausedNanoseconds) / 1e9
    }

    var isPassWanted: Bool { !tasks.allSatisfy { $0.isUnwanted() } }

    /// Lets urgent work on this thread, between steps of the reading of a request.
    func pauseIfUrgent() { pauseIfUrgent(now: encoderd_nanoseconds()) }

    func pauseIfUrgent(now start: Int) {
        guard isWorking, !isNested else { return }
        let ran = start - resumedAt
        let isUrgent = engine.isUrgent && (!isInteractive || ran > InferenceEngine.interactiveSliceNanoseconds)
        guard isUrgent || ran > InferenceEngine.sliceNanoseconds else { return }
        if isUrgent {
            engine.serveUrgent(on: nested, nanoseconds: max(InferenceEngine.leastPauseNanoseconds, 4 * ran))
        } else {
            engine.serveSlice(on: nested)
        }
        resumedAt = encoderd_nanoseconds()
        pausedNanoseconds += resumedAt - start
    }
}
