import Concurrency
import HTTP
import Models

/// A server of models over HTTP. It listens before it has models, so that a probe of /ready gets 503 `loading`.
public final class EncoderServer: Sendable {
    /// The choices that the operator made.
    public let configuration: ServerConfiguration
    private let metrics = Metrics()
    private let handler: APIHandler
    private let access: AccessHandler
    private let http: HTTPServer
    private let engine = Locked<InferenceEngine?>(nil)

    /// Makes a server that listens nowhere yet. Throws if its keys or TLS files cannot be used.
    package init(configuration: ServerConfiguration = ServerConfiguration()) throws(HTTPServerError) {
        handler = APIHandler(
            metrics: metrics, limits: configuration.requests, attentionLimits: configuration.attention,
            compression: configuration.compression, log: configuration.accessLog)
        access = AccessHandler(handler, cors: configuration.cors, forwardedField: configuration.forwardedField)
        http = HTTPServer(handler: access, limits: configuration.http)
        self.configuration = configuration
        handler.countConnections { [weak http] in http?.connectionCount ?? 0 }
        try reload()
    }

    /// Starts the workers and serves these models from now on. Must be called once.
    /// - Returns: The number of worker threads.
    @discardableResult
    package func serve(_ models: [Model]) throws(HTTPServerError) -> Int {
        let engine: InferenceEngine
        do throws(QueueError) {
            engine = try InferenceEngine(
                networks: models.map(\.network), threads: configuration.threads ?? AvailableProcessors.count,
                limits: configuration.queue, weights: models.map { configuration.modelWeights[$0.name] ?? 1 }
            ) { [metrics] model, sequences, tokens, time in
                metrics.countBatch(model: model, sequences: sequences, tokens: tokens, seconds: time.milliseconds / 1e3)
            }
        } catch {
            throw HTTPServerError(description: "no worker thread could be started")
        }
        self.engine.withLock { $0 = engine }
        handler.serve(models, engine: engine)
        return engine.threads
    }

    /// Listens on all addresses, or throws and listens on none.
    /// - Returns: The URLs of the addresses, such as `http://127.0.0.1:8080`.
    package func start(_ addresses: [HTTPAddress]) throws(HTTPServerError) -> [String] { try http.start(addresses) }

    /// Closes the listeners at once, for a server whose models cannot be loaded.
    public func stopListening() { http.stopListening() }

    /// Reads the configured keys and TLS files again. Nothing changes if one of them cannot be used.
    package func reload() throws(HTTPServerError) {
        var keys: APIKeys?
        if let file = configuration.keyFile { keys = try APIKeys(path: file) }
        if let tls = configuration.tls { try http.useTLS(tls) }
        if let keys { access.use(keys) }
    }

    /// Finishes the accepted requests, then calls `completion` on the server's event loop.
    public func drain(completion: @escaping @Sendable () -> Void) {
        handler.becomeUnready()
        http.drain(
            acceptSeconds: configuration.drainAcceptSeconds, deadlineSeconds: configuration.drainDeadlineSeconds
        ) { [engine] in
            engine.withLock { $0 }?.drain()
            completion()
        }
    }

    /// Ends the workers after draining. Must not be called on a worker.
    public func stop() { engine.withLock { $0 }?.stop() }
}
