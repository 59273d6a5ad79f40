import HTTP

/// The content of a response, before it is decided how it is sent.
package enum ResponseContent: Sendable {
    case whole(HTTPResponse)
    case json(StreamedJSON)

    /// The bytes of the content, in order.
    package var segments: [any ByteSegment] { response().body }

    /// A copy of the bytes of the content.
    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        for segment in segments { segment.withBytes { bytes += $0 } }
        return bytes
    }

    /// Makes the response: the engine's workers stream long JSON, and compress JSON if that is worth it. Runs on a worker.
    /// - Parameter inferSeconds: The seconds of inference behind the content, for `CompressionPolicy`.
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

    /// Makes the response at once, neither streamed nor compressed.
    func response() -> HTTPResponse {
        switch self {
        case .whole(let response): response
        case .json(let parts): .json(parts.bytes())
        }
    }
}
