import Concurrency
import HTTP
import Models

/// Everything about a server that its operator may choose.
public struct ServerConfiguration: Sendable {
    public var host = "127.0.0.1"
    /// 0 takes a free one.
    public var port = 8080
    /// Worker threads; nil: one a processor this process may use.
    public var threads: Int?
    package var http = HTTPLimits()
    /// nil: clients are spoken with in the clear.
    package var tls: TLSFiles?
    /// A file with a key a line; nil: no key is needed.
    public var keyFile: String?
    /// nil: pages of other origins may read nothing.
    package var cors: CORSPolicy?
    public var queue = QueueLimits()
    public var requests = RequestLimits()
    public var attention = AttentionLimits()
    public var compression = CompressionPolicy.auto
    /// Tells of every request.
    public var accessLog: AccessLog?
    /// After the order to drain, connections are still taken for so long, so that load balancers notice.
    public var drainAcceptSeconds = 0.0
    /// Then, counted from the order, all work must be done.
    public var drainDeadlineSeconds = 25.0

    public init() {}
}

/// The server: models behind HTTP. It listens before there are models, so that a probe of /ready is told that they are
/// being loaded.
public final class EncoderServer: Sendable {
    public let configuration: ServerConfiguration
    private let metrics = Metrics()
    private let handler: APIHandler
    private let access: AccessHandler
    private let http: HTTPServer
    private let engine = Locked<InferenceEngine?>(nil)

    package init(configuration: ServerConfiguration = ServerConfiguration()) throws(HTTPServerError) {
        handler = APIHandler(
            metrics: metrics, limits: configuration.requests, attentionLimits: configuration.attention,
            compression: configuration.compression, log: configuration.accessLog)
        access = AccessHandler(handler, cors: configuration.cors)
        http = HTTPServer(handler: access, limits: configuration.http)
        self.configuration = configuration
        handler.countConnections { [weak http] in http?.connectionCount ?? 0 }
        try reload()
    }

    /// Answers for these models from now on. To be called once.
    /// - Returns: the number of worker threads.
    @discardableResult
    package func serve(_ models: [Model]) throws(HTTPServerError) -> Int {
        let engine: InferenceEngine
        do throws(QueueError) {
            engine = try InferenceEngine(
                networks: models.map(\.network), threads: configuration.threads ?? AvailableProcessors.count,
                limits: configuration.queue
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

    /// Listens on the configured host and port.
    /// - Returns: the port that is listened on.
    package func start() throws(HTTPServerError) -> Int {
        try http.start(host: configuration.host, port: configuration.port)
    }

    /// - Returns: what clients call the addresses, such as `http://127.0.0.1:8080`.
    package func start(_ addresses: [HTTPAddress]) throws(HTTPServerError) -> [String] { try http.start(addresses) }

    /// Takes no more clients, at once; for a server whose models cannot be loaded.
    public func stopListening() { http.stopListening() }

    /// Reads the configured keys and files of TLS again; when one cannot be used, nothing changes.
    package func reload() throws(HTTPServerError) {
        var keys: APIKeys?
        if let file = configuration.keyFile { keys = try APIKeys(path: file) }
        if let tls = configuration.tls { try http.useTLS(tls) }
        if let keys { access.use(keys) }
    }

    /// Ends in good order; `completion` is called once nothing is left, on the server's event loop.
    public func drain(completion: @escaping @Sendable () -> Void) {
        handler.becomeUnready()
        http.drain(
            acceptSeconds: configuration.drainAcceptSeconds, deadlineSeconds: configuration.drainDeadlineSeconds
        ) { [engine] in
            engine.withLock { $0 }?.drain()
            completion()
        }
    }

    /// Ends the workers; for after draining. Not to be called on one of them.
    public func stop() { engine.withLock { $0 }?.stop() }
}
