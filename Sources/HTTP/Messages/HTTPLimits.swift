/// What one client may ask of the server: sizes in bytes, times in seconds.
package struct HTTPLimits: Sendable {
    /// From the connection's acceptance to the end of a TLS handshake.
    package var handshakeSeconds = 10.0
    /// From the connection's acceptance, or the end of its handshake, to its first byte.
    package var firstByteSeconds = 10.0
    /// From the first byte of a head to its end; later bytes never extend it.
    package var headSeconds = 10.0
    /// Between two reads of a body.
    package var bodyIdleSeconds = 10.0
    /// A body must arrive at this rate, in bytes a second, counted after a grace of `bodyIdleSeconds`.
    package var minimumBodyRate = 1024.0
    /// Between two writes that make progress.
    package var writeIdleSeconds = 30.0
    /// Between an answer and the next request's first byte.
    package var keepAliveSeconds = 60.0
    /// A client that shuts its side while its request is being answered is asked so much later whether it is still there.
    package var probeSeconds = 0.2
    /// How long bytes are still read, and dropped, after a last answer, so that a reset does not destroy it.
    package var lingerSeconds = 5.0
    package var lingerBytes = 64 << 20
    /// The granularity of all of the above.
    package var timerTickSeconds = 0.1

    package var maxTargetBytes = 8192
    /// Request line and header fields together.
    package var maxHeadBytes = 32 << 10
    package var maxHeaderFields = 100
    /// After decoding of the transfer coding.
    package var maxBodyBytes = 32 << 20
    /// All chunk extensions of a body together.
    package var maxChunkExtensionBytes = 4096
    /// All trailer fields of a body together.
    package var maxTrailerBytes = 8192

    /// What all clients together make the server hold: bodies on their way in, answers on their way out. Beyond that
    /// requests whose body or answer is not small are answered with 503.
    package var maxBufferedBytes = 1 << 30
    /// Before that, bodies and answers that have been under way for so long give way, the oldest first: a body gets 503, an
    /// answer is broken off.
    package var holdSeconds = 30.0
    /// Each connection may hold so many bytes beside the sum.
    static let smallBytes = 16 << 10
    /// Further connections are answered with 503.
    package var maxConnections = 10_000
    /// In a full house a new connection takes the place of one that has had so long and not asked for anything yet, or else
    /// of one that has been idle so long: a flood has to bring `maxConnections` more, or as many requests, in this time,
    /// again and again, to keep others out.
    package var newcomerSeconds = 1.0
    /// How many may be refused with an answer at a time; past those, new ones are closed without a word.
    static let maxRefusals = 256
    /// What is read of the next requests while an answer is outstanding.
    package var maxReadAheadBytes = 16 << 10
    /// How long accepting stops when descriptors run out.
    package var acceptPauseSeconds = 0.25
    package var listenBacklog: Int32 = 4096

    package init() {}
}
