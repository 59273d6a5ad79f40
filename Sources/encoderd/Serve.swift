import ArgumentParser
import Foundation
import Glibc
import KernelSelection
import Logging
import Models
import Server

/// The server.
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve models over HTTP until SIGTERM or SIGINT, which drain.",
        usage: """
            encoderd serve --model minilm=models/minilm --model g2p=models/g2p --port 8080
            ENCODERD_MODELS=/models encoderd serve --host 0.0.0.0
            """)

    @Option(help: ArgumentHelp("The address or name to listen on.", valueName: "address"))
    var host = "127.0.0.1"
    @Option(help: ArgumentHelp("The port to listen on; 0 takes a free one.", valueName: "number"))
    var port = 8080
    @Option(
        help: ArgumentHelp(
            "A model and its name; repeat it for more. Without a name it takes the folder's.",
            valueName: "[name=]directory"))
    var model: [String] = []
    @Option(
        help: ArgumentHelp("A folder whose folders are models, each served under its name.", valueName: "directory"))
    var models: String?
    @Option(help: precisionHelp)
    var precision: Precision?
    @Option(help: ArgumentHelp("Worker threads (default: one a processor).", valueName: "count"))
    var threads: Int?

    @Option(help: ArgumentHelp("Sequences in one request.", valueName: "count"))
    var maxSequences = RequestLimits().maxSequences
    @Option(help: ArgumentHelp("Tokens or steps in one request.", valueName: "count"))
    var maxTokens = RequestLimits().maxTokens
    @Option(help: ArgumentHelp("Bytes in one request's body.", valueName: "bytes"))
    var maxBodyBytes = HTTPLimits().maxBodyBytes
    @Option(help: ArgumentHelp("Tokens that are computed together.", valueName: "count"))
    var maxBatchTokens = QueueLimits().maxBatchTokens
    @Option(help: ArgumentHelp("Tokens that may wait; beyond that requests get 429.", valueName: "count"))
    var maxQueuedTokens = QueueLimits().maxQueuedTokens
    @Option(help: ArgumentHelp("Requests that may be in work or wait; beyond that they get 429.", valueName: "count"))
    var maxRequests = QueueLimits().maxRequests
    @Option(help: ArgumentHelp("Open connections; beyond that they get 503.", valueName: "count"))
    var maxConnections = HTTPLimits().maxConnections
    @Option(help: ArgumentHelp("Weights in one attention map.", valueName: "count"))
    var maxAttentionWeights = AttentionLimits().weights
    @Option(help: ArgumentHelp("How long a request's head may take to arrive.", valueName: "seconds"))
    var headSeconds = HTTPLimits().headSeconds
    @Option(help: ArgumentHelp("How long a connection may be idle between requests.", valueName: "seconds"))
    var keepAliveSeconds = HTTPLimits().keepAliveSeconds
    @Option(
        help: ArgumentHelp(
            "After SIGTERM, connections are still taken for so long while /ready says 503.", valueName: "seconds"))
    var drainAcceptSeconds = ServerConfiguration().drainAcceptSeconds
    @Option(help: ArgumentHelp("After SIGTERM, all work must be done in so long.", valueName: "seconds"))
    var drainSeconds = ServerConfiguration().drainDeadlineSeconds
    @Option(
        help: ArgumentHelp(
            "When answers are gzipped for clients that accept it: auto, where it takes little time next to the inference; always; never.",
            valueName: "when"))
    var compress = CompressionPolicy.auto
    @Option(help: ArgumentHelp("A line a request on standard error, at level info: on or off.", valueName: "switch"))
    var accessLog = Switch.on
    @Option(help: ArgumentHelp("trace, debug, info, notice, warning, error or critical.", valueName: "level"))
    var logLevel = Logger.Level.info

    func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("--port takes 0 to 65535, not \(port).") }
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads takes 1 to 1024, not \(threads).")
        }
        let counts = [
            ("max-sequences", maxSequences), ("max-tokens", maxTokens), ("max-body-bytes", maxBodyBytes),
            ("max-batch-tokens", maxBatchTokens), ("max-queued-tokens", maxQueuedTokens), ("max-requests", maxRequests),
            ("max-connections", maxConnections), ("max-attention-weights", maxAttentionWeights),
        ]
        for (name, count) in counts where !(1...1 << 40).contains(count) {
            throw ValidationError("--\(name) takes 1 or more, not \(count).")
        }
        let times = [
            ("head-seconds", headSeconds), ("keep-alive-seconds", keepAliveSeconds),
            ("drain-accept-seconds", drainAcceptSeconds), ("drain-seconds", drainSeconds),
        ]
        for (name, seconds) in times where !(0...86_400).contains(seconds) {
            throw ValidationError("--\(name) takes 0 to 86400, not \(seconds).")
        }
    }

    func run() throws {
        var logger = Logger(label: "encoderd", factory: StreamLogHandler.standardError(label:))
        logger.logLevel = logLevel
        let server: EncoderServer
        let loaded = try load(logger)
        var configuration = configuration
        if accessLog == .on { configuration.accessLog = AccessLog(logger) }
        do { server = try EncoderServer(models: loaded, configuration: configuration) } catch {
            throw CommandError("no worker thread could be started")
        }
        // Before listening, so that an early SIGTERM drains too.
        let signals = drainOnSignals(server, logger)
        let listening: Int
        do { listening = try server.start() } catch { throw CommandError("\(error)") }
        let shown = host.contains(":") ? "[\(host)]" : host
        logger.info("listening on http://\(shown):\(listening), \(server.engine.threads) worker threads")
        withExtendedLifetime(signals) { dispatchMain() }
    }

    private var configuration: ServerConfiguration {
        var c = ServerConfiguration()
        c.host = host
        c.port = port
        c.threads = threads
        c.http.maxBodyBytes = maxBodyBytes
        c.http.maxConnections = maxConnections
        c.http.headSeconds = headSeconds
        c.http.keepAliveSeconds = keepAliveSeconds
        c.queue.maxBatchTokens = maxBatchTokens
        c.queue.maxQueuedTokens = maxQueuedTokens
        c.queue.maxRequests = maxRequests
        c.requests.maxSequences = maxSequences
        c.requests.maxTokens = maxTokens
        c.requests.maxBodyBytes = maxBodyBytes
        c.compression = compress
        c.attention.weights = maxAttentionWeights
        c.drainAcceptSeconds = drainAcceptSeconds
        c.drainDeadlineSeconds = drainSeconds
        return c
    }

    private func load(_ logger: Logger) throws -> [Model] {
        var wanted: [ModelArgument] = []
        for argument in model {
            guard let parsed = ModelArgument(argument) else {
                throw ValidationError("--model takes NAME=DIRECTORY or DIRECTORY, not '\(argument)'.")
            }
            wanted.append(parsed)
        }
        if let models { wanted += try ModelArgument.all(in: models) }
        if wanted.isEmpty {
            throw ValidationError(
                models.map { "--models \($0) has no folder with a config.json in it." }
                    ?? "There is nothing to serve: give --model NAME=DIRECTORY, or --models DIRECTORY.")
        }
        var loaded: [Model] = []
        for argument in wanted {
            if loaded.contains(where: { $0.name == argument.name }) {
                throw ValidationError("Two models are named '\(argument.name)'; name one NAME=\(argument.directory).")
            }
            let start = ContinuousClock.now
            let model = try argument.load(precision)
            let d = model.description
            let milliseconds = start.duration(to: .now) / .milliseconds(1)
            logger.info(
                "\(d.family) '\(model.name)' from \(argument.directory): \(d.parameters) parameters, \(d.precision), \(d.instructionSet.rawValue) kernels, loaded in \(Int(milliseconds.rounded())) ms"
            )
            loaded.append(model)
        }
        return loaded
    }

    /// The first signal drains and ends the process; a second one ends it at once.
    private func drainOnSignals(_ server: EncoderServer, _ logger: Logger) -> [any DispatchSourceSignal] {
        let queue = DispatchQueue(label: "encoderd.signals")
        nonisolated(unsafe) var draining = false
        return [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT")].map { number, name in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler {
                if draining {
                    logger.warning("\(name) again: ending at once")
                    _exit(1)
                }
                draining = true
                logger.info("\(name): finishing what was accepted")
                server.drain {
                    // Workers are joined on this queue, not on the event loop that calls.
                    queue.async {
                        server.stop()
                        server.configuration.accessLog?.flush()
                        logger.info("done")
                        Glibc.exit(0)
                    }
                }
            }
            source.activate()
            return source
        }
    }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}
extension CompressionPolicy: ExpressibleByArgument {}

enum Switch: String, ExpressibleByArgument, CaseIterable { case on, off }
