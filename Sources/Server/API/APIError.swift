import Diagnostics
import HTTP
import JSON

/// The reason why a request is refused. Each dialect writes it in its own form.
package struct APIError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The HTTP status code.
    var status: Int
    /// A stable name of the reason, in snake_case.
    var code: String
    /// The field at fault; `nil` if the request as a whole is.
    var param: String?
    /// A sentence that says what is wrong and what would be right.
    package var message: String
    /// The headers that the response needs, such as `Allow`.
    var headers: HTTPHeaders = [:]

    package var description: String { message }

    /// The most Unicode scalars of `param` and `message`. Messages quote clients by `excerpt`, so that a long one is never made.
    private static let longestParam = 200
    private static let longestMessage = 2000

    init(_ status: Int, _ code: String, param: String? = nil, _ message: String, headers: HTTPHeaders = [:]) {
        self.status = status
        self.code = code
        self.param = param?.excerpt(APIError.longestParam)
        self.message = message.excerpt(APIError.longestMessage)
        self.headers = headers
    }

    static func type(_ param: String, _ expected: String, found value: JSONValue) -> APIError {
        APIError(400, "invalid_type", param: param, "'\(param.excerpt())' must be \(expected), not \(value.kind).")
    }

    static func value(_ param: String, _ message: String) -> APIError {
        APIError(400, "invalid_value", param: param, message)
    }

    init(_ error: QueueError) {
        switch error {
        case .full(let seconds):
            let wholeSeconds = Int(seconds.rounded(.up))
            self.init(
                429, "queue_full", "The queue is full; try again in \(wholeSeconds) s, or send less at once.",
                headers: [
                    "Retry-After": String(wholeSeconds), "retry-after-ms": String(Int((seconds * 1e3).rounded(.up))),
                ])
        case .draining: self.init(503, "draining", "The server is shutting down; send the request to another one.")
        case .expired:
            self.init(
                504, "deadline_exceeded", param: "X-Request-Timeout-Ms",
                "The deadline passed before the work was done; allow more time, or send less at once.")
        case .cancelled: self.init(499, "cancelled", "The client went away.")
        case .noThreads: self.init(500, "internal_error", "The server has no worker threads.")
        }
    }
}
