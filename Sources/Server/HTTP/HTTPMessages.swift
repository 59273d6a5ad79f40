/// Header fields in the order they came; names compare without regard to case.
public struct HTTPHeaders: Sendable, Equatable, ExpressibleByDictionaryLiteral {
    public private(set) var fields: [(name: String, value: String)] = []

    public init() {}
    public init(dictionaryLiteral elements: (String, String)...) { for (name, value) in elements { add(name, value) } }

    public mutating func add(_ name: String, _ value: String) { fields.append((name, value)) }

    /// Puts one field in the place of all of that name.
    public mutating func set(_ name: String, _ value: String) {
        fields.removeAll { Self.areEqual($0.name, name) }
        add(name, value)
    }

    /// The first field of that name.
    public subscript(name: String) -> String? { fields.first { Self.areEqual($0.name, name) }?.value }

    private static func areEqual(_ a: String, _ b: String) -> Bool {
        a.utf8.count == b.utf8.count && a.utf8.elementsEqual(b.utf8) { $0 | 0x20 == $1 | 0x20 }
    }

    /// All fields of that name as the one list they stand for (RFC 9110, section 5.3).
    public func list(_ name: String) -> String? {
        let values = fields.filter { $0.name.utf8.elementsEqual(name.utf8, by: { $0 | 0x20 == $1 | 0x20 }) }
        return values.isEmpty ? nil : values.map(\.value).joined(separator: ",")
    }

    public static func == (a: HTTPHeaders, b: HTTPHeaders) -> Bool {
        a.fields.elementsEqual(b.fields) { $0.name == $1.name && $0.value == $1.value }
    }
}

/// A whole request: the body has arrived, decoded from its transfer coding.
public struct HTTPRequest: Sendable {
    public var method: String
    /// The path of the target, percent-decoded; absolute-form is already reduced to it.
    public var path: String
    /// The target's query, not decoded; nil without '?'.
    public var query: String?
    public var headers: HTTPHeaders
    public var body: [UInt8]

    public init(method: String, path: String, query: String? = nil, headers: HTTPHeaders = [:], body: [UInt8] = []) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
    }
}

/// A run of bytes that a response is made of, kept alive while it is written. Large answers are several of these, so that
/// no second copy of them is ever made.
public protocol ByteSegment: Sendable {
    var byteCount: Int { get }
    func withBytes(_ body: (UnsafeRawBufferPointer) -> Void)
}

/// A segment that holds an array of fixed-width values (bytes, or little-endian floats as the machine has them).
public struct ArraySegment<Element: BitwiseCopyable & Sendable>: ByteSegment {
    public let values: [Element]
    public init(_ values: [Element]) { self.values = values }
    public var byteCount: Int { values.count * MemoryLayout<Element>.stride }
    public func withBytes(_ body: (UnsafeRawBufferPointer) -> Void) { values.withUnsafeBytes(body) }
}

public struct HTTPResponse: Sendable {
    public var status: Int
    /// Without Content-Length, Date, Connection: the connection writes those.
    public var headers: HTTPHeaders
    public var body: [any ByteSegment]
    /// What the body is made by while it is sent, in place of `body`.
    public var stream: (any BodyStream)?

    /// Of the body; nil where it is streamed.
    public var byteCount: Int? { stream == nil ? body.reduce(0) { $0 + $1.byteCount } : nil }

    public init(
        status: Int, headers: HTTPHeaders = [:], body: [any ByteSegment] = [], stream: (any BodyStream)? = nil
    ) {
        self.status = status
        self.headers = headers
        self.body = body
        self.stream = stream
    }
}

/// Where the answer to one request goes. All of it is safe to use from any thread.
public protocol ResponseWriter: Sendable {
    /// Answers the request. Exactly one answer is sent: later calls are ignored.
    func respond(_ response: HTTPResponse)
    /// Whether the client has gone: work for it may be dropped.
    var isCancelled: Bool { get }
}

/// What the server asks for answers. Called on the event loop: it must hand work to other threads and return at once.
public protocol RequestHandler: Sendable {
    func handle(_ request: HTTPRequest, _ writer: any ResponseWriter)
    /// What a request is refused with before its body is read, which it does not have yet; nil: its body is read.
    func refusal(of request: HTTPRequest) -> HTTPResponse?
    /// The answer to a request that never became one (malformed, too large, too slow): the project's JSON error.
    func failure(status: Int, code: String, message: String) -> HTTPResponse
}

extension RequestHandler {
    public func refusal(of request: HTTPRequest) -> HTTPResponse? { nil }
}
