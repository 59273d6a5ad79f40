import Concurrency
import HTTP

/// A response that never changes, compressed once, when a client first accepts that.
struct StaticContent: Sendable {
    private let type: String
    private let plain: [UInt8]
    /// The compressed text; `nil` until it is made, or if memory was short.
    private let gzip = Locked<[UInt8]?>(nil)

    init(_ bytes: [UInt8], _ type: String) {
        self.type = type
        plain = bytes
    }

    private func compressed() -> [UInt8]? {
        gzip.withLock { gzip in
            if gzip == nil { gzip = GzipEncoder.encode(plain) }
            return gzip
        }
    }

    func response(to context: RequestContext) -> HTTPResponse {
        var response = HTTPResponse(status: 200, headers: ["Content-Type": type])
        if context.service.compression != .never {
            response.headers.add("Vary", "Accept-Encoding")
            if context.request.acceptEncoding.gzip, let gzip = compressed() {
                response.headers.add("Content-Encoding", "gzip")
                response.body = [ArraySegment(gzip)]
                return response
            }
        }
        response.body = [ArraySegment(plain)]
        return response
    }
}
