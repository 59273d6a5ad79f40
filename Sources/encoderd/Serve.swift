import ArgumentParser
import CSystem
import Foundation
import Glibc
import HTTP
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

    @OptionGroup(title: "Listening") var listening: ListenOptions
    @OptionGroup(title: "Limits of HTTP") var http: HTTPOptions
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
    @Option(help: ArgumentHelp("Tokens that are computed together.", valueName: "count"))
    var maxBatchTokens = QueueLimits().maxBatchTokens
    @Option(help: ArgumentHelp("Tokens that may wait; beyond that requests get 429.", valueName: "count"))
    var maxQueuedTokens = QueueLimits().maxQueuedTokens
    @Option(help: ArgumentHelp("Requests that may be in work or wait; beyond that they get 429.", valueName: "count"))
    var maxRequests = QueueLimits().maxRequests
    @Option(help: ArgumentHelp("Weights in one attention map.", valueName: "count"))
    var maxAttentionWeights = AttentionLimits().weights
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
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads takes 1 to 1024, not \(threads).")
        }
        try Check.counts([
            ("max-sequences", maxSequences), ("max-tokens", maxTokens), ("max-batch-tokens", maxBatchTokens),
            ("max-queued-tokens", maxQueuedTokens), ("max-requests", maxRequests),
            ("max-attention-weights", maxAttentionWeights),
        ])
        try Check.seconds([("drain-accept-seconds", drainAcceptSeconds), ("drain-seconds", drainSeconds)])
    }

    func run() throws {
        encoderd_return_memory()
        var logger = Logger(label: "encoderd", factory: StreamLogHandler.standardError(label:))
        logger.logLevel = logLevel
        let server: EncoderServer
        let wanted = try wantedModels()
        _ = try selectedKernels()
        var configuration = configuration
        if accessLog == .on, logLevel <= .info { configuration.accessLog = AccessLog(descriptor: STDERR_FILENO) }
        let descriptors = DescriptorLimit.raise(for: configuration.http)
        if !descriptors.isEnough {
            logger.warning(
                "\(configuration.http.maxConnections) connections want \(descriptors.wanted) descriptors, and \(descriptors.allowed) are allowed: raise that (ulimit -Hn, LimitNOFILE=), or lower --max-connections"
            )
        }
        do { server = try EncoderServer(configuration: configuration) } catch { throw CommandError("\(error)") }
        // Before listening, so that an early SIGTERM drains too.
        drainOnSignals(server, logger)
        reloadOnSIGHUP(server, logger)
        let names: [String]
        do { names = try server.start(listening.addresses()) } catch { throw CommandError("\(error)") }
        for name in names { logger.info("opened \(name), loading \(wanted.map(\.name).joined(separator: ", "))") }
        do {
            let threads = try server.serve(wanted.map { try load($0, logger) })
            for name in names { logger.info("listening on \(name), \(threads) worker threads") }
        } catch {
            server.stopListening()
            throw CommandError("\(error)")
        }
        dispatchMain()
    }

    private var configuration: ServerConfiguration {
        var c = ServerConfiguration()
        c.threads = threads
        c.http = http.limits
        c.tls = listening.tls
        c.keyFile = listening.apiKeyFile
        c.cors = listening.cors
        c.queue.maxBatchTokens = maxBatchTokens
        c.queue.maxQueuedTokens = maxQueuedTokens
        c.queue.maxRequests = maxRequests
        c.requests.maxSequences = maxSequences
        c.requests.maxTokens = maxTokens
        c.requests.maxBodyBytes = http.maxBodyBytes
        c.requests.maxInflateRatio = http.maxInflateRatio
        c.compression = compress
        c.attention.weights = maxAttentionWeights
        c.drainAcceptSeconds = drainAcceptSeconds
        c.drainDeadlineSeconds = drainSeconds
        return c
    }

    /// The models that are asked for, each under a name of its own.
    private func wantedModels() throws -> [ModelArgument] {
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
        var names: Set<String> = []
        for argument in wanted where !names.insert(argument.name).inserted {
            throw ValidationError("Two models are named '\(argument.name)'; name one NAME=\(argument.directory).")
        }
        return wanted
    }

    private func load(_ argument: ModelArgument, _ logger: Logger) throws -> Model {
        let start = ContinuousClock.now
        let model = try argument.load(precision)
        let d = model.description
        let milliseconds = start.duration(to: .now) / .milliseconds(1)
        logger.info(
            "\(d.family) '\(model.name)' from \(argument.directory): \(d.parameters) parameters, \(d.precision), \(d.instructionSet.rawValue) kernels, loaded in \(Int(milliseconds.rounded())) ms"
        )
        for note in d.notes { logger.notice("'\(model.name)': \(note)") }
        if !model.unusedTensors.isEmpty {
            logger.debug(
                "'\(model.name)' has no use for \(model.unusedTensors.count) tensors: \(model.unusedTensors.joined(separator: ", "))"
            )
        }
        return model
    }

    /// New certificates serve new connections, new keys new requests; what cannot be used leaves the old ones in place.
    private func reloadOnSIGHUP(_ server: EncoderServer, _ logger: Logger) {
        signal(SIGHUP, SIG_IGN)
        let source = DispatchSource.makeSignalSource(
            signal: SIGHUP, queue: DispatchQueue(label: "encoderd.reload"))
        source.setEventHandler {
            // A source keeps itself alive: nothing else lives while `dispatchMain`, which never returns, runs.
            _ = source
            do throws(HTTPServerError) {
                try server.reload()
                logger.info("SIGHUP: read again")
            } catch {
                logger.error("SIGHUP: nothing is changed: \(error)")
            }
        }
        source.activate()
    }

    /// The first signal drains and ends the process; a second one ends it at once. Neither waits for whoever reads the
    /// log: a pipe that nobody empties must not keep a server from ending.
    private func drainOnSignals(_ server: EncoderServer, _ logger: Logger) {
        let queue = DispatchQueue(label: "encoderd.signals")
        let workers = DispatchQueue(label: "encoderd.signals.workers")
        let log = DispatchQueue(label: "encoderd.signals.log")
        @Sendable func done() {
            end(0, after: log) {
                server.configuration.accessLog?.flush()
                logger.info("done")
            }
        }
        nonisolated(unsafe) var draining = false
        for (number, name) in [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT")] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler {
                _ = source
                if draining {
                    end(1, after: log) { logger.warning("\(name) again: ending at once") }
                }
                draining = true
                log.async { logger.info("\(name): finishing what was accepted") }
                server.drain {
                    // Nobody waits for an answer any more. A pass whose client has gone may still run, for long.
                    workers.async {
                        server.stop()
                        queue.async(execute: done)
                    }
                    queue.asyncAfter(deadline: .now() + Self.secondsForWorkers, execute: done)
                }
            }
            source.activate()
        }
    }

    private static let secondsForWorkers = 1.0

    /// Ends the process when the last lines are written, or cannot be in a second.
    private func end(_ code: Int32, after log: DispatchQueue, _ lines: @escaping @Sendable () -> Void) -> Never {
        let written = DispatchSemaphore(value: 0)
        log.async {
            lines()
            written.signal()
        }
        _ = written.wait(timeout: .now() + 1)
        // Not `exit`, which would wait for the lock of a standard error that is being written to.
        _exit(code)
    }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}
extension CompressionPolicy: ExpressibleByArgument {}

enum Switch: String, ExpressibleByArgument, CaseIterable { case on, off }
