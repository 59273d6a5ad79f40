/// A request. The body is empty while only the head has arrived; it is decoded from its transfer coding.
package struct HTTPRequest: Sendable {
    /// The method, in the case that the client wrote.
    package var method: String
    /// The percent-decoded path of the target, also of a target in absolute form.
    package var path: String
    /// The query of the target, not decoded; `nil` if the target has no `?`.
    package var query: String?
    /// The header fields in order of arrival.
    package var headers: HTTPHeaders
    /// The bytes of the body.
    package var body: [UInt8]
    /// The client that sent the request.
    package var client = ClientIdentity.unknown

    @inlinable
    package init(method: String, path: String, query: String? = nil, headers: HTTPHeaders = [:], body: [UInt8] = []) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
    }

    /// Whether a body of at least one byte, or in chunks, follows the head.
    var hasBody: Bool {
        headers["Transfer-Encoding"] != nil || headers["Content-Length"]?.utf8.contains { $0 != 0x30 } == true
    }
}

/// A response: status, header fields, and a body that is ready or streamed.
package struct HTTPResponse: Sendable {
    /// The status code.
    package var status: Int
    /// The header fields but Content-Length, Transfer-Encoding, Date and Connection, which the connection writes.
    package var headers: HTTPHeaders
    /// The body in order of its segments; unused if `stream` is set.
    package var body: [any ByteSegment]
    /// The source of a body that is made while it is sent; `nil` if `body` is the whole of it.
    package var stream: (any BodyStream)?

    /// The length of the body in bytes; `nil` if it is streamed.
    @inlinable package var byteCount: Int? { stream == nil ? body.reduce(0) { $0 + $1.byteCount } : nil }

    @inlinable
    package init(
        status: Int, headers: HTTPHeaders = [:], body: [any ByteSegment] = [], stream: (any BodyStream)? = nil
    ) {
        self.status = status
        self.headers = headers
        self.body = body
        self.stream = stream
    }
}
