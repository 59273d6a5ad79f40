import Concurrency

/// The counters that `/metrics` shows.
public final class Metrics: Sendable {
    /// The bounds of the latency histogram, in seconds.
    static let latencyBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
    static let batchSequenceBounds: [Double] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    static let batchTokenBounds: [Double] = [16, 64, 256, 1024, 2048, 4096, 8192, 16384, 65536]

    struct Histogram {
        /// The counts of the buckets. There is one more than bounds: the last counts values beyond them.
        var counts: [Int]
        var sum = 0.0
        init(_ bounds: [Double]) { counts = Array(repeating: 0, count: bounds.count + 1) }

        mutating func observe(_ value: Double, _ bounds: [Double]) {
            counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
            sum += value
        }
    }

    struct RouteStatus: Hashable {
        var route: String
        var status: Int
    }

    struct ModelCounts {
        var tokens = 0
        var seconds = 0.0
        var batchSequences = Histogram(batchSequenceBounds)
        var batchTokens = Histogram(batchTokenBounds)
        /// The times from enqueuing a request's sequences to their first pass, and from there to the last pass's end.
        var queueSeconds = Histogram(latencyBounds)
        var runSeconds = Histogram(latencyBounds)
    }

    struct State {
        var requests: [RouteStatus: Int] = [:]
        var latency: [String: Histogram] = [:]
        var models: [ModelCounts] = []
        /// The requests that were not answered with results, by reason.
        var failures: [Failure: Int] = [:]
    }

    /// The reason why the queue did not answer a request with results.
    enum Failure: String, CaseIterable {
        /// Too much work was waiting.
        case full
        /// The server was shutting down.
        case draining
        /// The deadline passed.
        case expired
        /// The client went away.
        case cancelled
        /// The work was estimated to take too long.
        case costly
    }

    private let state = Locked(State())

    public init() {}

    /// Starts to count for a number of models.
    func use(models: Int) { state.withLock { $0.models = Array(repeating: ModelCounts(), count: models) } }

    func countRequest(route: String, status: Int, seconds: Double) {
        state.withLock { state in
            let route = route.isEmpty ? "unmatched" : route
            state.requests[RouteStatus(route: route, status: status), default: 0] += 1
            state.latency[route, default: Histogram(Metrics.latencyBounds)].observe(seconds, Metrics.latencyBounds)
        }
    }

    func countBatch(model: Int, sequences: Int, tokens: Int, seconds: Double) {
        state.withLock { state in
            state.models[model].tokens += tokens
            state.models[model].seconds += seconds
            state.models[model].batchSequences.observe(Double(sequences), Metrics.batchSequenceBounds)
            state.models[model].batchTokens.observe(Double(tokens), Metrics.batchTokenBounds)
        }
    }

    /// Counts the results of a request.
    /// - Parameters:
    ///   - queued: the time from enqueuing to the first pass.
    ///   - ran: the time from there to the end of the last pass.
    func countResults(model: Int, queued: Duration, ran: Duration) {
        state.withLock { state in
            state.models[model].queueSeconds.observe(queued.milliseconds / 1e3, Metrics.latencyBounds)
            state.models[model].runSeconds.observe(ran.milliseconds / 1e3, Metrics.latencyBounds)
        }
    }

    func countFailure(_ reason: Failure) { state.withLock { $0.failures[reason, default: 0] += 1 } }

    var snapshot: State { state.withLock { $0 } }
}

extension Metrics {
    /// Counts a request that the queue did not answer with results.
    func countFailure(_ error: QueueError) {
        switch error {
        case .full: countFailure(Failure.full)
        case .draining: countFailure(Failure.draining)
        case .expired: countFailure(Failure.expired)
        case .cancelled: countFailure(Failure.cancelled)
        case .noThreads: break
        }
    }
}
