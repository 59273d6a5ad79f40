import ArgumentParser
import HTTP
import Server

/// What one client may ask of the server.
struct HTTPOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Bytes in one request's body.", valueName: "bytes"))
    var maxBodyBytes = HTTPLimits().maxBodyBytes
    @Option(help: ArgumentHelp("Bytes that a compressed body may become for each of its own.", valueName: "count"))
    var maxInflateRatio = RequestLimits().maxInflateRatio
    @Option(help: ArgumentHelp("Bytes in a request's line and headers.", valueName: "bytes"))
    var maxHeadBytes = HTTPLimits().maxHeadBytes
    @Option(help: ArgumentHelp("Bytes in a request's target.", valueName: "bytes"))
    var maxTargetBytes = HTTPLimits().maxTargetBytes
    @Option(help: ArgumentHelp("Headers in one request.", valueName: "count"))
    var maxHeaders = HTTPLimits().maxHeaderFields
    @Option(help: ArgumentHelp("Bytes in the extensions of a body's chunks.", valueName: "bytes"))
    var maxChunkExtensionBytes = HTTPLimits().maxChunkExtensionBytes
    @Option(help: ArgumentHelp("Bytes in the trailers behind a body's chunks.", valueName: "bytes"))
    var maxTrailerBytes = HTTPLimits().maxTrailerBytes
    @Option(help: ArgumentHelp("Open connections; beyond that they get 503.", valueName: "count"))
    var maxConnections = HTTPLimits().maxConnections
    @Option(
        help: ArgumentHelp(
            "How long a connection may go without a request, its first or the next, before it loses its place to a new one, when all are taken.",
            valueName: "seconds"))
    var newcomerSeconds = HTTPLimits().newcomerSeconds
    @Option(
        help: ArgumentHelp(
            "Bytes of requests and answers on their way, over all connections; beyond that large ones get 503.",
            valueName: "bytes"))
    var maxBufferedBytes = HTTPLimits().maxBufferedBytes
    @Option(
        help: ArgumentHelp(
            "How long a body or an answer may be under way before it gives way to others, when --max-buffered-bytes are held.",
            valueName: "seconds"))
    var holdSeconds = HTTPLimits().holdSeconds
    @Option(help: ArgumentHelp("How long a TLS handshake may take.", valueName: "seconds"))
    var handshakeSeconds = HTTPLimits().handshakeSeconds
    @Option(help: ArgumentHelp("How long a new connection may wait with its first byte.", valueName: "seconds"))
    var firstByteSeconds = HTTPLimits().firstByteSeconds
    @Option(help: ArgumentHelp("How long a request's head may take to arrive.", valueName: "seconds"))
    var headSeconds = HTTPLimits().headSeconds
    @Option(help: ArgumentHelp("How long a body may pause.", valueName: "seconds"))
    var bodyIdleSeconds = HTTPLimits().bodyIdleSeconds
    @Option(
        help: ArgumentHelp(
            "The rate at which a body must arrive after its first --body-idle-seconds; 0: any.",
            valueName: "bytes/second"))
    var minBodyRate = HTTPLimits().minimumBodyRate
    @Option(help: ArgumentHelp("How long a client may pause reading its answer.", valueName: "seconds"))
    var writeIdleSeconds = HTTPLimits().writeIdleSeconds
    @Option(help: ArgumentHelp("How long a connection may be idle between requests.", valueName: "seconds"))
    var keepAliveSeconds = HTTPLimits().keepAliveSeconds
    @Option(
        help: ArgumentHelp("How long a client is still listened to after its last answer.", valueName: "seconds"))
    var lingerSeconds = HTTPLimits().lingerSeconds

    var limits: HTTPLimits {
        var l = HTTPLimits()
        l.maxBodyBytes = maxBodyBytes
        l.maxHeadBytes = maxHeadBytes
        l.maxTargetBytes = maxTargetBytes
        l.maxHeaderFields = maxHeaders
        l.maxChunkExtensionBytes = maxChunkExtensionBytes
        l.maxTrailerBytes = maxTrailerBytes
        l.maxConnections = maxConnections
        l.newcomerSeconds = newcomerSeconds
        l.maxBufferedBytes = maxBufferedBytes
        l.holdSeconds = holdSeconds
        l.handshakeSeconds = handshakeSeconds
        l.firstByteSeconds = firstByteSeconds
        l.headSeconds = headSeconds
        l.bodyIdleSeconds = bodyIdleSeconds
        l.minimumBodyRate = minBodyRate
        l.writeIdleSeconds = writeIdleSeconds
        l.keepAliveSeconds = keepAliveSeconds
        l.lingerSeconds = lingerSeconds
        return l
    }

    func validate() throws {
        try Check.counts([
            ("max-body-bytes", maxBodyBytes), ("max-head-bytes", maxHeadBytes), ("max-target-bytes", maxTargetBytes),
            ("max-headers", maxHeaders), ("max-connections", maxConnections), ("max-buffered-bytes", maxBufferedBytes),
            ("max-inflate-ratio", maxInflateRatio), ("max-chunk-extension-bytes", maxChunkExtensionBytes),
            ("max-trailer-bytes", maxTrailerBytes),
        ])
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

/// Bounds of options, said in one way.
enum Check {
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
