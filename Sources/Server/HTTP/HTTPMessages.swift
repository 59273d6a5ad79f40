/// Header fields in the order they came; names compare without regard to case. All of them lie in one buffer, and become
/// strings only when they are asked for.
public struct HTTPHeaders: Sendable, Equatable, ExpressibleByDictionaryLiteral {
    private struct Field: Equatable {
        var start: Int
        /// Where the name ends and the value begins.
        var middle: Int
        var end: Int
    }

    /// Names and values, one behind the other.
    private var bytes: [UInt8] = []
    private var places: [Field] = []

    public init() {}
    public init(dictionaryLiteral elements: (String, String)...) { for (name, value) in elements { add(name, value) } }

    public var count: Int { places.count }
    /// Of the buffer, in bytes.
    var capacity: Int { bytes.capacity }

    /// A copy of all of them.
    public var fields: [(name: String, value: String)] {
        places.map { (text($0.start..<$0.middle), text($0.middle..<$0.end)) }
    }

    public mutating func add(_ name: String, _ value: String) { add(name.utf8, value.utf8) }

    mutating func add(_ name: some Collection<UInt8>, _ value: some Collection<UInt8>) {
        if bytes.capacity == 0 {
            bytes.reserveCapacity(256)
            places.reserveCapacity(8)
        }
        let start = bytes.count
        bytes.append(contentsOf: name)
        let middle = bytes.count
        bytes.append(contentsOf: value)
        places.append(Field(start: start, middle: middle, end: bytes.count))
    }

    /// Puts one field in the place of all of that name.
    public mutating func set(_ name: String, _ value: String) {
        places = places.filter { !isName(name, $0) }
        add(name, value)
    }

    /// Forgets the fields, not the memory they lay in, unless somebody else still has it.
    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        places.removeAll(keepingCapacity: true)
    }

    /// The first field of that name.
    public subscript(name: String) -> String? {
        places.first { isName(name, $0) }.map { text($0.middle..<$0.end) }
    }

    /// All fields of that name.
    func values(_ name: String) -> [String] {
        places.filter { isName(name, $0) }.map { text($0.middle..<$0.end) }
    }

    /// All fields of that name as the one list they stand for (RFC 9110, section 5.3).
    public func list(_ name: String) -> String? {
        let values = values(name)
        return values.isEmpty ? nil : values.joined(separator: ",")
    }

    /// Calls `body` with the bytes of each name and value.
    func forEach(_ body: (_ name: ArraySlice<UInt8>, _ value: ArraySlice<UInt8>) -> Void) {
        for place in places { body(bytes[place.start..<place.middle], bytes[place.middle..<place.end]) }
    }

    private func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    private func isName(_ name: String, _ place: Field) -> Bool {
        let utf8 = name.utf8
        return utf8.count == place.middle - place.start
            && bytes[place.start..<place.middle].elementsEqual(utf8) { $0 | 0x20 == $1 | 0x20 }
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
    /// How many bytes of a request's body, which it does not have yet, are of use; nil: as many as the server takes.
    func maxBodyBytes(of request: HTTPRequest) -> Int?
    /// The answer to a request that never became one (malformed, too large, too slow): the project's JSON error.
    func failure(status: Int, code: String, message: String) -> HTTPResponse
    /// The same in the place of an answer that there is no room for.
    func failure(status: Int, code: String, message: String, insteadOf answer: HTTPResponse) -> HTTPResponse
}

extension RequestHandler {
    public func refusal(of request: HTTPRequest) -> HTTPResponse? { nil }
    public func maxBodyBytes(of request: HTTPRequest) -> Int? { nil }
    public func failure(
        status: Int, code: String, message: String, insteadOf answer: HTTPResponse
    ) -> HTTPResponse { failure(status: status, code: code, message: message) }
}
