import HTTP

/// The choices that the operator of a server makes.
public struct ServerConfiguration: Sendable {
    /// The number of worker threads; `nil` if there is one for each processor that this process may use.
    public var threads: Int?
    /// The limits on connections and HTTP messages.
    package var http = HTTPLimits()
    /// The certificate and key of TLS; `nil` if clients speak plain HTTP.
    package var tls: TLSFiles?
    /// The path of a file with one API key a line; `nil` if no key is needed.
    public var keyFile: String?
    /// The origins whose pages may read responses; `nil` if there are none.
    package var cors: CORSPolicy?
    /// The header field in which a trusted proxy names its client; `nil` if clients are told apart by key and connection.
    public var forwardedField: String?
    /// The shares of models in the time of the workers, by name; 1 for a model that is not named.
    public var modelWeights: [String: Double] = [:]
    /// The limits on waiting work and on batches.
    public var queue = QueueLimits()
    /// The limits on the size of one request.
    public var requests = RequestLimits()
    /// The limits on the size of an attention response.
    public var attention = AttentionLimits()
    /// The rule for which responses are compressed.
    public var compression = CompressionPolicy.auto
    /// The log that gets one line a request; `nil` if there is none.
    public var accessLog: AccessLog?
    /// The seconds after the order to drain in which connections are still accepted, so that load balancers notice.
    public var drainAcceptSeconds = 0.0
    /// The seconds after the order to drain in which all work must end.
    public var drainDeadlineSeconds = 25.0

    public init() {}
}
