/// An incremental parser of one request after another (RFC 9112). Every decision depends only on the bytes before it, so that
/// the result is the same if they arrive at once or one by one. It is strict against request smuggling: framing that two
/// readers could understand differently is refused. A line that arrives whole is parsed in place, and the memory of the
/// headers is reused. A request without a body and with whole lines therefore allocates nothing.
struct HTTPParser {
    enum Phase { case start, requestLine, fields, body, complete }

    private(set) var phase = Phase.start
    private(set) var method = ""
    private(set) var path = ""
    /// Whether the client lets the connection persist after the response.
    private(set) var keepAlive = false
    /// The x of HTTP/1.x, at most 1.
    private(set) var minorVersion = 1
    /// Whether the client waits for an interim response before it sends the body.
    private(set) var expectsContinue = false
    private(set) var body: [UInt8] = []

    private let limits: HTTPLimits
    /// The beginning of a line that has not ended yet, with its CR if that was the last byte.
    private var line: [UInt8] = []
    private var skippedEmptyLine = false
    private var headBytes = 0
    private var query: String?
    private var headers = HTTPHeaders()
    private var framing = Framing()
    private var remaining = 0
    private var chunks: ChunkDecoder?

    private struct Framing {
        enum Coding { case chunked, unknown }
        var hasHost = false
        var contentLength: Int?
        var coding: Coding?
        var expectsContinue = false
        var expectsMore = false
        var close = false
        var keepAlive = false
    }

    /// The length in bytes from which a method is refused before its end is seen; every known one is shorter.
    private static let longestMethod = 32
    private static let methods: Set<String> = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"]

    init(limits: HTTPLimits) { self.limits = limits }

    /// Prepares for the next request.
    mutating func startOver() {
        var next = HTTPParser(limits: limits)
        // Emptied when the next request line comes: by then its handler has most likely let go of this one's.
        swap(&next.headers, &headers)
        self = next
    }

    /// Frees memory between requests, but for that of a small head.
    mutating func releaseBuffers() { if headers.capacity > 1024 { headers = HTTPHeaders() } }

    /// The request, whole once `phase` is `complete`; before that with the part of its body that has arrived.
    var request: HTTPRequest {
        HTTPRequest(method: method, path: path, query: query, headers: headers, body: body)
    }

    /// Parses up to the end of the head or of the request, whichever comes first. Returns the number of bytes used.
    mutating func parse(_ bytes: UnsafeBufferPointer<UInt8>) throws(HTTPParseError) -> Int {
        switch phase {
        case .start, .requestLine, .fields: return try parseHead(bytes)
        case .body: return try parseBody(bytes)
        case .complete: return 0
        }
    }

    // MARK: Lines

    private mutating func parseHead(_ bytes: UnsafeBufferPointer<UInt8>) throws(HTTPParseError) -> Int {
        var start = 0
        while start < bytes.count {
            let end = try scanLine(bytes, from: start)
            guard let end else { return bytes.count }
            if line.isEmpty {
                try endLine(bytes[start..<(end - 2)])
            } else {
                line.append(contentsOf: bytes[start..<end])
                let whole = line
                line = []
                try whole.withUnsafeBufferPointer { (whole) throws(HTTPParseError) in
                    try endLine(whole[..<(whole.count - 2)])
                }
            }
            start = end
            if phase == .body || phase == .complete { return start }
        }
        return start
    }

    /// Finds the end, behind its CRLF, of the line that starts at `start` or has started earlier. `nil` if it has not arrived:
    /// then the bytes are kept.
    private mutating func scanLine(
        _ bytes: UnsafeBufferPointer<UInt8>, from start: Int
    ) throws(HTTPParseError) -> Int? {
        // How many bytes this line may still have.
        let inRequestLine = phase == .start || phase == .requestLine
        let room =
            inRequestLine
            ? limits.maxTargetBytes + Self.longestMethod + 17 - line.count : limits.maxHeadBytes - headBytes
        let bound = min(bytes.count, start + max(0, room))
        var index = start
        var isAfterCR = line.last == 0x0D
        while index < bound {
            let byte = bytes[index]
            if isAfterCR {
                guard byte == 0x0A else { throw .malformed("A carriage return stands without a line feed.") }
                headBytes += index + 1 - start
                return index + 1
            }
            if byte == 0x0D {
                isAfterCR = true
            } else if !HTTPGrammar.isFieldByte(byte) {
                throw .malformed(
                    byte == 0x0A ? "A line ends without a carriage return." : "The head has a control character.")
            }
            index += 1
        }
        headBytes += bound - start
        line.append(contentsOf: bytes[start..<bound])
        if phase == .start, line.first != 0x0D { phase = .requestLine }
        guard bound == bytes.count else { throw tooLong(inRequestLine) }
        return nil
    }

    private func tooLong(_ inRequestLine: Bool) -> HTTPParseError {
        guard inRequestLine else {
            return HTTPParseError(
                431, "head_too_large", "The request's head is larger than \(limits.maxHeadBytes) bytes.")
        }
        // Method, two spaces and the version stand beside the target.
        if line.prefix(Self.longestMethod + 1).contains(0x20) { return targetTooLong }
        return HTTPParseError(501, "method_not_implemented", "The method is longer than any this server knows.")
    }

    private var targetTooLong: HTTPParseError {
        HTTPParseError(414, "target_too_long", "The target is longer than \(limits.maxTargetBytes) bytes.")
    }

    /// Parses a line.
    /// - Parameter line: the line without its CRLF.
    private mutating func endLine(_ line: ByteSlice) throws(HTTPParseError) {
        switch phase {
        case .start where line.isEmpty:
            // RFC 9112, 2.2: one empty line before the request line is forgiven.
            guard !skippedEmptyLine else { throw .malformed("Empty lines stand before the request line.") }
            skippedEmptyLine = true
            headBytes = 0
        case .start, .requestLine:
            try parseRequestLine(line)
            phase = .fields
        default:
            if line.isEmpty { try endHead() } else { try parseField(line) }
        }
    }

    // MARK: Request line

    private mutating func parseRequestLine(_ line: ByteSlice) throws(HTTPParseError) {
        guard let first = line.firstIndex(of: 0x20), let second = line[(first + 1)...].firstIndex(of: 0x20),
            HTTPGrammar.isToken(line[..<first]), second > first + 1, !line[(second + 1)...].contains(0x20)
        else { throw .malformed("The request line is not: method, one space, target, one space, version.") }
        headers.removeAll()
        let target = line[(first + 1)..<second]
        try parseVersion(line[(second + 1)...])
        method = String(decoding: line[..<first], as: UTF8.self)
        guard Self.methods.contains(method) else {
            throw HTTPParseError(501, "method_not_implemented", "This server does not know the request's method.")
        }
        guard target.count <= limits.maxTargetBytes else { throw targetTooLong }
        try parseTarget(target)
    }

    /// Parses HTTP-version = "HTTP/" DIGIT "." DIGIT (RFC 9112, 2.3)
    private mutating func parseVersion(_ version: ByteSlice) throws(HTTPParseError) {
        let digits = version.dropFirst(5)
        guard version.count == 8, version.starts(with: "HTTP/".utf8), let major = digits.first, let minor = digits.last,
            HTTPGrammar.isDigit(major), digits[digits.startIndex + 1] == 0x2E, HTTPGrammar.isDigit(minor)
        else { throw .malformed("The version is not of the form HTTP/1.1.") }
        guard major == 0x31 else {
            throw HTTPParseError(505, "version_not_supported", "This server speaks HTTP/1.1 and HTTP/1.0.")
        }
        // RFC 9110, 2.5: a higher minor version is read as the highest known.
        minorVersion = minor == 0x30 ? 0 : 1
    }

    /// Parses request-target = origin-form / absolute-form / asterisk-form (RFC 9112, 3.2)
    private mutating func parseTarget(_ target: ByteSlice) throws(HTTPParseError) {
        guard target.allSatisfy({ 0x21...0x7E ~= $0 && $0 != 0x23 }) else {
            throw .malformed("The target has a character that must be percent-encoded, or a fragment.")
        }
        if target.elementsEqual([0x2A]) {
            guard method == "OPTIONS" else { throw .malformed("The target * is for OPTIONS only.") }
            path = "*"
            return
        }
        var rest = target
        if target.first != 0x2F {
            guard let colon = target.firstIndex(of: 0x3A), target[colon...].starts(with: "://".utf8),
                HTTPGrammar.equal(target[..<colon], ignoringCase: "http")
                    || HTTPGrammar.equal(target[..<colon], ignoringCase: "https")
            else { throw .malformed("The target is neither a path nor an http address.") }
            rest = target[(colon + 3)...]
            let authority = rest.prefix { $0 != 0x2F && $0 != 0x3F }
            guard HTTPGrammar.isHost(authority) else { throw .malformed("The target's host is not valid.") }
            rest = rest[authority.endIndex...]
        }
        let rawPath = rest.prefix { $0 != 0x3F }
        if rawPath.endIndex < rest.endIndex {
            query = String(decoding: rest[(rawPath.endIndex + 1)...], as: UTF8.self)
        }
        guard let decoded = HTTPGrammar.decodedPath(rawPath) else {
            throw .malformed("The target's path is not percent-encoded UTF-8.")
        }
        // RFC 9110, 7.1: OPTIONS of an address without a path is of the server as a whole.
        path = decoded.isEmpty ? (method == "OPTIONS" && query == nil ? "*" : "/") : decoded
    }

    // MARK: Header fields

    private mutating func parseField(_ line: ByteSlice) throws(HTTPParseError) {
        let (name, value) = try HTTPGrammar.field(line)
        guard headers.count < limits.maxHeaders else {
            throw HTTPParseError(431, "too_many_headers", "There are more than \(limits.maxHeaders) headers.")
        }
        headers.add(UnsafeBufferPointer(rebasing: name), UnsafeBufferPointer(rebasing: value))
        switch name.count {
        case 4 where HTTPGrammar.equal(name, ignoringCase: "host"):
            guard !framing.hasHost else { throw .malformed("There is more than one Host header.") }
            framing.hasHost = true
            guard HTTPGrammar.isHost(value) else { throw .malformed("The Host header is not a valid host.") }
        case 6 where HTTPGrammar.equal(name, ignoringCase: "expect"):
            for expectation in value.split(separator: 0x2C).map(HTTPGrammar.trimmed) where !expectation.isEmpty {
                if HTTPGrammar.equal(expectation, ignoringCase: "100-continue") {
                    framing.expectsContinue = true
                } else {
                    framing.expectsMore = true
                }
            }
        case 10 where HTTPGrammar.equal(name, ignoringCase: "connection"):
            for option in value.split(separator: 0x2C).map(HTTPGrammar.trimmed) {
                if HTTPGrammar.equal(option, ignoringCase: "close") { framing.close = true }
                if HTTPGrammar.equal(option, ignoringCase: "keep-alive") { framing.keepAlive = true }
            }
        case 14 where HTTPGrammar.equal(name, ignoringCase: "content-length"):
            guard framing.contentLength == nil else { throw .framing("There is more than one Content-Length header.") }
            framing.contentLength = try contentLength(value)
        case 17 where HTTPGrammar.equal(name, ignoringCase: "transfer-encoding"):
            guard framing.coding == nil else { throw .framing("There is more than one Transfer-Encoding header.") }
            framing.coding = try transferCoding(value)
        default: break
        }
    }

    /// Parses Content-Length = 1*DIGIT (RFC 9110, 8.6).
    private func contentLength(_ value: ByteSlice) throws(HTTPParseError) -> Int {
        guard !value.isEmpty, value.allSatisfy(HTTPGrammar.isDigit) else {
            throw .framing("The Content-Length header is not a number.")
        }
        var length = 0
        for digit in value {
            let (product, overflow) = length.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(Int(digit - 0x30))
            guard !overflow, !carry else { throw .framing("The Content-Length header is no number of bytes.") }
            length = sum
        }
        return length
    }

    /// Parses Transfer-Encoding = #transfer-coding (RFC 9112, 6.1). Only `chunked` is known.
    private func transferCoding(_ value: ByteSlice) throws(HTTPParseError) -> Framing.Coding {
        let codings = value.split(separator: 0x2C, omittingEmptySubsequences: false).map(HTTPGrammar.trimmed)
        guard codings.allSatisfy({ HTTPGrammar.isToken($0) }) else {
            throw .framing("The Transfer-Encoding header is malformed.")
        }
        let chunked = codings.indices.filter { HTTPGrammar.equal(codings[$0], ignoringCase: "chunked") }
        guard chunked.isEmpty || chunked == [codings.count - 1] else {
            throw .framing("The chunked coding must be applied once, and last.")
        }
        return codings.count == 1 && !chunked.isEmpty ? .chunked : .unknown
    }

    private mutating func endHead() throws(HTTPParseError) {
        guard framing.hasHost || minorVersion == 0 else { throw .malformed("The Host header is missing.") }
        keepAlive = !framing.close && (minorVersion == 1 || framing.keepAlive)
        if let coding = framing.coding {
            guard minorVersion == 1 else { throw .framing("HTTP/1.0 has no Transfer-Encoding.") }
            guard framing.contentLength == nil else {
                throw .framing("Transfer-Encoding and Content-Length stand together.")
            }
            guard coding == .chunked else {
                throw HTTPParseError(
                    501, "coding_not_implemented", "The only transfer coding this server knows is chunked.")
            }
            chunks = ChunkDecoder(limits: limits)
        } else if let length = framing.contentLength {
            guard length <= limits.maxBodyBytes else { throw .bodyTooLarge(limits.maxBodyBytes) }
            remaining = length
        }
        let hasBody = chunks != nil || remaining > 0
        // RFC 9110, 10.1.1: HTTP/1.0 knows no expectations.
        if minorVersion == 1 {
            guard !framing.expectsMore else {
                throw HTTPParseError(
                    417, "expectation_failed", "The only expectation this server meets is 100-continue.")
            }
            expectsContinue = framing.expectsContinue && hasBody
        }
        phase = hasBody ? .body : .complete
    }

    // MARK: Body

    /// Lowers the limit of the body's size in bytes. Called at the end of the head.
    mutating func limitBody(to bytes: Int) throws(HTTPParseError) {
        guard remaining <= bytes else { throw .bodyTooLarge(bytes) }
        chunks?.maxBodyBytes = min(bytes, limits.maxBodyBytes)
    }

    private mutating func parseBody(_ bytes: UnsafeBufferPointer<UInt8>) throws(HTTPParseError) -> Int {
        if let used = try chunks?.decode(bytes, into: &body) {
            if chunks?.isDone == true { phase = .complete }
            return used
        }
        if body.isEmpty { body.reserveCapacity(min(remaining, 64 << 10)) }
        let count = min(remaining, bytes.count)
        body.append(contentsOf: bytes.prefix(count))
        remaining -= count
        if remaining == 0 { phase = .complete }
        return count
    }
}
