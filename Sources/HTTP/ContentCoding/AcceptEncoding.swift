/// The content codings that an Accept-Encoding field (RFC 9110, section 12.5.3) allows for a response.
package struct AcceptEncoding: Equatable {
    /// Whether gzip is allowed and not less preferred than no coding.
    package var gzip = false
    /// Whether no coding is allowed.
    package var identity = true

    /// - Parameter field: the value of the field; `nil` if the request has none.
    package init(_ field: String?) {
        guard let field else { return }
        var weights: [String: Double] = [:]
        for item in WeightedList(field).items where !item.name.isEmpty {
            // A weight that is not a number from 0 to 1 excludes the coding.
            weights[item.name == "x-gzip" ? "gzip" : item.name] = (0...1).contains(item.weight) ? item.weight : 0
        }
        let any = weights["*"]
        let gzipWeight = weights["gzip"] ?? any ?? 0
        let identityWeight = weights["identity"] ?? (any == 0 ? 0 : nil)
        gzip = gzipWeight > 0 && gzipWeight >= identityWeight ?? 0
        identity = identityWeight != 0
    }
}

extension HTTPRequest {
    /// The content codings that the Accept-Encoding fields allow for the response.
    package var acceptEncoding: AcceptEncoding { AcceptEncoding(headers.list("Accept-Encoding")) }
}
