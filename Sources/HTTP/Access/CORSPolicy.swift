/// The pages of other origins that may read responses (the CORS protocol of the Fetch standard,
/// https://fetch.spec.whatwg.org/#http-cors-protocol). Cookies are never used, so `*` is harmless.
package struct CORSPolicy: Sendable, Equatable {
    private var any: Bool
    private var origins: Set<String>

    /// Fails if an origin is not valid.
    /// - Parameter origins: each `scheme://host[:port]`, or `*` for all.
    package init?(_ origins: [String]) {
        any = origins.contains("*")
        self.origins = Set(origins)
        for origin in origins where origin != "*" {
            guard let range = origin.firstRange(of: "://"), range.lowerBound > origin.startIndex,
                range.upperBound < origin.endIndex, !origin[range.upperBound...].contains("/"),
                origin.utf8.allSatisfy({ 0x21...0x7E ~= $0 })
            else { return nil }
        }
    }

    /// Whether a request is a preflight, with which a browser asks if it may send another, from an allowed origin.
    func isPreflight(_ request: HTTPRequest) -> Bool {
        request.method == "OPTIONS" && request.headers["Access-Control-Request-Method"] != nil
            && request.headers["Origin"].map(allows) == true
    }

    private func allows(_ origin: String) -> Bool { any || origins.contains(origin) }

    /// The response to a preflight.
    func preflight(_ request: HTTPRequest) -> HTTPResponse {
        let headers: HTTPHeaders = [
            "Access-Control-Allow-Methods": "GET, HEAD, POST, OPTIONS",
            "Access-Control-Allow-Headers": "Authorization, Content-Type, X-Request-Id, X-Request-Timeout-Ms",
            "Access-Control-Max-Age": "600",
        ]
        return adding(to: HTTPResponse(status: 204, headers: headers), for: request)
    }

    /// Returns the response with the headers that let the page which sent the request read it, if it may.
    func adding(to response: HTTPResponse, for request: HTTPRequest) -> HTTPResponse {
        var response = response
        if !any { response.headers.add("Vary", "Origin") }
        guard let origin = request.headers["Origin"], allows(origin) else { return response }
        response.headers.add("Access-Control-Allow-Origin", any ? "*" : origin)
        response.headers.add(
            "Access-Control-Expose-Headers", "X-Request-Id, Server-Timing, Retry-After, retry-after-ms")
        return response
    }
}
