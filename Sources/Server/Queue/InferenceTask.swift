import HTTP
import Models

/// The limits on waiting work and on batches.
public struct QueueLimits: Sendable {
    /// The largest number of tokens or steps in one forward pass. A longer sequence runs alone.
    public var maxBatchTokens = 16_384
    /// The largest number of sequences in one forward pass.
    public var maxBatchSequences = 512
    /// The longest estimated time of one forward pass, in seconds of one core. A longer sequence runs alone.
    public var maxBatchSeconds = 0.25
    /// The time that a client gets ahead of long work once it has been idle, in seconds of one core.
    public var interactiveSeconds = 0.25
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
    /// Too much work is waiting; trying again may help after these seconds.
    case full(retryAfter: Double)
    /// The server is shutting down.
    case draining
    /// The deadline passed.
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
final class InferenceTask: ScheduledTask, @unchecked Sendable {
    let client: ClientIdentity
    let model: Int
    let sequences: [SequenceRequest]
    let tokens: Int
    /// The multiplications of each sequence.
    let work: [Double]
    /// The kind of pass, as `MeasuredSpeeds` counts them.
    let kind: Int
    /// The time that reading the request and tokenizing took, in seconds, which counts as the client's.
    let preparationSeconds: Double
    /// Whether nobody waits for the results any more: the client has gone, or has been answered.
    let isUnwanted: @Sendable () -> Bool
    /// The receiver of the results, until it has been called. It is called once, on a worker.
    private var completion: (@Sendable (Result<InferenceOutcome, QueueError>) -> Void)?

    // Guarded by the engine's monitor.
    var next = 0
    var isRemoved = false
    /// The seconds of one core that a multiplication takes, as was known when the task was queued.
    var secondsPerMultiplication = 0.0
    var remaining: Int
    var results: [SequenceResult]
    var queuedAt = ContinuousClock.now
    var startedAt: ContinuousClock.Instant?
    var endedAt: ContinuousClock.Instant?

    init(
        client: ClientIdentity, model: Int, network: any Network, sequences: [SequenceRequest],
        preparationSeconds: Double = 0,
        isUnwanted: @escaping @Sendable () -> Bool,
        completion: @escaping @Sendable (Result<InferenceOutcome, QueueError>) -> Void
    ) {
        self.client = client
        self.model = model
        self.sequences = sequences
        self.preparationSeconds = preparationSeconds
        self.isUnwanted = isUnwanted
        self.completion = completion
        work = sequences.map { max(1, network.multiplications(length: $0.length, outputs: $0.outputs)) }
        kind = sequences.first.map { MeasuredSpeeds.kind(of: $0.outputs) } ?? 0
        tokens = sequences.reduce(0) { $0 + $1.length }
        remaining = sequences.count
        results = Array(repeating: SequenceResult(), count: sequences.count)
    }

    /// Reports the results or the reason why there are none. Must be called once, and not under the engine's monitor: what
    /// the receiver holds is released here, not with the task.
    func complete(_ result: Result<InferenceOutcome, QueueError>) {
        let completion = self.completion
        self.completion = nil
        completion?(result)
    }

    var count: Int { sequences.count }
    func cost(of sequence: Int) -> Double { work[sequence] * secondsPerMultiplication }
    func length(of sequence: Int) -> Int { sequences[sequence].length }

    /// The results with their times, once all are there.
    var outcome: InferenceOutcome {
        let started = startedAt ?? queuedAt
        return InferenceOutcome(
            results: results, queued: queuedAt.duration(to: started), inferred: started.duration(to: endedAt ?? started)
        )
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
