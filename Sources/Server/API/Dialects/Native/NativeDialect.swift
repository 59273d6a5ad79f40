import HTTP
import JSON

extension Dialect {
    /// The project's own dialect: unknown fields are refused, errors are those of OpenAI's API.
    static let native = Dialect(name: "native", fields: .strict, errorResponse: nativeErrorResponse)

    /// Writes `{"error": {"message", "type", "param", "code"}}`.
    private static func nativeErrorResponse(_ error: APIError) -> HTTPResponse {
        var json = JSONWriter()
        json.object { json in
            json.key("error")
            json.object { json in
                json.key("message")
                json.string(error.message)
                json.key("type")
                json.string(nativeErrorType(error.status))
                json.key("param")
                if let param = error.param { json.string(param) } else { json.null() }
                json.key("code")
                json.string(error.code)
            }
        }
        var response = HTTPResponse.json(json.bytes, status: error.status)
        for (name, value) in error.headers.fields { response.headers.add(name, value) }
        return response
    }

    /// Returns the error object's `type`, as OpenAI's clients know it.
    private static func nativeErrorType(_ status: Int) -> String {
        switch status {
        case 401: "authentication_error"
        case 429: "rate_limit_error"
        case 500...: "server_error"
        default: "invalid_request_error"
        }
    }
}
