import Models

/// Bounds on what waits and on what runs together.
public struct QueueLimits: Sendable {
    /// Tokens or steps in one forward pass; one longer sequence runs alone.
    public var maxBatchTokens = 16_384
    public var maxBatchSequences = 512
    /// Tokens waiting for a forward pass, all models together.
    public var maxQueuedTokens = 1 << 18
    /// Requests accepted and not yet answered, and the bytes of their bodies.
    public var maxRequests = 4096
    public var maxRequestBytes = 512 << 20
    /// A batch is not split over idle workers into pieces smaller than this many tokens.
    public var minSplitTokens = 128

    public init() {}
}

/// Why work is not taken, or not done.
public enum QueueError: Error, Sendable, Equatable {
    /// Too much is waiting; the seconds after which trying again may help.
    case full(retryAfter: Int)
    /// The server is going down.
    case draining
    /// The deadline passed before the work began.
    case expired
    /// The client has gone.
    case cancelled
    /// Not one worker thread could be made.
    case noThreads
}

/// What a forward pass gave, and when.
struct InferenceOutcome: Sendable {
    var results: [SequenceResult]
    /// From being queued to the start of the first batch with one of its sequences, and from there to the last one's end.
    var queued: Duration
    var inferred: Duration
}

/// The sequences of one request, waiting for forward passes of one model. They may run in several batches, and share
/// each with other requests'.
final class InferenceTask: @unchecked Sendable {
    let model: Int
    let sequences: [SequenceRequest]
    let tokens: Int
    let deadline: ContinuousClock.Instant?
    let isCancelled: @Sendable () -> Bool
    /// Called once, on a worker.
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

    /// Why the rest of it should not run. Work that has begun is not given up for its deadline.
    func reasonToDrop(now: ContinuousClock.Instant) -> QueueError? {
        if isCancelled() { return .cancelled }
        if next == 0, let deadline, deadline <= now { return .expired }
        return nil
    }
}

/// A place among the requests accepted; giving up the last reference frees it.
final class Admission: Sendable {
    let bytes: Int
    private let release: @Sendable (Int) -> Void

    init(bytes: Int, release: @escaping @Sendable (Int) -> Void) {
        self.bytes = bytes
        self.release = release
    }

    deinit { release(bytes) }
}
