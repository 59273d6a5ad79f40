import Concurrency
import HTTP

/// The work around forward passes that waits for a worker: reading a request, or making a piece of a streamed response.
struct PreparationQueue {
    struct Job {
        let client: ClientIdentity
        /// The bytes that the job reads.
        let bytes: Int
        let run: @Sendable (Worker) -> Void

        /// Whether the job takes a few milliseconds at most.
        var isLight: Bool { bytes <= PreparationQueue.lightBytes }
    }

    /// The most bytes of a light job. Reading a megabyte of JSON takes some 10 ms, tokenizing it 30 ms.
    static let lightBytes = 64 << 10

    private var light = FIFO<Job>()
    /// Heavy jobs, by virtual time: the clients share the time of the workers by bytes (`FairScheduler` has the method).
    private var heavy = PriorityQueue<Double, Job>()
    private var tags: [ClientIdentity: Double] = [:]
    private var virtualTime = 0.0

    var isEmpty: Bool { light.isEmpty && heavy.isEmpty }
    var hasLight: Bool { !light.isEmpty }
    var count: Int { light.count + heavy.count }

    mutating func append(_ job: Job) {
        if job.isLight { return light.append(job) }
        let tag = max(virtualTime, tags[job.client] ?? 0)
        tags[job.client] = tag + Double(job.bytes)
        heavy.insert(job, key: tag)
    }

    mutating func popLight() -> Job? { light.popFirst() }

    mutating func popHeavy() -> Job? {
        virtualTime = heavy.firstKey ?? 0
        let job = heavy.popFirst()
        if heavy.isEmpty {
            tags.removeAll(keepingCapacity: tags.count < 1024)
            virtualTime = 0
        }
        return job
    }
}
