import ArgumentParser
import CSystem
import Dispatch
import Glibc
import HTTP
import KernelSelection
import Logging
import Models
import Server

/// The models that the server loads.
struct ModelOptions: ParsableArguments {
    @Argument(
        help: ArgumentHelp("Models, as for --model.", valueName: "[name=]directory"),
        completion: Completions.namedDirectory)
    var directories: [String] = []
    @Option(
        help: ArgumentHelp(
            "A model and its name; may be repeated. The default name is that of the directory.",
            valueName: "[name=]directory"), completion: Completions.namedDirectory)
    var model: [String] = []
    @Option(
        help: ArgumentHelp(
            "A directory whose directories are models, each served under its name.", valueName: "directory"),
        completion: .directory)
    var models: String?
    @Option(help: precisionHelp)
    var precision: Precision?
    @Option(help: ArgumentHelp("Worker threads (default: one per processor).", valueName: "count"))
    var threads: Int?

    func validate() throws {
        try Check.threads(threads)
    }

    /// Returns the models to load, each under a name of its own.
    func wanted() throws -> [ModelArgument] {
        var wanted: [ModelArgument] = []
        for argument in directories + model {
            guard let parsed = ModelArgument(argument) else {
                throw misuse("--model takes NAME=DIRECTORY or DIRECTORY, not '\(argument)'.")
            }
            wanted.append(parsed)
        }
        if let models { wanted += try all(in: models) }
        if wanted.isEmpty {
            throw misuse("There is nothing to serve: give --model NAME=DIRECTORY, or --models DIRECTORY.")
        }
        var names: Set<String> = []
        for argument in wanted where !names.insert(argument.name).inserted {
            throw misuse("Two models are named '\(argument.name)'; name one NAME=\(argument.directory).")
        }
        return wanted
    }

    private func all(in folder: String) throws -> [ModelArgument] {
        if ModelArgument.isModel(folder) {
            throw misuse("--models \(folder): this is itself a model; give it to --model.")
        }
        guard let found = ModelArgument.all(in: folder) else {
            throw CommandError("\(folder): cannot be read; --models takes a folder whose folders are models")
        }
        if found.isEmpty, directories.isEmpty, model.isEmpty {
            throw misuse("--models \(folder) has no folder with a config.json in it.")
        }
        return found
    }

    private func misuse(_ message: String) -> UsageError { UsageError(message, Serve.self) }
}

/// The times within which the server ends.
struct ShutdownOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Time after SIGTERM during which connections are still accepted, while /ready answers 503.",
            valueName: "seconds"))
    var drainAcceptSeconds = ServerConfiguration().drainAcceptSeconds
    @Option(help: ArgumentHelp("Time allowed for finishing work after SIGTERM.", valueName: "seconds"))
    var drainSeconds = ServerConfiguration().drainDeadlineSeconds

    func validate() throws {
        try Check.seconds([("drain-accept-seconds", drainAcceptSeconds), ("drain-seconds", drainSeconds)])
    }
}

/// Serves models over HTTP.
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve models over HTTP. SIGTERM and SIGINT finish accepted requests and exit.",
        discussion: """
            Examples:

              encoderd serve models/minilm
              encoderd serve --model minilm=models/minilm --port 8080
              ENCODERD_MODELS=/models encoderd serve --host 0.0.0.0

            Every option that takes a value can also be set in the environment: ENCODERD_PORT sets --port. If the command \
            line names a model, the models of the environment are left out.
            """)

    @OptionGroup(title: "Models") var loading: ModelOptions
    @OptionGroup(title: "Listening") var listening: ListenOptions
    @OptionGroup(title: "TLS and access") var access: AccessOptions
    @OptionGroup(title: "Limits of one request") var requests: RequestOptions
    @OptionGroup(title: "Limits of the queue") var queue: QueueOptions
    @OptionGroup(title: "Limits of connections") var connections: ConnectionOptions
    @OptionGroup(title: "Shutdown") var shutdown: ShutdownOptions

    @Option(
        help: ArgumentHelp(
            "When responses are gzipped for clients that accept it: auto, if it is cheap compared with inference; always; never.",
            valueName: "when"))
    var compress = CompressionPolicy.auto
    @Option(
        help: ArgumentHelp(
            "One line per request on standard error, at level info: on or off.", valueName: "switch"))
    var accessLog = Switch.on
    @Option(help: ArgumentHelp("trace, debug, info, notice, warning, error or critical.", valueName: "level"))
    var logLevel = Logger.Level.info

    func run() throws {
        encoderd_return_memory()
        var logger = Logger(label: "encoderd") { _ in LineLogHandler() }
        logger.logLevel = logLevel
        let server: EncoderServer
        let wanted = try loading.wanted()
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
        do { names = try server.start(listening.addresses()) } catch { throw CommandError(Self.advised("\(error)")) }
        for name in names { logger.info("opened \(name), loading \(wanted.map(\.name).joined(separator: ", "))") }
        do {
            let threads = try server.serve(wanted.map { try load($0, logger) })
            for name in names { logger.info("listening on \(name), \(counted(threads, "worker thread"))") }
        } catch {
            server.stopListening()
            throw CommandError("\(error)")
        }
        dispatchMain()
    }

    private static func advised(_ message: String) -> String {
        message.contains(String(cString: strerror(EADDRINUSE)))
            ? message + "; choose another --port, or 0 for a free one" : message
    }

    private var configuration: ServerConfiguration {
        var c = ServerConfiguration()
        c.threads = loading.threads
        c.http = HTTPLimits(requests, connections)
        c.tls = access.tls
        c.keyFile = access.apiKeyFile
        c.cors = access.cors
        c.forwardedField = access.trustForwardedFor
        c.modelWeights = queue.weights
        c.queue.maxBatchTokens = queue.maxBatchTokens
        c.queue.maxQueuedTokens = queue.maxQueuedTokens
        c.queue.maxRequests = queue.maxRequests
        c.requests.maxSequences = requests.maxSequences
        c.requests.maxTokens = requests.maxTokens
        c.requests.maxBodyBytes = requests.maxBodyBytes
        c.requests.maxInflateRatio = requests.maxInflateRatio
        c.requests.maxCostSeconds = requests.maxRequestCost
        c.compression = compress
        c.attention.weights = requests.maxAttentionWeights
        c.drainAcceptSeconds = shutdown.drainAcceptSeconds
        c.drainDeadlineSeconds = shutdown.drainSeconds
        return c
    }

    private func load(_ argument: ModelArgument, _ logger: Logger) throws -> Model {
        let start = ContinuousClock.now
        let model = try argument.load(loading.precision)
        let d = model.description
        let milliseconds = start.duration(to: .now) / .milliseconds(1)
        logger.info(
            "\(d.architecture.family) '\(model.name)' from \(argument.directory): \(d.architecture.parameters) parameters, \(d.runtime.precision), \(d.runtime.instructionSet.rawValue) kernels, loaded in \(Int(milliseconds.rounded())) ms"
        )
        for note in d.notes { logger.notice("'\(model.name)': \(note)") }
        if !model.unusedTensors.isEmpty {
            logger.debug(
                "'\(model.name)' has no use for \(model.unusedTensors.count) tensors: \(model.unusedTensors.joined(separator: ", "))"
            )
        }
        return model
    }

    /// Reads certificates and keys again at SIGHUP, for new connections and requests. If they cannot be used, the old ones stay.
    private func reloadOnSIGHUP(_ server: EncoderServer, _ logger: Logger) {
        signal(SIGHUP, SIG_IGN)
        let source = DispatchSource.makeSignalSource(
            signal: SIGHUP, queue: DispatchQueue(label: "encoderd.reload"))
        source.setEventHandler {
            // The source refers to itself, since nothing else keeps it while `dispatchMain` runs.
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

    /// Drains and ends the process at the first signal, and ends it at once at the second. Neither waits for the reader of the
    /// log: a full pipe must not keep the server from ending.
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
                    // No client waits for a response now. The pass of a disconnected client may still run for long.
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

    /// Ends the process when the last lines are written, or after a second.
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
