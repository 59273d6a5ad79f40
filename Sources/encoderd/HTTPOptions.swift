import ArgumentParser
import HTTP
import Server

/// The limits of one request.
struct RequestOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Sequences in one request.", valueName: "count"))
    var maxSequences = RequestLimits().maxSequences
    @Option(help: ArgumentHelp("Tokens or steps in one request.", valueName: "count"))
    var maxTokens = RequestLimits().maxTokens
    @Option(help: ArgumentHelp("Weights in one attention map.", valueName: "count"))
    var maxAttentionWeights = AttentionLimits().weights
    @Option(
        help: ArgumentHelp(
            "Estimated time of the weight maps of one request, in seconds of one core.", valueName: "seconds"))
    var maxRequestCost = RequestLimits().maxCostSeconds
    @Option(help: ArgumentHelp("Bytes in the body of a request, after decompression.", valueName: "bytes"))
    var maxBodyBytes = HTTPLimits().maxBodyBytes
    @Option(
        help: ArgumentHelp("Ratio of a body's bytes after decompression to those received.", valueName: "count"))
    var maxInflateRatio = RequestLimits().maxInflateRatio
    @Option(help: ArgumentHelp("Bytes in the request line and the headers.", valueName: "bytes"))
    var maxHeadBytes = HTTPLimits().maxHeadBytes
    @Option(help: ArgumentHelp("Bytes in the request target.", valueName: "bytes"))
    var maxTargetBytes = HTTPLimits().maxTargetBytes
    @Option(help: ArgumentHelp("Headers in one request.", valueName: "count"))
    var maxHeaders = HTTPLimits().maxHeaders
    @Option(help: ArgumentHelp("Bytes in the chunk extensions of a body.", valueName: "bytes"))
    var maxChunkExtensionBytes = HTTPLimits().maxChunkExtensionBytes
    @Option(help: ArgumentHelp("Bytes in the trailers of a body.", valueName: "bytes"))
    var maxTrailerBytes = HTTPLimits().maxTrailerBytes

    func validate() throws {
        try Check.counts([
            ("max-sequences", maxSequences), ("max-tokens", maxTokens),
            ("max-attention-weights", maxAttentionWeights), ("max-body-bytes", maxBodyBytes),
            ("max-inflate-ratio", maxInflateRatio), ("max-head-bytes", maxHeadBytes),
            ("max-target-bytes", maxTargetBytes), ("max-headers", maxHeaders),
            ("max-chunk-extension-bytes", maxChunkExtensionBytes), ("max-trailer-bytes", maxTrailerBytes),
        ])
        try Check.seconds([("max-request-cost", maxRequestCost)])
    }
}

/// The limits of the queue.
struct QueueOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Tokens in one batch.", valueName: "count"))
    var maxBatchTokens = QueueLimits().maxBatchTokens
    @Option(help: ArgumentHelp("Tokens in the queue; further requests get 429.", valueName: "count"))
    var maxQueuedTokens = QueueLimits().maxQueuedTokens
    @Option(help: ArgumentHelp("Requests in progress or in the queue; further ones get 429.", valueName: "count"))
    var maxRequests = QueueLimits().maxRequests
    @Option(
        help: ArgumentHelp(
            "Share of a model in the time of the workers, as NAME=WEIGHT (1 if not given); may be repeated.",
            valueName: "share"))
    var modelWeight: [String] = []

    /// The weights of models by name.
    var weights: [String: Double] {
        Dictionary(modelWeight.compactMap(Self.weight), uniquingKeysWith: { $1 })
    }

    private static func weight(_ text: String) -> (String, Double)? {
        guard let equals = text.lastIndex(of: "="), equals != text.startIndex,
            let weight = Double(text[text.index(after: equals)...]), (0.001...1000).contains(weight)
        else { return nil }
        return (String(text[..<equals]), weight)
    }

    func validate() throws {
        for text in modelWeight where Self.weight(text) == nil {
            throw ValidationError("--model-weight takes NAME=WEIGHT with a weight of 0.001 to 1000, not '\(text)'.")
        }
        try Check.counts([
            ("max-batch-tokens", maxBatchTokens), ("max-queued-tokens", maxQueuedTokens), ("max-requests", maxRequests),
        ])
    }
}

/// The limits on the number of connections and on their times.
struct ConnectionOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Open connections; further ones get 503.", valueName: "count"))
    var maxConnections = HTTPLimits().maxConnections
    @Option(
        help: ArgumentHelp(
            "When all connections are in use, a new one replaces the oldest that has sent no request for this long.",
            valueName: "seconds"))
    var newcomerSeconds = HTTPLimits().newcomerSeconds
    @Option(
        help: ArgumentHelp(
            "Bytes of requests and responses in progress, over all connections; large ones beyond that get 503.",
            valueName: "bytes"))
    var maxBufferedBytes = HTTPLimits().maxBufferedBytes
    @Option(
        help: ArgumentHelp(
            "When --max-buffered-bytes are in use, bodies and responses in progress for this long make room for others.",
            valueName: "seconds"))
    var holdSeconds = HTTPLimits().holdSeconds
    @Option(help: ArgumentHelp("Time allowed for a TLS handshake.", valueName: "seconds"))
    var handshakeSeconds = HTTPLimits().handshakeSeconds
    @Option(help: ArgumentHelp("Time allowed before the first byte of a new connection.", valueName: "seconds"))
    var firstByteSeconds = HTTPLimits().firstByteSeconds
    @Option(help: ArgumentHelp("Time allowed for the request line and the headers.", valueName: "seconds"))
    var headSeconds = HTTPLimits().headSeconds
    @Option(help: ArgumentHelp("Longest pause within a body.", valueName: "seconds"))
    var bodyIdleSeconds = HTTPLimits().bodyIdleSeconds
    @Option(
        help: ArgumentHelp(
            "Lowest rate of a body after its first --body-idle-seconds; 0: any.", valueName: "bytes/second"))
    var minBodyRate = HTTPLimits().minBodyRate
    @Option(
        help: ArgumentHelp("Longest pause of a client while it reads its response.", valueName: "seconds"))
    var writeIdleSeconds = HTTPLimits().writeIdleSeconds
    @Option(help: ArgumentHelp("Longest pause between two requests of a connection.", valueName: "seconds"))
    var keepAliveSeconds = HTTPLimits().keepAliveSeconds
    @Option(
        help: ArgumentHelp(
            "Time after the last response during which what the client still sends is read and dropped.",
            valueName: "seconds"))
    var lingerSeconds = HTTPLimits().lingerSeconds

    func validate() throws {
        try Check.counts([("max-connections", maxConnections), ("max-buffered-bytes", maxBufferedBytes)])
        try Check.seconds([
            ("newcomer-seconds", newcomerSeconds), ("handshake-seconds", handshakeSeconds),
            ("hold-seconds", holdSeconds), ("first-byte-seconds", firstByteSeconds), ("head-seconds", headSeconds),
            ("body-idle-seconds", bodyIdleSeconds),
            ("write-idle-seconds", writeIdleSeconds), ("keep-alive-seconds", keepAliveSeconds),
            ("linger-seconds", lingerSeconds),
        ])
        guard (0...1e12).contains(minBodyRate) else {
            throw ValidationError("--min-body-rate takes 0 or more, not \(minBodyRate).")
        }
    }
}

extension HTTPLimits {
    init(_ requests: RequestOptions, _ connections: ConnectionOptions) {
        self.init()
        maxBodyBytes = requests.maxBodyBytes
        maxHeadBytes = requests.maxHeadBytes
        maxTargetBytes = requests.maxTargetBytes
        maxHeaders = requests.maxHeaders
        maxChunkExtensionBytes = requests.maxChunkExtensionBytes
        maxTrailerBytes = requests.maxTrailerBytes
        maxConnections = connections.maxConnections
        newcomerSeconds = connections.newcomerSeconds
        maxBufferedBytes = connections.maxBufferedBytes
        holdSeconds = connections.holdSeconds
        handshakeSeconds = connections.handshakeSeconds
        firstByteSeconds = connections.firstByteSeconds
        headSeconds = connections.headSeconds
        bodyIdleSeconds = connections.bodyIdleSeconds
        minBodyRate = connections.minBodyRate
        writeIdleSeconds = connections.writeIdleSeconds
        keepAliveSeconds = connections.keepAliveSeconds
        lingerSeconds = connections.lingerSeconds
    }
}

/// Bounds of options.
enum Check {
    static func threads(_ count: Int?) throws {
        guard let count, !(1...1024).contains(count) else { return }
        throw ValidationError("--threads takes 1 to 1024, not \(count).")
    }

    static func counts(_ options: [(name: String, value: Int)]) throws {
        for (name, count) in options where !(1...1 << 40).contains(count) {
            throw ValidationError("--\(name) takes 1 or more, not \(count).")
        }
    }

    static func seconds(_ options: [(name: String, value: Double)]) throws {
        for (name, seconds) in options where !(0...86_400).contains(seconds) {
            throw ValidationError("--\(name) takes 0 to 86400, not \(seconds).")
        }
    }
}
