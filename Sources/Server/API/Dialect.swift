import HTTP

/// The conventions that the endpoints for one family of clients share. An object, so that each request copies one reference.
final class Dialect: Sendable {
    let name: String
    /// The rules for the members of a request's JSON objects.
    let fields: FieldRules
    /// Whether a JSON body is read without a Content-Type.
    let acceptsMissingContentType: Bool
    /// Whether a doubled slash at the beginning of a path and a single one at its end are ignored.
    let ignoresExtraSlashes: Bool
    /// The prefixes of paths whose errors are written in this dialect, also if no endpoint has such a path.
    let prefixes: [String]
    /// Writes the response to a refused request. It may change the status and add headers.
    let errorResponse: @Sendable (APIError) -> HTTPResponse

    init(
        name: String, fields: FieldRules, acceptsMissingContentType: Bool = false, ignoresExtraSlashes: Bool = false,
        prefixes: [String] = [], errorResponse: @escaping @Sendable (APIError) -> HTTPResponse
    ) {
        self.name = name
        self.fields = fields
        self.acceptsMissingContentType = acceptsMissingContentType
        self.ignoresExtraSlashes = ignoresExtraSlashes
        self.prefixes = prefixes
        self.errorResponse = errorResponse
    }
}
