import Models

/// Everything about a server that its operator may choose.
public struct ServerConfiguration: Sendable {
    public var host = "127.0.0.1"
    /// 0 takes a free one.
    public var port = 8080
    /// Worker threads; nil: one a processor this process may use.
    public var threads: Int?
    public var http = HTTPLimits()
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

/// The server: models behind HTTP.
public final class EncoderServer: Sendable {
    public let configuration: ServerConfiguration
    public let engine: InferenceEngine
    public let handler: APIHandler
    private let http: HTTPServer

    public init(models: [Model], configuration: ServerConfiguration = ServerConfiguration()) throws(QueueError) {
        let metrics = Metrics(models: models.count)
        let engine = try InferenceEngine(
            networks: models.map(\.network), threads: configuration.threads ?? Processors.usable,
            limits: configuration.queue
        ) { model, sequences, tokens, time in
            metrics.countBatch(model: model, sequences: sequences, tokens: tokens, seconds: time.milliseconds / 1e3)
        }
        let handler = APIHandler(
            models: models, engine: engine, metrics: metrics, limits: configuration.requests,
            attentionLimits: configuration.attention, compression: configuration.compression,
            log: configuration.accessLog)
        let http = HTTPServer(handler: handler, limits: configuration.http)
        handler.countConnections { [weak http] in http?.connectionCount ?? 0 }
        self.configuration = configuration
        self.engine = engine
        self.handler = handler
        self.http = http
    }

    /// - Returns: the port that is listened on.
    public func start() throws(HTTPServerError) -> Int {
        try http.start(host: configuration.host, port: configuration.port)
    }

    /// Ends in good order; `completion` is called once nothing is left, on the server's event loop.
    public func drain(completion: @escaping @Sendable () -> Void) {
        handler.becomeUnready()
        http.drain(
            acceptSeconds: configuration.drainAcceptSeconds, deadlineSeconds: configuration.drainDeadlineSeconds
        ) { [engine] in
            engine.drain()
            completion()
        }
    }

    /// Ends the workers; for after draining. Not to be called on one of them.
    public func stop() { engine.stop() }
}
