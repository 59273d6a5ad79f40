import Concurrency
import Dispatch
import Models

/// A model that answers calls in this process, without HTTP, on the worker threads of an engine of its own.
package final class LocalModel {
    package let model: Model
    private let engine: InferenceEngine

    /// - Parameter threads: The number of worker threads; `nil` takes one for each processor that this process may use.
    package init(_ model: Model, threads: Int? = nil) throws(QueueError) {
        self.model = model
        engine = try InferenceEngine(networks: [model.network], threads: threads ?? AvailableProcessors.count)
    }

    deinit { engine.stop() }

    /// Runs a call and waits for its results.
    package func run<C: EngineCall>(_ call: C, limits: CallLimits = CallLimits()) throws(APIError) -> C.Results {
        let plan = try call.plan(for: model, limits: limits, isCancelled: { false })
        let outcome = Locked<Result<InferenceOutcome, QueueError>>(.failure(.draining))
        let done = DispatchSemaphore(value: 0)
        let task = InferenceTask(model: 0, sequences: plan.requests, deadline: nil, isCancelled: { false }) { result in
            outcome.withLock { $0 = result }
            done.signal()
        }
        let isTaken = engine.prepare { [engine] in
            do throws(QueueError) { try engine.enqueue(task) } catch { task.completion(.failure(error)) }
        }
        if isTaken { done.wait() }
        switch outcome.withLock({ $0 }) {
        case .success(let outcome): return try plan.results(outcome.results)
        case .failure(let error): throw APIError(error)
        }
    }
}
