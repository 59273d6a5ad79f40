import HTTP

/// A response that never changes, compressed once.
struct StaticContent: Sendable {
    private let type: String
    private let plain: [UInt8]
    /// The compressed text; `nil` if memory was short.
    private let gzip: [UInt8]?

    init(_ bytes: [UInt8], _ type: String) {
        self.type = type
        plain = bytes
        gzip = GzipEncoder.encode(plain)
    }

    func response(to context: RequestContext) -> HTTPResponse {
        var response = HTTPResponse(status: 200, headers: ["Content-Type": type])
        if context.service.compression != .never {
            response.headers.add("Vary", "Accept-Encoding")
            if let gzip, context.request.acceptEncoding.gzip {
                response.headers.add("Content-Encoding", "gzip")
                response.body = [ArraySegment(gzip)]
                return response
            }
        }
        response.body = [ArraySegment(plain)]
        return response
    }
}
