import Concurrency
import Models
import Synchronization

/// The state that all endpoints share: the loaded models and their engine, limits, and the recorder of responses.
final class Service: Sendable {
    struct Loaded: Sendable {
        let models: ModelSet
        let engine: InferenceEngine
    }

    let recorder: ResponseRecorder
    let limits: CallLimits
    let compression: CompressionPolicy
    private let state = Locked<Loaded?>(nil)
    private let isDraining = Atomic(false)
    private let connections = Locked<@Sendable () -> Int>({ 0 })

    init(recorder: ResponseRecorder, limits: CallLimits, compression: CompressionPolicy) {
        self.recorder = recorder
        self.limits = limits
        self.compression = compression
    }

    /// Serves these models from now on.
    func use(_ loaded: Loaded) { state.withLock { $0 = loaded } }
    /// Makes `checkReady` throw from now on.
    func becomeUnready() { isDraining.store(true, ordering: .relaxed) }
    /// Sets the source of `connectionCount`.
    func countConnections(_ count: @escaping @Sendable () -> Int) { connections.withLock { $0 = count } }

    /// The number of open connections.
    var connectionCount: Int {
        let count = connections.withLock { $0 }
        return count()
    }

    /// The models and their engine; `nil` until they are loaded.
    var loadedIfReady: Loaded? { state.withLock { $0 } }

    /// Returns the models and their engine, or throws why there are none.
    func loaded() throws(APIError) -> Loaded {
        if let loaded = loadedIfReady { return loaded }
        if isDraining.load(ordering: .relaxed) { throw APIError(.draining) }
        throw APIError(
            503, "loading", "The models are being loaded; try again in 1 s.", headers: ["Retry-After": "1"])
    }

    /// Throws unless the server takes work.
    func checkReady() throws(APIError) {
        if isDraining.load(ordering: .relaxed) { throw APIError(.draining) }
        if try loaded().engine.status.draining { throw APIError(.draining) }
    }
}
