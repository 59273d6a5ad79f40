/// The reason why bytes are not a request that this server takes. After one, no more of the connection is parsed.
struct HTTPParseError: Error, Equatable {
    var status: Int
    /// The stable name of the reason, in snake case.
    var code: String
    var message: String

    init(_ status: Int, _ code: String, _ message: String) {
        self.status = status
        self.code = code
        self.message = message
    }

    static func malformed(_ message: String) -> HTTPParseError { HTTPParseError(400, "malformed_request", message) }
    static func framing(_ message: String) -> HTTPParseError { HTTPParseError(400, "invalid_framing", message) }

    static let busy = HTTPParseError(
        503, "server_busy", "The server holds as many bytes of requests and answers as it may; try again later.")

    static func bodyTooLarge(_ limit: Int) -> HTTPParseError {
        HTTPParseError(413, "body_too_large", "The body is larger than the limit of \(limit) bytes.")
    }
}
