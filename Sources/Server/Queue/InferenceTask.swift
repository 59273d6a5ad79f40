import Models

/// The limits on waiting work and on batches.
public struct QueueLimits: Sendable {
    /// The largest number of tokens or steps in one forward pass. A longer sequence runs alone.
    public var maxBatchTokens = 16_384
    /// The largest number of sequences in one forward pass.
    public var maxBatchSequences = 512
    /// The largest number of tokens that wait for a forward pass, of all models together.
    public var maxQueuedTokens = 1 << 18
    /// The largest number of requests that are admitted and not yet answered.
    public var maxRequests = 4096
    /// The largest number of bytes of the bodies of these requests.
    public var maxRequestBytes = 512 << 20
    /// The smallest number of tokens into which a batch is split over idle workers.
    public var minSplitTokens = 128

    public init() {}
}

/// The reason why work is not accepted or not done.
public enum QueueError: Error, Sendable, Equatable {
    /// Too much work is waiting; trying again may help after this many seconds.
    case full(retryAfter: Int)
    /// The server is shutting down.
    case draining
    /// The deadline passed before the work began.
    case expired
    /// The client has gone.
    case cancelled
    /// The system could not create a worker thread.
    case noThreads
}

/// The results of a task with their times.
struct InferenceOutcome: Sendable {
    var results: [SequenceResult]
    /// The time from enqueuing to the start of the first batch with one of the sequences.
    var queued: Duration
    /// The time from there to the end of the last batch.
    var inferred: Duration
}

/// The sequences of one request that wait for forward passes of one model. They may run in several batches, each shared with
/// other requests.
final class InferenceTask: @unchecked Sendable {
    let model: Int
    let sequences: [SequenceRequest]
    let tokens: Int
    let deadline: ContinuousClock.Instant?
    let isCancelled: @Sendable () -> Bool
    /// The receiver of the results, called once on a worker.
    let completion: @Sendable (Result<InferenceOutcome, QueueError>) -> Void

    // Guarded by the engine's monitor.
    var next = 0
    var remaining: Int
    var dropped = false
    var results: [SequenceResult]
    var queuedAt = ContinuousClock.now
    var startedAt: ContinuousClock.Instant?
    var endedAt: ContinuousClock.Instant?

    init(
        model: Int, sequences: [SequenceRequest], deadline: ContinuousClock.Instant?,
        isCancelled: @escaping @Sendable () -> Bool,
        completion: @escaping @Sendable (Result<InferenceOutcome, QueueError>) -> Void
    ) {
        self.model = model
        self.sequences = sequences
        self.deadline = deadline
        self.isCancelled = isCancelled
        self.completion = completion
        tokens = sequences.reduce(0) { $0 + $1.length }
        remaining = sequences.count
        results = Array(repeating: SequenceResult(), count: sequences.count)
    }

    /// Returns the reason why the remaining sequences should not run; `nil` if they should. A deadline does not stop work
    /// that has begun.
    func reasonToDrop(now: ContinuousClock.Instant) -> QueueError? {
        if isCancelled() { return .cancelled }
        if next == 0, let deadline, deadline <= now { return .expired }
        return nil
    }
}

/// A place among the admitted requests. Releasing the last reference frees it.
final class Admission: Sendable {
    let bytes: Int
    private let release: @Sendable (Int) -> Void

    init(bytes: Int, release: @escaping @Sendable (Int) -> Void) {
        self.bytes = bytes
        self.release = release
    }

    deinit { release(bytes) }
}
