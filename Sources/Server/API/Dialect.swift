import HTTP

/// The conventions that the endpoints for one family of clients share.
struct Dialect: Sendable {
    let name: String
    /// The rules for the members of a request's JSON objects.
    let fields: FieldRules
    /// Whether a JSON body is read without a Content-Type.
    var acceptsMissingContentType = false
    /// Whether a doubled slash at the beginning of a path and a single one at its end are ignored.
    var ignoresExtraSlashes = false
    /// The prefixes of paths whose errors are written in this dialect, also if no endpoint has such a path.
    var prefixes: [String] = []
    /// Writes the response to a refused request. It may change the status and add headers.
    let errorResponse: @Sendable (APIError) -> HTTPResponse
}
