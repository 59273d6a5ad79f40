import CSystem
import Concurrency
import Glibc
import Models
import Synchronization

/// The state of an engine, for `/metrics` and tests.
public struct QueueStatus: Sendable, Equatable {
    /// The number of requests that are admitted and not yet answered.
    public var requests = 0
    /// The number of sequences that wait for a forward pass.
    public var queuedSequences = 0
    /// The number of tokens or steps of these sequences.
    public var queuedTokens = 0
    /// The number of workers that are not idle.
    public var busyWorkers = 0
    /// Whether new requests are refused.
    public var draining = false
}

/// A fixed set of worker threads, each with its own scratch memory, that prepare requests, run forward passes and write
/// responses.
///
/// An idle worker takes work at once and spins for a moment before it sleeps. While all workers are busy, work queues. The
/// next batch of a model holds the sequences that wait for it, oldest first, up to a number of tokens. Models with work take
/// turns. Preparing goes before inferring, within bounds, so that requests share batches. Finishing goes before both.
///
/// Workers that are idle when a batch is made share its sequences. A worker without work helps another's pass until work
/// arrives, so all workers compute a single sequence, and the first to finish help the last.
public final class InferenceEngine: @unchecked Sendable {
    /// The limits on waiting work and on batches.
    public let limits: QueueLimits
    /// The number of worker threads.
    public private(set) var threads: Int
    private let networks: [any Network]
    /// The observer of forward passes: it is told the model, the sequences, the tokens and the time of each.
    private let observe: @Sendable (Int, Int, Int, Duration) -> Void

    private let monitor = Monitor()
    private let work = Monitor.Condition()
    private let quiet = Monitor.Condition()
    // The monitor guards everything below. The last reference to an admission or a task must not be released while it is
    // held: their deinits lock it.
    private var preparing = FIFO<@Sendable () -> Void>()
    private var finishing = FIFO<@Sendable () -> Void>()
    private var ready: [FIFO<InferenceTask>]
    private var readyTokens: [Int]
    private var queuedSequences = 0
    private var queuedTokens = 0
    private var requests = 0
    private var requestBytes = 0
    private var lastModel = 0
    private var preparedSinceBatch = 0
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
    /// The number of announcements of work. Spinning workers read it without the monitor.
    private let announcements = Atomic(0)
    /// The number of members of a pass's team.
    private let teamSize: Int

    /// The time that a worker spins before it sleeps, in nanoseconds. After helping it spins while the response is written and
    /// its client wakes. After answering it spins until that client's next request is likely to arrive.
    private let spinTimes: (afterHelping: Int, afterAnswering: Int)

    /// The number of requests that are prepared in a row before a waiting batch goes first.
    private static let maxPreparedInARow = 128

    public init(
        networks: [any Network], threads: Int, limits: QueueLimits = QueueLimits(),
        observe: @escaping @Sendable (Int, Int, Int, Duration) -> Void = { _, _, _, _ in }
    ) throws(QueueError) {
        self.networks = networks
        self.limits = limits
        self.observe = observe
        self.threads = 0
        teamSize = max(1, threads)
        // On a single processor no thread can add work while another spins.
        spinTimes = AvailableProcessors.count > 1 ? (50_000, 200_000) : (0, 0)
        ready = Array(repeating: FIFO(), count: networks.count)
        readyTokens = Array(repeating: 0, count: networks.count)
        for _ in 0..<max(1, threads) {
            guard let worker = POSIXThread({ [self] in runWorker() }) else { break }
            workers.append(worker)
        }
        if workers.isEmpty { throw .noThreads }
        self.threads = workers.count
    }

    /// The state at this moment.
    public var status: QueueStatus {
        monitor.withLock {
            QueueStatus(
                requests: requests, queuedSequences: queuedSequences, queuedTokens: queuedTokens,
                busyWorkers: threads - idle, draining: draining)
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
                return .full(retryAfter: 1)
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

    /// Runs a closure on a worker.
    /// - Returns: `false` if the workers have been stopped.
    func prepare(_ body: @escaping @Sendable () -> Void) -> Bool {
        locked {
            if stopped { return false }
            preparing.append(body)
            announceWork()
            return true
        }
    }

    /// Queues one or more sequences for forward passes. Must be called on a worker, which looks for work when it has returned.
    func enqueue(_ task: InferenceTask) throws(QueueError) {
        let refusal: QueueError? = locked {
            if stopped { return .draining }
            if queuedTokens > 0, queuedTokens + task.tokens > limits.maxQueuedTokens { return .full(retryAfter: 1) }
            task.queuedAt = .now
            ready[task.model].append(task)
            readyTokens[task.model] += task.tokens
            queuedTokens += task.tokens
            queuedSequences += task.sequences.count
            // The caller takes a single sequence itself: waking another worker for it takes longer.
            if task.sequences.count > 1 { announceWork(toAll: true) }
            return nil
        }
        if let refusal { throw refusal }
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
        while let left = locked({ takeLeftover() }) { left() }
    }

    private func takeLeftover() -> (@Sendable () -> Void)? {
        if let body = finishing.popFirst() ?? preparing.popFirst() { return body }
        for model in ready.indices {
            guard let task = ready[model].popFirst() else { continue }
            forget(task)
            return { task.completion(.failure(.draining)) }
        }
        return nil
    }

    // MARK: Workers

    private enum Work {
        case job(@Sendable () -> Void)
        case batch(Batch)
        case drop(InferenceTask, QueueError)
        case help(ThreadTeam)
    }

    private struct Batch {
        var model: Int
        var requests: [SequenceRequest] = []
        /// The sequences of each task that are in the batch.
        var parts: [(task: InferenceTask, range: Range<Int>)] = []
        var tokens = 0
        /// The number of workers that had no pass of their own when the batch was made.
        var helpers = 0
    }

    private func runWorker() {
        let scratch = Scratch(team: ThreadTeam(size: teamSize) { [weak self] team in self?.callHelpers(team) })
        var spinNanoseconds = 0
        while let work = nextWork(spinNanoseconds: spinNanoseconds) {
            spinNanoseconds = spinTimes.afterAnswering
            switch work {
            case .job(let body): body()
            case .batch(let batch): run(batch, scratch)
            case .drop(let task, let reason): task.completion(.failure(reason))
            case .help(let team):
                help(team)
                spinNanoseconds = spinTimes.afterHelping
            }
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
        if let body = takeJob() {
            if idle > 0, isAnythingLeft { wake() }
            return .job(body)
        }
        preparedSinceBatch = 0
        for turn in 1...max(1, ready.count) {
            let model = (lastModel + turn) % max(1, ready.count)
            guard model < ready.count, !ready[model].isEmpty else { continue }
            let work = takeBatch(model)
            if case .batch = work { lastModel = model }
            if idle > 0, isAnythingLeft { wake() }
            return work
        }
        return nil
    }

    private var isAnythingLeft: Bool { queuedSequences > 0 || !preparing.isEmpty || !finishing.isEmpty }

    private func takeJob() -> (@Sendable () -> Void)? {
        if let body = finishing.popFirst() { return body }
        let mayPrepare =
            queuedSequences == 0
            || (queuedTokens < limits.maxBatchTokens && queuedSequences < limits.maxBatchSequences
                && preparedSinceBatch < InferenceEngine.maxPreparedInARow)
        guard mayPrepare, let body = preparing.popFirst() else { return nil }
        preparedSinceBatch += 1
        return body
    }

    private func takeBatch(_ model: Int) -> Work {
        // A worker that prepares or finishes a request will soon be free.
        var batch = Batch(model: model, helpers: threads - 1 - passes)
        var budget = limits.maxBatchTokens
        if idle > 0, preparing.isEmpty {
            let share = (readyTokens[model] + idle) / (idle + 1)
            budget = min(budget, max(limits.minSplitTokens, share))
        }
        let now = ContinuousClock.now
        while let task = ready[model].first, batch.requests.count < limits.maxBatchSequences {
            if let reason = task.reasonToDrop(now: now) {
                // The collected sequences go first; the task is found again.
                if !batch.requests.isEmpty { break }
                _ = ready[model].popFirst()
                forget(task)
                return .drop(task, reason)
            }
            let start = task.next
            while task.next < task.sequences.count, batch.requests.count < limits.maxBatchSequences {
                let sequence = task.sequences[task.next]
                if !batch.requests.isEmpty, batch.tokens + sequence.length > budget { break }
                batch.requests.append(sequence)
                batch.tokens += sequence.length
                task.next += 1
            }
            if task.next > start {
                batch.parts.append((task, start..<task.next))
                if task.startedAt == nil { task.startedAt = now }
            }
            if task.next < task.sequences.count { break }
            _ = ready[model].popFirst()
        }
        readyTokens[model] -= batch.tokens
        queuedTokens -= batch.tokens
        queuedSequences -= batch.requests.count
        passes += 1
        return .batch(batch)
    }

    /// Subtracts the waiting sequences of a task from the counts.
    private func forget(_ task: InferenceTask) {
        let rest = task.sequences[task.next...]
        let tokens = rest.reduce(0) { $0 + $1.length }
        task.dropped = true
        readyTokens[task.model] -= tokens
        queuedTokens -= tokens
        queuedSequences -= rest.count
    }

    private func run(_ batch: Batch, _ scratch: Scratch) {
        let clock = ContinuousClock()
        let start = clock.now
        scratch.team.open(expecting: batch.helpers)
        let results = networks[batch.model].forward(batch.requests, scratch: scratch)
        scratch.team.close()
        let end = clock.now
        observe(batch.model, batch.requests.count, batch.tokens, start.duration(to: end))
        // This worker finishes one task; idle workers may finish the others.
        var finished: InferenceTask?
        locked {
            passes -= 1
            calling.removeAll { $0 === scratch.team }
            var offset = 0
            for (task, range) in batch.parts {
                defer { offset += range.count }
                if task.dropped { continue }
                for (i, position) in range.enumerated() where offset + i < results.count {
                    task.results[position] = results[offset + i]
                }
                task.remaining -= range.count
                task.endedAt = end
                guard task.remaining == 0 else { continue }
                if finished == nil {
                    finished = task
                } else {
                    finishing.append { task.complete() }
                    announceWork()
                }
            }
        }
        finished?.complete()
    }
}

extension InferenceTask {
    /// Reports the results after the last batch of the task.
    fileprivate func complete() {
        let started = startedAt ?? queuedAt
        let outcome = InferenceOutcome(
            results: results, queued: queuedAt.duration(to: started), inferred: started.duration(to: endedAt ?? started)
        )
        completion(.success(outcome))
    }
}
