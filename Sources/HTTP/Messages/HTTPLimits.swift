/// The limits of what clients may ask of a server: sizes in bytes, times in seconds. A limit that the operator may set has
/// the name of its command-line option: `maxBodyBytes` is `--max-body-bytes`.
package struct HTTPLimits: Sendable {
    // MARK: Times of one connection

    /// The time from the acceptance of the connection to the end of the TLS handshake.
    package var handshakeSeconds = 10.0
    /// The time from the acceptance of the connection, or the end of its handshake, to the first byte.
    package var firstByteSeconds = 10.0
    /// The time from the first byte of a head to its end; later bytes never extend it.
    package var headSeconds = 10.0
    /// The time between two reads of a body.
    package var bodyIdleSeconds = 10.0
    /// The least rate of a body, in bytes a second, counted after a grace period of `bodyIdleSeconds`. 0 allows any rate.
    package var minBodyRate = 1024.0
    /// The time between two writes that make progress.
    package var writeIdleSeconds = 30.0
    /// The time from a response to the first byte of the next request.
    package var keepAliveSeconds = 60.0
    /// The delay after which a client that has shut its write side during its request is asked if it still reads.
    package var probeSeconds = 0.2
    /// The time for which bytes are still read, and dropped, after a last response, so that a reset does not destroy it.
    package var lingerSeconds = 5.0
    /// The number of bytes that are dropped so at most.
    package var lingerBytes = 64 << 20
    /// The granularity of all times above.
    package var timerTickSeconds = 0.1

    // MARK: Sizes of one request

    /// The largest size in bytes of a request target.
    package var maxTargetBytes = 8192
    /// The largest head in bytes, of request line and header fields together.
    package var maxHeadBytes = 32 << 10
    /// The largest number of header fields.
    package var maxHeaders = 100
    /// The largest body in bytes, after its transfer coding is undone.
    package var maxBodyBytes = 32 << 20
    /// The largest size in bytes of all chunk extensions of a body together.
    package var maxChunkExtensionBytes = 4096
    /// The largest size in bytes of all trailer fields of a body together.
    package var maxTrailerBytes = 8192
    /// The number of bytes that are read ahead, of the next requests, while a request is being answered.
    package var maxReadAheadBytes = 16 << 10

    // MARK: All connections together

    /// The memory in bytes for request bodies that arrive and responses that leave. When it is used up, a request whose body
    /// or response is larger than `smallBytes` gets 503.
    package var maxBufferedBytes = 1 << 30
    /// The age from which a body or response is evicted, the oldest first, when `maxBufferedBytes` are used up. A body gets
    /// 503, a response is broken off.
    package var holdSeconds = 30.0
    /// The number of bytes that each connection may hold besides `maxBufferedBytes`.
    static let smallBytes = 16 << 10
    /// The largest number of open connections; a further one gets 503.
    package var maxConnections = 10_000
    /// The time without a request after which a new connection evicts another when all `maxConnections` are in use. To keep
    /// others out, a flood must bring `maxConnections` new connections or requests in every such period.
    package var newcomerSeconds = 1.0
    /// The number of connections that are refused with a response at a time; a further one is closed at once.
    static let maxRefusals = 256
    /// The pause in accepting when the process has no descriptors left.
    package var acceptPauseSeconds = 0.25
    /// The largest number of connections that wait for acceptance at each address (listen(2)).
    package var listenBacklog: Int32 = 4096

    package init() {}
}
