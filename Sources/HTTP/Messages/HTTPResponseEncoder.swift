import Glibc

/// An encoder of response heads: the header fields that the handler set, and those that only the connection knows.
struct HTTPResponseEncoder {
    private var dateSecond = 0
    private var dateLine: [UInt8] = []

    /// Encodes the head of a response.
    /// - Parameters:
    ///   - close: whether this is the last response of the connection.
    ///   - minorVersion: the minor version of the request; HTTP/1.0 must be told that the connection persists.
    mutating func head(of response: HTTPResponse, close: Bool, minorVersion: Int) -> [UInt8] {
        let status = 100...999 ~= response.status ? response.status : 500
        var bytes: [UInt8] = []
        bytes.reserveCapacity(512)
        bytes.append(contentsOf: "HTTP/1.1 ".utf8)
        bytes.append(decimal: status)
        bytes.append(0x20)
        bytes.append(contentsOf: Self.reason(status).utf8)
        Self.endLine(&bytes)
        response.headers.forEach { name, value in
            guard !Self.isOwn(name), HTTPGrammar.isToken(name) else { return }
            bytes.append(contentsOf: name)
            bytes.append(0x3A)
            bytes.append(0x20)
            // A value never ends its line, whoever wrote it.
            if value.allSatisfy(HTTPGrammar.isFieldByte) {
                bytes.append(contentsOf: value)
            } else {
                bytes.append(contentsOf: value.filter(HTTPGrammar.isFieldByte))
            }
            Self.endLine(&bytes)
        }
        // RFC 9110, 8.6
        if status >= 200, status != 204, status != 304 {
            if response.stream == nil {
                bytes.append(contentsOf: "Content-Length: ".utf8)
                bytes.append(decimal: response.byteCount ?? 0)
                Self.endLine(&bytes)
            } else if minorVersion > 0 {
                bytes.append(contentsOf: "Transfer-Encoding: chunked\r\n".utf8)
            }
        }
        appendDate(&bytes)
        if close {
            bytes.append(contentsOf: "Connection: close\r\n".utf8)
        } else if minorVersion == 0 {
            bytes.append(contentsOf: "Connection: keep-alive\r\n".utf8)
        }
        Self.endLine(&bytes)
        return bytes
    }

    private static func endLine(_ bytes: inout [UInt8]) {
        bytes.append(0x0D)
        bytes.append(0x0A)
    }

    static func hasBody(status: Int, method: String) -> Bool {
        method != "HEAD" && status >= 200 && status != 204 && status != 304
    }

    private static func isOwn(_ name: ArraySlice<UInt8>) -> Bool {
        switch name.count {
        case 4: HTTPGrammar.equal(name, ignoringCase: "date")
        case 10: HTTPGrammar.equal(name, ignoringCase: "connection")
        case 14: HTTPGrammar.equal(name, ignoringCase: "content-length")
        case 17: HTTPGrammar.equal(name, ignoringCase: "transfer-encoding")
        default: false
        }
    }

    /// Appends the Date field, an IMF-fixdate (RFC 9110, 5.6.7) that is made once a second.
    private mutating func appendDate(_ bytes: inout [UInt8]) {
        let now = Glibc.time(nil)
        if now != dateSecond { dateLine = Self.dateLine(now) }
        dateSecond = now
        bytes.append(contentsOf: dateLine)
    }

    private static func dateLine(_ second: time_t) -> [UInt8] {
        var second = second
        var parts = tm()
        gmtime_r(&second, &parts)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let day = days[Int(parts.tm_wday) % 7]
        let month = months[Int(parts.tm_mon) % 12]
        let clock = "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
        return Array("Date: \(day), \(two(parts.tm_mday)) \(month) \(parts.tm_year + 1900) \(clock) GMT\r\n".utf8)
    }

    /// Returns the reason phrase of a status (RFC 9110, 15).
    private static func reason(_ status: Int) -> String {
        reasons[status] ?? ""
    }

    private static let reasons: [Int: String] = [
        100: "Continue", 200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 206: "Partial Content",
        301: "Moved Permanently", 302: "Found", 303: "See Other", 304: "Not Modified", 307: "Temporary Redirect",
        308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
        405: "Method Not Allowed", 406: "Not Acceptable", 408: "Request Timeout", 409: "Conflict", 410: "Gone",
        411: "Length Required", 412: "Precondition Failed", 413: "Content Too Large", 414: "URI Too Long",
        415: "Unsupported Media Type", 416: "Range Not Satisfiable", 417: "Expectation Failed",
        422: "Unprocessable Content", 426: "Upgrade Required", 429: "Too Many Requests",
        431: "Request Header Fields Too Large", 500: "Internal Server Error", 501: "Not Implemented",
        502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout", 505: "HTTP Version Not Supported",
    ]
}
