import Diagnostics
import HTTP
import JSON

/// Why a request is refused, in the terms of the HTTP contract.
struct APIError: Error, Sendable, Equatable {
    var status: Int
    /// Stable, snake_case.
    var code: String
    /// The field at fault; nil: the request as a whole.
    var param: String?
    /// What was wrong and what would be right.
    var message: String
    var headers: HTTPHeaders = [:]

    /// Unicode scalars. Both may name what a client sent; messages do so by an `excerpt`, so that a long one is never made.
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
            self.init(
                429, "queue_full", "The queue is full; try again in \(seconds) s, or send less at once.",
                headers: ["Retry-After": String(seconds)])
        case .draining: self.init(503, "draining", "The server is shutting down; send the request to another one.")
        case .expired:
            self.init(
                504, "deadline_exceeded", param: "X-Request-Timeout-Ms",
                "The deadline passed before the work could start; allow more time, or send less at once.")
        case .cancelled: self.init(499, "cancelled", "The client went away.")
        case .noThreads: self.init(500, "internal_error", "The server has no worker threads.")
        }
    }

    /// The error object's `type`, as OpenAI's clients know it.
    var type: String {
        switch status {
        case 401: "authentication_error"
        case 429: "rate_limit_error"
        case 500...: "server_error"
        default: "invalid_request_error"
        }
    }

    var response: HTTPResponse {
        var json = JSONWriter()
        json.object { json in
            json.key("error")
            json.object { json in
                json.key("message")
                json.string(message)
                json.key("type")
                json.string(type)
                json.key("param")
                if let param { json.string(param) } else { json.null() }
                json.key("code")
                json.string(code)
            }
        }
        var headers: HTTPHeaders = ["Content-Type": "application/json"]
        for (name, value) in self.headers.fields { headers.add(name, value) }
        return HTTPResponse(status: status, headers: headers, body: [ArraySegment(json.bytes)])
    }
}
