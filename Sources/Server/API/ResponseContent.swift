import HTTP

/// What a route has to say, before it is known how it is sent.
enum ResponseContent: Sendable {
    case whole(HTTPResponse)
    case json(StreamedJSON)

    /// As one response: long JSON is streamed by the engine's workers, and JSON that is worth it is compressed. Runs on
    /// a worker.
    /// - Parameter inferSeconds: what the content took, for `CompressionPolicy`.
    func response(
        engine: InferenceEngine, accept: AcceptEncoding, compression: CompressionPolicy, inferSeconds: Double
    ) -> HTTPResponse {
        guard case .json(let parts) = self else { return response() }
        var response = HTTPResponse(status: 200, headers: ["Content-Type": "application/json"])
        if compression != .never { response.headers.add("Vary", "Accept-Encoding") }
        let isStreamed = parts.estimate > StreamedJSONBody.threshold
        let bytes = isStreamed ? [] : parts.bytes()
        var encoder: GzipEncoder?
        let size = isStreamed ? parts.estimate : bytes.count
        if compression.compresses(accept, bytes: size, inferSeconds: inferSeconds) { encoder = GzipEncoder() }
        if encoder != nil { response.headers.add("Content-Encoding", "gzip") }
        if isStreamed {
            response.stream = StreamedJSONBody(parts, engine: engine, encoder: encoder)
        } else if let encoder {
            response.body = [ArraySegment(bytes.withUnsafeBytes { encoder.encode($0, isLast: true) })]
        } else {
            response.body = [ArraySegment(bytes)]
        }
        return response
    }

    /// At once, and as it is.
    func response() -> HTTPResponse {
        switch self {
        case .whole(let response): response
        case .json(let parts):
            HTTPResponse(
                status: 200, headers: ["Content-Type": "application/json"], body: [ArraySegment(parts.bytes())])
        }
    }
}

/// A response that never changes, compressed once.
struct StaticContent: Sendable {
    private let plain: HTTPResponse
    private let gzip: HTTPResponse?

    init(_ bytes: [UInt8], _ type: String, compression: CompressionPolicy) {
        var plain = HTTPResponse(status: 200, headers: ["Content-Type": type])
        var gzip: HTTPResponse?
        if compression != .never {
            plain.headers.add("Vary", "Accept-Encoding")
            if let compressed = GzipEncoder.encode(bytes) {
                gzip = plain
                gzip?.headers.add("Content-Encoding", "gzip")
                gzip?.body = [ArraySegment(compressed)]
            }
        }
        plain.body = [ArraySegment(bytes)]
        self.plain = plain
        self.gzip = gzip
    }

    func response(_ accept: AcceptEncoding) -> HTTPResponse { accept.gzip ? gzip ?? plain : plain }
}
