import Glibc

/// Writes the head of a response: what the handler set, and what only the connection knows.
struct HTTPResponseEncoder {
    private var dateSecond = 0
    private var dateLine: [UInt8] = []

    /// - Parameters:
    ///   - close: whether this is the connection's last answer.
    ///   - minorVersion: the request's; HTTP/1.0 must be told that the connection lives on.
    mutating func head(of response: HTTPResponse, close: Bool, minorVersion: Int) -> [UInt8] {
        let status = 100...999 ~= response.status ? response.status : 500
        var bytes: [UInt8] = []
        bytes.reserveCapacity(256)
        bytes.append(contentsOf: "HTTP/1.1 \(status) \(Self.reason(status))\r\n".utf8)
        for (name, value) in response.headers.fields where !Self.isOwn(name) && HTTPGrammar.isToken(name.utf8) {
            bytes.append(contentsOf: name.utf8)
            bytes.append(0x3A)
            bytes.append(0x20)
            // A value never ends its line, whoever wrote it.
            bytes.append(contentsOf: value.utf8.filter(HTTPGrammar.isFieldByte))
            bytes.append(0x0D)
            bytes.append(0x0A)
        }
        // RFC 9110, 8.6
        if status >= 200, status != 204, status != 304 {
            if response.stream == nil {
                let length = response.body.reduce(0) { $0 + $1.byteCount }
                bytes.append(contentsOf: "Content-Length: \(length)\r\n".utf8)
            } else if minorVersion > 0 {
                bytes.append(contentsOf: "Transfer-Encoding: chunked\r\n".utf8)
            }
        }
        bytes.append(contentsOf: date())
        if close {
            bytes.append(contentsOf: "Connection: close\r\n".utf8)
        } else if minorVersion == 0 {
            bytes.append(contentsOf: "Connection: keep-alive\r\n".utf8)
        }
        bytes.append(0x0D)
        bytes.append(0x0A)
        return bytes
    }

    static func hasBody(status: Int, method: String) -> Bool {
        method != "HEAD" && status >= 200 && status != 204 && status != 304
    }

    private static func isOwn(_ name: String) -> Bool {
        HTTPGrammar.equal(name.utf8, ignoringCase: "content-length")
            || HTTPGrammar.equal(name.utf8, ignoringCase: "date")
            || HTTPGrammar.equal(name.utf8, ignoringCase: "connection")
            || HTTPGrammar.equal(name.utf8, ignoringCase: "transfer-encoding")
    }

    /// Date: IMF-fixdate (RFC 9110, 5.6.7), made once a second.
    private mutating func date() -> [UInt8] {
        var now = Glibc.time(nil)
        if now == dateSecond { return dateLine }
        dateSecond = now
        var parts = tm()
        gmtime_r(&now, &parts)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let day = days[Int(parts.tm_wday) % 7]
        let month = months[Int(parts.tm_mon) % 12]
        let clock = "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
        dateLine = Array("Date: \(day), \(two(parts.tm_mday)) \(month) \(parts.tm_year + 1900) \(clock) GMT\r\n".utf8)
        return dateLine
    }

    /// RFC 9110, 15
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
