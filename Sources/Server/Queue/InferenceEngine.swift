import CSystem
import Concurrency
import Glibc
import HTTP
import Models
import Synchronization

/// The state of an engine, for `/metrics` and tests.
public struct QueueStatus: Sendable, Equatable {
    /// The number of requests that are admitted and not yet answered.
    public var requests = 0
    /// The number of jobs that wait for a worker to read a request or to write a piece of a response.
    public var preparing = 0
    /// The number of sequences that wait for a forward pass.
    public var queuedSequences = 0
    /// The number of tokens or steps of these sequences.
    public var queuedTokens = 0
    /// The estimated time of the waiting sequences, in seconds of one core.
    public var queuedSeconds = 0.0
    /// The number of workers that are not idle.
    public var busyWorkers = 0
    /// Whether new requests are refused.
    public var draining = false
}

/// A fixed set of worker threads, each with its own scratch memory, that prepare requests, run forward passes and write
/// responses.
///
/// An idle worker takes work at once and spins for a moment before it sleeps. While all workers are busy, work queues, and
/// `FairScheduler` says which sequences make the next batch. Preparing goes before inferring, within bounds, so that requests
/// share batches. Finishing goes before both.
///
/// No client holds up another. A long pass, or the reading of a long request, is interrupted after every few milliseconds if
/// something short waits: a request of a client within its share, an error, a piece of a streamed response. Deadlines are
/// answered by a thread of their own. A pass that nobody waits for any more ends at once.
///
/// Workers that are idle when a batch is made share its sequences. A worker without work helps another's pass until work
/// arrives, so all workers compute a single sequence, and the first to finish help the last.
public final class InferenceEngine: @unchecked Sendable {
    /// The limits on waiting work and on batches.
    public let limits: QueueLimits
    /// The number of worker threads.
    public private(set) var threads: Int
    let deadlines = DeadlineTimer()
    private let networks: [any Network]
    /// The observer of forward passes: it is told the model, the sequences, the tokens and the time of each.
    private let observe: @Sendable (Int, Int, Int, Duration) -> Void

    private let monitor = Monitor()
    private let work = Monitor.Condition()
    private let quiet = Monitor.Condition()
    // The monitor guards everything below. The last reference to an admission or a task must not be released while it is
    // held: their deinits lock it.
    private var preparing = PreparationQueue()
    private var finishing = FIFO<InferenceTask>()
    private var scheduler: FairScheduler<InferenceTask>
    private var speeds: MeasuredSpeeds
    private var requests = 0
    private var requestBytes = 0
    /// The light and the heavy jobs that have been prepared since the last batch was made.
    private var preparedSinceBatch = (light: 0, heavy: 0)
    private var idle = 0
    /// The number of idle workers that spin. They look for work before they sleep, so they need no signal.
    private var spinning = 0
    /// Which sleeping workers to wake once the monitor is released.
    private var wakeup = Wakeup.none
    /// The number of workers in a pass of their own.
    private var passes = 0
    /// The teams whose current pass wants helpers.
    private var calling: [ThreadTeam] = []
    private var draining = false
    private var stopped = false
    private var workers: [POSIXThread] = []
    /// Whether helpers should return to the queue. It is changed under the monitor; helpers read it without.
    private let hasWork = Atomic(false)
    /// Whether something urgent waits that no idle worker takes. It is changed under the monitor; passes read it without.
    private let hasUrgentWork = Atomic(false)
    /// The number of announcements of work. Spinning workers read it without the monitor.
    private let announcements = Atomic(0)
    /// The number of members of a pass's team.
    private let teamSize: Int

    /// The time that a worker spins before it sleeps, in nanoseconds. After helping it spins while the response is written and
    /// its client wakes. After answering it spins until that client's next request is likely to arrive.
    private let spinTimes: (afterHelping: Int, afterAnswering: Int)

    /// The number of requests that are prepared in a row before a waiting batch goes first.
    private static let maxPreparedInARow = 128
    /// The time after which a pass lets other work of its length on its thread, in nanoseconds.
    static let sliceNanoseconds = 250_000_000
    /// The time after which even the pass of an interactive client lets urgent work on its thread, in nanoseconds.
    static let interactiveSliceNanoseconds = 10_000_000
    /// The time for which urgent work may interrupt a pass that has hardly run since the last interruption, in nanoseconds.
    static let leastPauseNanoseconds = 20_000_000
    /// The bounds of `Retry-After`, in seconds.
    private static let retrySeconds = 1.0...120.0

    /// - Parameter weights: the share of each model in the time of the workers; `nil` gives all the same.
    public init(
        networks: [any Network], threads: Int, limits: QueueLimits = QueueLimits(), weights: [Double]? = nil,
        observe: @escaping @Sendable (Int, Int, Int, Duration) -> Void = { _, _, _, _ in }
    ) throws(QueueError) {
        self.networks = networks
        self.limits = limits
        self.observe = observe
        self.threads = 0
        teamSize = max(1, threads)
        // On a single processor no thread can add work while another spins.
        spinTimes = AvailableProcessors.count > 1 ? (50_000, 200_000) : (0, 0)
        scheduler = FairScheduler(
            weights: weights ?? networks.map { _ in 1 }, interactiveSeconds: limits.interactiveSeconds)
        speeds = MeasuredSpeeds(models: networks.count)
        for _ in 0..<max(1, threads) {
            guard let worker = POSIXThread({ [self] in runWorker() }) else { break }
            workers.append(worker)
        }
        if workers.isEmpty || !deadlines.isRunning {
            stop()
            throw .noThreads
        }
        self.threads = workers.count
    }

    /// The state at this moment.
    public var status: QueueStatus {
        monitor.withLock {
            QueueStatus(
                requests: requests, preparing: preparing.count, queuedSequences: scheduler.load.sequences,
                queuedTokens: scheduler.load.tokens, queuedSeconds: scheduler.load.cost, busyWorkers: threads - idle,
                draining: draining)
        }
    }

    // MARK: The monitor

    private enum Wakeup { case none, one, all }

    /// Runs a closure with the monitor locked. Workers for which it has work are woken after the monitor is released, since
    /// they would only wait for it before.
    private func locked<T>(_ body: () -> T) -> T {
        let (result, wakeup, isSeen) = monitor.withLock {
            let result = body()
            defer { self.wakeup = .none }
            let isUrgent = idle == 0 && (preparing.hasLight || !finishing.isEmpty || scheduler.hasInteractive)
            if isUrgent != hasUrgentWork.load(ordering: .relaxed) { hasUrgentWork.store(isUrgent, ordering: .relaxed) }
            return (result, self.wakeup, spinning > 0)
        }
        if wakeup != .none { announcements.add(1, ordering: .relaxed) }
        switch wakeup {
        case .none: break
        case .one: if !isSeen { work.signal() }
        case .all: work.broadcast()
        }
        return result
    }

    // MARK: Giving work

    /// Admits a request whose body has `bytes`. The caller keeps its place until the request is answered.
    func admit(bytes: Int) throws(QueueError) -> Admission {
        let refusal: QueueError? = locked {
            if draining || stopped { return .draining }
            if requests >= limits.maxRequests || (requests > 0 && requestBytes + bytes > limits.maxRequestBytes) {
                return fullError
            }
            requests += 1
            requestBytes += bytes
            return nil
        }
        if let refusal { throw refusal }
        return Admission(bytes: bytes) { [weak self] bytes in self?.release(bytes) }
    }

    private func release(_ bytes: Int) {
        locked {
            requests -= 1
            requestBytes -= bytes
            if requests == 0 { quiet.broadcast() }
        }
    }

    /// The refusal while too much work waits. It advises to come back when the work will be done at the measured speed. Must
    /// be called under `locked`.
    private var fullError: QueueError {
        let seconds = scheduler.load.cost / Double(max(1, threads))
        return .full(retryAfter: min(max(seconds, Self.retrySeconds.lowerBound), Self.retrySeconds.upperBound))
    }

    /// Returns the estimated time of sequences of a model, in seconds of one core.
    func estimatedSeconds(_ requests: [SequenceRequest], model: Int) -> Double {
        guard let outputs = requests.first?.outputs else { return 0 }
        let work = requests.reduce(0) {
            $0 + networks[model].multiplications(length: $1.length, outputs: $1.outputs)
        }
        return monitor.withLock { speeds.seconds(work, model: model, kind: MeasuredSpeeds.kind(of: outputs)) }
    }

    /// Returns the length up to which a sequence of a model takes no more than some seconds of one core, by estimate; 0 if
    /// even one token takes more.
    func longestLength(seconds: Double, outputs: OutputSelection, model: Int, below length: Int) -> Int {
        let rate = monitor.withLock { speeds.seconds(1, model: model, kind: MeasuredSpeeds.kind(of: outputs)) }
        var (fits, exceeds) = (0, length)
        while exceeds - fits > 1 {
            let middle = (fits + exceeds) / 2
            if networks[model].multiplications(length: middle, outputs: outputs) * rate <= seconds {
                fits = middle
            } else {
                exceeds = middle
            }
        }
        return fits
    }

    /// Runs a closure on a worker.
    /// - Parameters:
    ///   - client: the client that waits for the work.
    ///   - bytes: the bytes that the closure reads, if it may take long.
    /// - Returns: `false` if the workers have been stopped.
    func prepare(
        for client: ClientIdentity = .unknown, bytes: Int = 0, _ body: @escaping @Sendable (Worker) -> Void
    ) -> Bool {
        locked {
            if stopped { return false }
            preparing.append(PreparationQueue.Job(client: client, bytes: bytes, run: body))
            announceWork()
            return true
        }
    }

    /// Queues one or more sequences for forward passes. Must be called on a worker, which looks for work when it has returned.
    func enqueue(_ task: InferenceTask) throws(QueueError) {
        let refusal: QueueError? = locked {
            if stopped { return .draining }
            if isTooMuch(task) { return fullError }
            task.queuedAt = .now
            task.secondsPerMultiplication = speeds.seconds(1, model: task.model, kind: task.kind)
            scheduler.add(task)
            scheduler.charge(task.preparationSeconds, to: task.client, model: task.model)
            // The caller takes a single sequence itself: waking another worker for it takes longer.
            if task.sequences.count > 1 { announceWork(toAll: true) }
            return nil
        }
        if let refusal { throw refusal }
    }

    /// Whether the queue has no room for a task. A client that has little waiting is admitted to a queue that others have
    /// filled: each of n clients has a right to an n-th of it.
    private func isTooMuch(_ task: InferenceTask) -> Bool {
        guard !scheduler.isEmpty, scheduler.load.tokens + task.tokens > limits.maxQueuedTokens else { return false }
        let own = scheduler.load(of: task.client)
        let clients = scheduler.clients + (own.sequences == 0 ? 1 : 0)
        return own.tokens + task.tokens > limits.maxQueuedTokens / clients
    }

    // MARK: Ending

    /// Refuses new requests from now on.
    public func drain() { locked { draining = true } }

    /// Waits until every admitted request has been answered.
    /// - Returns: `false` if that took longer than `seconds`.
    public func waitUntilIdle(seconds: Double) -> Bool {
        let deadline = Monitor.deadline(seconds: seconds)
        return locked {
            while requests > 0 { if !quiet.wait(monitor, until: deadline) { return requests == 0 } }
            return true
        }
    }

    /// Ends the workers after their current work and fails the waiting work. Must not be called on a worker.
    public func stop() {
        let workers = locked {
            draining = true
            stopped = true
            announceWork(toAll: true)
            defer { self.workers = [] }
            return self.workers
        }
        for worker in workers { worker.join() }
        deadlines.stop()
        while let left = locked({ takeLeftover() }) { left() }
    }

    private func takeLeftover() -> (() -> Void)? {
        if let task = finishing.popFirst() { return { task.complete(.success(task.outcome)) } }
        if let job = preparing.popLight() ?? preparing.popHeavy() {
            return { [self] in job.run(Worker(self) { Scratch() }) }
        }
        guard let task = scheduler.removeAny() else { return nil }
        return { task.complete(.failure(.draining)) }
    }

    // MARK: Workers

    private enum Work {
        case job(PreparationQueue.Job)
        case finish(InferenceTask)
        /// A batch, and the tasks that were dropped when it was made.
        case batch(FairScheduler<InferenceTask>.Batch?, dropped: [InferenceTask], helpers: Int)
        case help(ThreadTeam)
    }

    private func runWorker() {
        let worker = Worker(self) { [teamSize] in
            Scratch(team: ThreadTeam(size: teamSize) { [weak self] team in self?.callHelpers(team) })
        }
        var spinNanoseconds = 0
        while let work = nextWork(spinNanoseconds: spinNanoseconds) {
            run(work, on: worker)
            spinNanoseconds = spinTimes.afterAnswering
            if case .help = work { spinNanoseconds = spinTimes.afterHelping }
        }
    }

    private func run(_ work: Work, on worker: Worker) {
        switch work {
        case .job(let job):
            worker.begin(isInteractive: job.isLight)
            job.run(worker)
            _ = worker.end()
        case .finish(let task): finish(task)
        case .batch(let batch, let dropped, let helpers):
            for task in dropped { task.complete(.failure(.cancelled)) }
            if let batch { run(batch, helpers: helpers, on: worker) }
        case .help(let team): help(team)
        }
    }

    /// Must be called under `locked`.
    private func announceWork(toAll: Bool = false) {
        hasWork.store(true, ordering: .relaxed)
        wake(all: toAll)
    }

    /// Must be called under `locked`. Waking one worker is enough: whoever takes work and leaves some wakes the next.
    private func wake(all: Bool = false) {
        if all { wakeup = .all } else if wakeup == .none { wakeup = .one }
    }

    private func callHelpers(_ team: ThreadTeam) {
        locked {
            calling.append(team)
            if idle > 0 { wake(all: true) }
        }
    }

    private func help(_ team: ThreadTeam) {
        guard team.help(while: { !hasWork.load(ordering: .relaxed) }) == .idle else { return }
        locked {
            calling.removeAll { $0 === team }
            team.askToBeCalled()
        }
    }

    /// - Parameter spinNanoseconds: The time to spin before sleeping if there is no work.
    private func nextWork(spinNanoseconds: Int) -> Work? {
        locked {
            let end = spinNanoseconds > 0 ? encoderd_nanoseconds() + spinNanoseconds : 0
            while !stopped {
                if let work = takeWork() { return work }
                hasWork.store(false, ordering: .relaxed)
                if let team = calling.first(where: \.wantsHelpers) { return .help(team) }
                idle += 1
                if encoderd_nanoseconds() < end {
                    spinning += 1
                    spin(until: end)
                    spinning -= 1
                } else {
                    work.wait(monitor)
                }
                idle -= 1
            }
            return nil
        }
    }

    /// Spins until work is announced or the time is over, since waking up takes longer than a short request should wait. It
    /// yields the processor to other threads, such as the client that has just been answered. Must be called with the monitor
    /// locked.
    private func spin(until end: Int) {
        let seen = announcements.load(ordering: .relaxed)
        monitor.unlocked {
            while encoderd_nanoseconds() < end {
                for _ in 0..<16 {
                    if announcements.load(ordering: .relaxed) != seen { return }
                    encoderd_pause()
                }
                sched_yield()
            }
        }
    }

    private func takeWork() -> Work? {
        guard let work = takeJob() ?? takeBatch(.all) else { return nil }
        if idle > 0, !scheduler.isEmpty || !preparing.isEmpty || !finishing.isEmpty { wake() }
        return work
    }

    private func takeJob() -> Work? {
        if let task = finishing.popFirst() { return .finish(task) }
        if scheduler.isEmpty || preparedSinceBatch.light < Self.maxPreparedInARow, let job = preparing.popLight() {
            preparedSinceBatch.light += 1
            return .job(job)
        }
        if scheduler.isEmpty || preparedSinceBatch.heavy == 0, let job = preparing.popHeavy() {
            preparedSinceBatch.heavy += 1
            return .job(job)
        }
        return nil
    }

    private func takeBatch(_ selection: FairScheduler<InferenceTask>.Selection) -> Work? {
        preparedSinceBatch = (0, 0)
        let (batch, dropped) = scheduler.takeBatch(
            selection,
            limits: { load in
                var tokens = limits.maxBatchTokens
                if idle > 0, preparing.isEmpty {
                    tokens = min(tokens, max(limits.minSplitTokens, (load.tokens + idle) / (idle + 1)))
                }
                return .init(sequences: limits.maxBatchSequences, tokens: tokens, cost: limits.maxBatchSeconds)
            }, isUnwanted: { $0.isUnwanted() })
        if batch == nil, dropped.isEmpty { return nil }
        // A worker that prepares or finishes a request will soon be free.
        let helpers = threads - 1 - passes
        if let batch {
            passes += 1
            let now = ContinuousClock.now
            for (task, _) in batch.parts where task.startedAt == nil { task.startedAt = now }
        }
        return .batch(batch, dropped: dropped, helpers: max(0, helpers))
    }

    // MARK: Interruptions

    /// Whether something urgent waits that no idle worker takes.
    var isUrgent: Bool { hasUrgentWork.load(ordering: .relaxed) }

    /// Does urgent work on a worker whose own work is interrupted, until there is none or the time is over.
    func serveUrgent(on worker: Worker, nanoseconds: Int) {
        let end = encoderd_nanoseconds() + nanoseconds
        while let work = locked({ takeUrgentWork() }) {
            run(work, on: worker)
            if encoderd_nanoseconds() > end { return }
        }
    }

    /// Runs one batch of others on a worker whose own pass has had its share of time, if the batch is no longer than that.
    func serveSlice(on worker: Worker) {
        guard let work = locked({ takeBatch(.upTo(cost: limits.maxBatchSeconds)) }) else { return }
        run(work, on: worker)
    }

    private func takeUrgentWork() -> Work? {
        if let task = finishing.popFirst() { return .finish(task) }
        if let job = preparing.popLight() { return .job(job) }
        return takeBatch(.interactive)
    }

    // MARK: Passes

    private func run(_ batch: FairScheduler<InferenceTask>.Batch, helpers: Int, on worker: Worker) {
        let clock = ContinuousClock()
        let scratch = worker.scratch
        let requests = batch.parts.flatMap { $0.task.sequences[$0.range] }
        worker.begin(batch.parts.map(\.task), isInteractive: batch.isInteractive)
        scratch.control.begin(for: worker)
        let start = clock.now
        scratch.team.open(expecting: helpers)
        let results = networks[batch.model].forward(requests, scratch: scratch)
        scratch.team.close()
        let end = clock.now
        let isComplete = scratch.control.end()
        let paused = worker.end()
        let seconds = max(0, start.duration(to: end) / .seconds(1) - paused)
        if isComplete { observe(batch.model, batch.load.sequences, batch.load.tokens, .seconds(seconds)) }
        // This worker finishes one task; idle workers may finish the others.
        var finished: InferenceTask?
        var abandoned: [InferenceTask] = []
        locked {
            passes -= 1
            calling.removeAll { $0 === scratch.team }
            if isComplete { learn(batch, seconds: seconds + scratch.team.helperSeconds) }
            var offset = 0
            for (task, range) in batch.parts {
                defer { offset += range.count }
                if task.isRemoved { continue }
                guard isComplete else {
                    scheduler.remove(task)
                    abandoned.append(task)
                    continue
                }
                for (i, position) in range.enumerated() where offset + i < results.count {
                    task.results[position] = results[offset + i]
                }
                task.remaining -= range.count
                task.endedAt = end
                guard task.remaining == 0 else { continue }
                if finished == nil {
                    finished = task
                } else {
                    finishing.append(task)
                    announceWork()
                }
            }
        }
        for task in abandoned { task.complete(.failure(.cancelled)) }
        if let finished { finish(finished) }
    }

    /// Reports the results of a task after its last batch.
    private func finish(_ task: InferenceTask) {
        task.complete(task.isUnwanted() ? .failure(.cancelled) : .success(task.outcome))
    }

    private func learn(_ batch: FairScheduler<InferenceTask>.Batch, seconds: Double) {
        guard let kind = batch.parts.first?.task.kind, batch.parts.allSatisfy({ $0.task.kind == kind }) else { return }
        let multiplications = batch.parts.reduce(0) { $0 + $1.task.work[$1.range].reduce(0, +) }
        speeds.learn(model: batch.model, kind: kind, seconds: seconds, multiplications: multiplications)
    }
}
