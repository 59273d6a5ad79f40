/// Parses one request after another (RFC 9112), incrementally: every decision depends only on the bytes before it, so the
/// answer is the same whether they come at once or one by one. Strict where requests are smuggled: what two readers could
/// frame differently is refused.
struct HTTPParser {
    enum Phase { case start, requestLine, fields, body, complete }

    private(set) var phase = Phase.start
    private(set) var method = ""
    /// Whether the client lets the connection live on after the answer.
    private(set) var keepAlive = false
    /// HTTP/1.x's x, at most 1.
    private(set) var minorVersion = 1
    /// The client waits for an interim answer before it sends its body.
    private(set) var expectsContinue = false
    private(set) var body: [UInt8] = []

    private let limits: HTTPLimits
    private var line: [UInt8] = []
    private var sawCR = false
    private var skippedEmptyLine = false
    private var headBytes = 0
    private var path = ""
    private var query: String?
    private var headers = HTTPHeaders()
    private var framing = Framing()
    private var remaining = 0
    private var chunks: ChunkDecoder?

    private struct Framing {
        var hosts = 0
        var contentLength: ArraySlice<UInt8>?
        var transferEncoding: ArraySlice<UInt8>?
        var expectation: ArraySlice<UInt8>?
        var close = false
        var keepAlive = false
    }

    /// Longer methods than any known one are answered before their end is seen.
    private static let longestMethod = 32
    private static let methods: Set<String> = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"]

    init(limits: HTTPLimits) { self.limits = limits }

    /// The request, once `phase` is `complete`.
    var request: HTTPRequest {
        HTTPRequest(method: method, path: path, query: query, headers: headers, body: body)
    }

    /// Takes bytes up to the end of the head or of the request, whichever comes first; returns how many.
    mutating func parse(_ bytes: UnsafeBufferPointer<UInt8>) throws(HTTPParseError) -> Int {
        switch phase {
        case .start, .requestLine, .fields: return try parseHead(bytes)
        case .body: return try parseBody(bytes)
        case .complete: return 0
        }
    }

    private mutating func parseHead(_ bytes: UnsafeBufferPointer<UInt8>) throws(HTTPParseError) -> Int {
        for (index, byte) in bytes.enumerated() {
            try countHeadByte()
            if sawCR {
                guard byte == 0x0A else { throw .malformed("A carriage return stands without a line feed.") }
                sawCR = false
                try endLine()
                line.removeAll(keepingCapacity: true)
                if phase == .body || phase == .complete { return index + 1 }
            } else if byte == 0x0D {
                sawCR = true
            } else {
                guard HTTPGrammar.isFieldByte(byte) else {
                    throw .malformed(
                        byte == 0x0A ? "A line ends without a carriage return." : "The head has a control character.")
                }
                if phase == .start { phase = .requestLine }
                line.append(byte)
            }
        }
        return bytes.count
    }

    private mutating func countHeadByte() throws(HTTPParseError) {
        headBytes += 1
        switch phase {
        case .start, .requestLine:
            // Method, two spaces and the version stand beside the target.
            guard line.count > limits.maxTargetBytes + Self.longestMethod + 16 else { return }
            if line.prefix(Self.longestMethod + 1).contains(0x20) { throw targetTooLong }
            throw HTTPParseError(501, "method_not_implemented", "The method is longer than any this server knows.")
        default:
            guard headBytes <= limits.maxHeadBytes else {
                throw HTTPParseError(
                    431, "head_too_large", "The request's head is larger than \(limits.maxHeadBytes) bytes.")
            }
        }
    }

    private var targetTooLong: HTTPParseError {
        HTTPParseError(414, "target_too_long", "The target is longer than \(limits.maxTargetBytes) bytes.")
    }

    private mutating func endLine() throws(HTTPParseError) {
        switch phase {
        case .start:
            // RFC 9112, 2.2: one empty line before the request line is forgiven.
            guard !skippedEmptyLine else { throw .malformed("Empty lines stand before the request line.") }
            skippedEmptyLine = true
            headBytes = 0
        case .requestLine:
            try parseRequestLine()
            phase = .fields
        default:
            if line.isEmpty { try endHead() } else { try parseField() }
        }
    }

    // MARK: Request line

    private mutating func parseRequestLine() throws(HTTPParseError) {
        let parts = line.split(separator: 0x20, omittingEmptySubsequences: false)
        guard parts.count == 3, HTTPGrammar.isToken(parts[0]), !parts[1].isEmpty else {
            throw .malformed("The request line is not: method, one space, target, one space, version.")
        }
        let version = Array(parts[2])
        guard version.count == 8, version.starts(with: "HTTP/".utf8), HTTPGrammar.isDigit(version[5]),
            version[6] == 0x2E, HTTPGrammar.isDigit(version[7])
        else { throw .malformed("The version is not of the form HTTP/1.1.") }
        guard version[5] == 0x31 else {
            throw HTTPParseError(505, "version_not_supported", "This server speaks HTTP/1.1 and HTTP/1.0.")
        }
        // RFC 9110, 2.5: a higher minor version is read as the highest known.
        minorVersion = version[7] == 0x30 ? 0 : 1
        method = String(decoding: parts[0], as: UTF8.self)
        guard Self.methods.contains(method) else {
            throw HTTPParseError(501, "method_not_implemented", "This server does not know the request's method.")
        }
        guard parts[1].count <= limits.maxTargetBytes else { throw targetTooLong }
        try parseTarget(parts[1])
    }

    /// request-target = origin-form / absolute-form / asterisk-form (RFC 9112, 3.2)
    private mutating func parseTarget(_ target: ArraySlice<UInt8>) throws(HTTPParseError) {
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
        guard let decoded = HTTPGrammar.percentDecoded(rawPath) else {
            throw .malformed("The target's path is not percent-encoded UTF-8.")
        }
        path = decoded.isEmpty ? "/" : decoded
    }

    // MARK: Header fields

    private mutating func parseField() throws(HTTPParseError) {
        let (name, value) = try HTTPGrammar.field(line[...])
        guard headers.fields.count < limits.maxHeaderFields else {
            throw HTTPParseError(431, "too_many_headers", "There are more than \(limits.maxHeaderFields) headers.")
        }
        headers.add(String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self))
        if HTTPGrammar.equal(name, ignoringCase: "host") {
            framing.hosts += 1
            guard framing.hosts == 1 else { throw .malformed("There is more than one Host header.") }
            guard HTTPGrammar.isHost(value) else { throw .malformed("The Host header is not a valid host.") }
        } else if HTTPGrammar.equal(name, ignoringCase: "content-length") {
            guard framing.contentLength == nil else { throw .framing("There is more than one Content-Length header.") }
            guard !value.isEmpty, value.allSatisfy(HTTPGrammar.isDigit) else {
                throw .framing("The Content-Length header is not a number.")
            }
            framing.contentLength = value
        } else if HTTPGrammar.equal(name, ignoringCase: "transfer-encoding") {
            guard framing.transferEncoding == nil else {
                throw .framing("There is more than one Transfer-Encoding header.")
            }
            framing.transferEncoding = value
        } else if HTTPGrammar.equal(name, ignoringCase: "expect") {
            guard framing.expectation == nil else { throw .malformed("There is more than one Expect header.") }
            framing.expectation = value
        } else if HTTPGrammar.equal(name, ignoringCase: "connection") {
            for option in value.split(separator: 0x2C).map(HTTPGrammar.trimmed) {
                if HTTPGrammar.equal(option, ignoringCase: "close") { framing.close = true }
                if HTTPGrammar.equal(option, ignoringCase: "keep-alive") { framing.keepAlive = true }
            }
        }
    }

    private mutating func endHead() throws(HTTPParseError) {
        guard framing.hosts == 1 || minorVersion == 0 else { throw .malformed("The Host header is missing.") }
        keepAlive = !framing.close && (minorVersion == 1 || framing.keepAlive)
        if let coding = framing.transferEncoding {
            try checkTransferEncoding(coding)
            chunks = ChunkDecoder(limits: limits)
        } else if let digits = framing.contentLength {
            for digit in digits {
                let (product, overflow) = remaining.multipliedReportingOverflow(by: 10)
                let (sum, carry) = product.addingReportingOverflow(Int(digit - 0x30))
                guard !overflow, !carry else { throw .bodyTooLarge(limits.maxBodyBytes) }
                remaining = sum
            }
            guard remaining <= limits.maxBodyBytes else { throw .bodyTooLarge(limits.maxBodyBytes) }
        }
        let hasBody = chunks != nil || remaining > 0
        // RFC 9110, 10.1.1: HTTP/1.0 knows no expectations.
        if let expectation = framing.expectation, minorVersion == 1 {
            guard HTTPGrammar.equal(expectation, ignoringCase: "100-continue") else {
                throw HTTPParseError(
                    417, "expectation_failed", "The only expectation this server meets is 100-continue.")
            }
            expectsContinue = hasBody
        }
        phase = hasBody ? .body : .complete
    }

    private func checkTransferEncoding(_ value: ArraySlice<UInt8>) throws(HTTPParseError) {
        guard minorVersion == 1 else { throw .framing("HTTP/1.0 has no Transfer-Encoding.") }
        guard framing.contentLength == nil else {
            throw .framing("Transfer-Encoding and Content-Length stand together.")
        }
        let codings = value.split(separator: 0x2C, omittingEmptySubsequences: false).map(HTTPGrammar.trimmed)
        guard codings.allSatisfy({ HTTPGrammar.isToken($0) }) else {
            throw .framing("The Transfer-Encoding header is malformed.")
        }
        let chunked = codings.indices.filter { HTTPGrammar.equal(codings[$0], ignoringCase: "chunked") }
        guard chunked.isEmpty || chunked == [codings.count - 1] else {
            throw .framing("The chunked coding must be applied once, and last.")
        }
        guard codings.count == 1, !chunked.isEmpty else {
            throw HTTPParseError(
                501, "coding_not_implemented", "The only transfer coding this server knows is chunked.")
        }
    }

    // MARK: Body

    private mutating func parseBody(_ bytes: UnsafeBufferPointer<UInt8>) throws(HTTPParseError) -> Int {
        if let used = try chunks?.decode(bytes, into: &body) {
            if chunks?.isDone == true { phase = .complete }
            return used
        }
        if body.isEmpty { body.reserveCapacity(min(remaining, 1 << 20)) }
        let count = min(remaining, bytes.count)
        body.append(contentsOf: bytes.prefix(count))
        remaining -= count
        if remaining == 0 { phase = .complete }
        return count
    }
}
