/// Bytes and what a strict reader of RFC 9110 and 9112 makes of them. What is expected follows from the section named
/// above each table; the suites named there cover the same rules, and where they let pass what the grammar forbids
/// (nginx: two ports, llhttp: a missing Host), the strict answer is expected.
struct HTTPParserCase: Sendable {
    enum Expected: Sendable {
        case ok(line: String, body: String)
        case incomplete
        case status(Int)
    }

    var name: String
    var input: [UInt8]
    var expected: Expected
    /// Bytes that belong to the next request.
    var rest = 0
}

enum HTTPParserCases {
    static let all = requestLines + targets + hosts + fields + lengths + codings + chunks

    private static let chunked = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

    private static func a(_ count: Int) -> String { repeated("a", count) }
    private static func repeated(_ text: String, _ count: Int) -> String { String(repeating: text, count: count) }

    private static func ok(
        _ name: String, _ input: String, _ line: String, body: String = "", rest: Int = 0
    ) -> HTTPParserCase {
        HTTPParserCase(name: name, input: Array(input.utf8), expected: .ok(line: line, body: body), rest: rest)
    }

    private static func bad(_ status: Int, _ name: String, _ input: String) -> HTTPParserCase {
        HTTPParserCase(name: name, input: Array(input.utf8), expected: .status(status))
    }

    private static func incomplete(_ name: String, _ input: String) -> HTTPParserCase {
        HTTPParserCase(name: name, input: Array(input.utf8), expected: .incomplete)
    }

    /// Request lines: RFC 9112, 3; llhttp test/request/sample.md, method.md, invalid.md; picohttpparser test.c.
    private static let requestLines: [HTTPParserCase] = [
        ok("simple", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET /"),
        ok("query", "GET /a/b?c=d&e=%20 HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a/b ?c=d&e=%20"),
        ok("empty query", "GET /a? HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a ?"),
        ok("question mark in query", "GET /t.cgi?foo=bar?baz HTTP/1.1\r\nHost: x\r\n\r\n", "GET /t.cgi ?foo=bar?baz"),
        ok("method HEAD", "HEAD /m HTTP/1.1\r\nHost: x\r\n\r\n", "HEAD /m"),
        ok("method POST", "POST /m HTTP/1.1\r\nHost: x\r\n\r\n", "POST /m"),
        ok("method PUT", "PUT /m HTTP/1.1\r\nHost: x\r\n\r\n", "PUT /m"),
        ok("method DELETE", "DELETE /m HTTP/1.1\r\nHost: x\r\n\r\n", "DELETE /m"),
        ok("method OPTIONS", "OPTIONS /m HTTP/1.1\r\nHost: x\r\n\r\n", "OPTIONS /m"),
        ok("method TRACE", "TRACE /m HTTP/1.1\r\nHost: x\r\n\r\n", "TRACE /m"),
        ok("method PATCH", "PATCH /m HTTP/1.1\r\nHost: x\r\n\r\n", "PATCH /m"),
        ok("one empty line before", "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET /"),
        bad(400, "two empty lines before", "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "bare LF before", "\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        ok("HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", "GET /"),
        ok("higher minor version", "GET / HTTP/1.2\r\nHost: x\r\n\r\n", "GET /"),
        bad(505, "HTTP/2.0", "GET / HTTP/2.0\r\nHost: x\r\n\r\n"),
        bad(505, "HTTP/0.9 spelt out", "GET / HTTP/0.9\r\nHost: x\r\n\r\n"),
        bad(505, "HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        bad(505, "HTTP/5.6", "GET / HTTP/5.6\r\nHost: x\r\n\r\n"),
        bad(400, "HTTP/0.9 simple request", "GET /\r\n\r\n"),
        bad(400, "lower-case version", "GET / http/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "version with two digits", "GET / HTTP/1.10\r\nHost: x\r\n\r\n"),
        bad(400, "version with leading zero", "GET / HTTP/01.1\r\nHost: x\r\n\r\n"),
        bad(400, "version without minor", "GET / HTTP/1\r\nHost: x\r\n\r\n"),
        bad(400, "version with comma", "GET / HTTP/1,1\r\nHost: x\r\n\r\n"),
        bad(400, "another protocol", "GET /music/sweet/music ICE/1.0\r\nHost: x\r\n\r\n"),
        bad(400, "misspelt protocol", "GET / HTPP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "version not numeric", "GET / HTTP/x.1\r\nHost: x\r\n\r\n"),
        bad(501, "unknown method", "BREW / HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(501, "lower-case method", "get / HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(501, "CONNECT", "CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(501, "token that is no known method", "MKADMIN+X / HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "method with colon", "GET: / HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "method with parentheses", "G(T / HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "no method", " / HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "two spaces after method", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "two spaces before version", "GET /  HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "space after version", "GET / HTTP/1.1 \r\nHost: x\r\n\r\n"),
        bad(400, "space in target", "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "tab for space", "GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "leading space", " GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "no target", "GET HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "empty target", "GET  HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "bare LF after request line", "GET / HTTP/1.1\nHost: x\r\n\r\n"),
        bad(400, "bare CR in request line", "GET /\rx HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "CR CR LF", "GET / HTTP/1.1\r\r\nHost: x\r\n\r\n"),
        bad(400, "NUL in method", "G\0T / HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "a TLS client's hello", "\u{16}\u{03}\u{01}\u{02}\0\u{01}"),
        incomplete("nothing but a method", "GET "),
        incomplete("a CR to come to its end", "GET / HTTP/1.1\r"),
        incomplete("no end of head", "GET / HTTP/1.1\r\nHost: x\r\n"),
    ]

    /// Targets: RFC 9112, 3.2; RFC 3986; llhttp test/request/uri.md; nginx-tests http_host.t.
    private static let targets: [HTTPParserCase] = [
        ok("absolute-form", "GET http://example.com/a/b?c HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a/b ?c"),
        ok("absolute-form, port", "GET http://example.com:8080/ HTTP/1.1\r\nHost: x\r\n\r\n", "GET /"),
        ok("absolute-form, upper-case scheme", "GET HTTP://example.com/x HTTP/1.1\r\nHost: x\r\n\r\n", "GET /x"),
        ok("absolute-form, https", "GET https://example.com/x HTTP/1.1\r\nHost: x\r\n\r\n", "GET /x"),
        ok("absolute-form without path", "GET http://example.com HTTP/1.1\r\nHost: x\r\n\r\n", "GET /"),
        ok(
            "absolute-form, query without path", "GET http://hypnotoad.org?hail=all HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET / ?hail=all"),
        ok("absolute-form, IPv6", "GET http://[::1]:80/x HTTP/1.1\r\nHost: x\r\n\r\n", "GET /x"),
        bad(400, "absolute-form without host", "GET http:///x HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "absolute-form, user information", "GET http://a:b@host/x HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "absolute-form, user in host", "GET http://a@host/x HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "absolute-form, broken port", "GET http://host:8a/x HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "absolute-form, port out of range", "GET http://host:65536/x HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "absolute-form without Host header", "GET http://host/x HTTP/1.1\r\n\r\n"),
        bad(400, "another scheme", "GET ftp://host/x HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "scheme without slashes", "GET http:x HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "authority-form", "GET example.com:80 HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "relative path", "GET a/b HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "only a query", "GET ?a HTTP/1.1\r\nHost: x\r\n\r\n"),
        ok("asterisk-form", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "OPTIONS *"),
        bad(400, "asterisk of another method", "GET * HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "asterisk and more", "OPTIONS *x HTTP/1.1\r\nHost: x\r\n\r\n"),
        ok("two slashes", "GET //x/y HTTP/1.1\r\nHost: x\r\n\r\n", "GET //x/y"),
        ok("dots stay", "GET /a/../b/. HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a/../b/."),
        ok("percent-encoded UTF-8", "GET /%C3%A9%e2%82%ac HTTP/1.1\r\nHost: x\r\n\r\n", "GET /é€"),
        ok("percent-encoded percent", "GET /%2541 HTTP/1.1\r\nHost: x\r\n\r\n", "GET /%41"),
        ok("plus is not a space", "GET /a+b HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a+b"),
        bad(400, "percent without digits", "GET /% HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "percent with one digit", "GET /%4 HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "percent with other letters", "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "not UTF-8", "GET /%ff HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "overlong UTF-8", "GET /%c0%af HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "surrogate", "GET /%ed%a0%80 HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "percent-encoded NUL", "GET /a%00b HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "raw UTF-8", "GET /δ HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "fragment", "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "DEL", "GET /a\u{7F} HTTP/1.1\r\nHost: x\r\n\r\n"),
        bad(400, "NUL in target", "GET /a\0 HTTP/1.1\r\nHost: x\r\n\r\n"),
        ok("quotes in query", "GET /?a=\"b\" HTTP/1.1\r\nHost: x\r\n\r\n", "GET / ?a=\"b\""),
        ok("8,000 bytes", "GET /\(a(7999)) HTTP/1.1\r\nHost: x\r\n\r\n", "GET /\(a(7999))"),
        bad(414, "9,000 bytes", "GET /\(a(8999)) HTTP/1.1\r\nHost: x\r\n\r\n"),
    ]

    /// Host: RFC 9112, 3.2; nginx-tests http_host.t; Http11Probe's host rules.
    private static let hosts: [HTTPParserCase] = [
        ok("host: dot and port", "GET / HTTP/1.1\r\nHost: abcd-ef.g02.xyz.:88\r\n\r\n", "GET /"),
        ok("host: IPv4-mapped with port", "GET / HTTP/1.1\r\nHost: [::123.45.67.89]:4321\r\n\r\n", "GET /"),
        ok("host: mixed case with port", "GET / HTTP/1.1\r\nHost: AbC-d93.0.34ZhGt-s.nk.Ru:88\r\n\r\n", "GET /"),
        bad(400, "host: path separators", "GET / HTTP/1.1\r\nHost: example.com/\\:552\r\n\r\n"),
        bad(400, "host: leading dots", "GET / HTTP/1.1\r\nHost: ..examp-LE.com\r\n\r\n"),
        bad(400, "host: leading dot", "GET / HTTP/1.1\r\nHost: .a\r\n\r\n"),
        bad(400, "host: empty label", "GET / HTTP/1.1\r\nHost: a..b\r\n\r\n"),
        bad(400, "host: two dots at the end", "GET / HTTP/1.1\r\nHost: com.exa-m.45..:\r\n\r\n"),
        bad(400, "host: separators in brackets", "GET / HTTP/1.1\r\nHost: [abcd::e\\f98:0/:7654:321]\r\n\r\n"),
        bad(400, "host: dots after brackets", "GET / HTTP/1.1\r\nHost: [abcd::ef98:0:7654:321]..:98\r\n\r\n"),
        bad(400, "host: control", "GET / HTTP/1.1\r\nHost: localhost\u{02}\r\n\r\n"),
        bad(400, "host: repeated after a bare LF", "GET / HTTP/1.1\r\nHost: localhost\nHost: again\r\n\r\n"),
        ok("host: name", "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", "GET /"),
        ok("host: port", "GET / HTTP/1.1\r\nHost: example.com:8080\r\n\r\n", "GET /"),
        ok("host: empty port", "GET / HTTP/1.1\r\nHost: example.com:\r\n\r\n", "GET /"),
        ok("host: upper case", "GET / HTTP/1.1\r\nHost: EXAMPLE.com\r\n\r\n", "GET /"),
        ok("host: IPv4", "GET / HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n", "GET /"),
        ok("host: IPv6", "GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n", "GET /"),
        ok("host: IPv6, port", "GET / HTTP/1.1\r\nHost: [abcd::ef98:0:7654:321]:1234\r\n\r\n", "GET /"),
        ok("host: IPv4 in IPv6", "GET / HTTP/1.1\r\nHost: [::ffff:12.30.67.89]\r\n\r\n", "GET /"),
        ok("host: underscore", "GET / HTTP/1.1\r\nHost: a_b\r\n\r\n", "GET /"),
        ok("host: trailing dot", "GET / HTTP/1.1\r\nHost: example.com.\r\n\r\n", "GET /"),
        ok("host: percent", "GET / HTTP/1.1\r\nHost: a%20b\r\n\r\n", "GET /"),
        ok("host: any case of the name", "GET / HTTP/1.1\r\nhOST:x\r\n\r\n", "GET /"),
        bad(400, "host: empty", "GET / HTTP/1.1\r\nHost: \r\n\r\n"),
        bad(400, "host: comma and space", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
        bad(400, "host: space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
        bad(400, "host: user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
        bad(400, "host: slash", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
        bad(400, "host: port with letters", "GET / HTTP/1.1\r\nHost: a:8x\r\n\r\n"),
        bad(400, "host: port twice", "GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n"),
        bad(400, "host: port out of range", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n"),
        bad(400, "host: negative port", "GET / HTTP/1.1\r\nHost: a:-1\r\n\r\n"),
        bad(400, "host: only a port", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n"),
        bad(400, "host: open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
        bad(400, "host: letters after bracket", "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n"),
        bad(400, "host: no IPv6 in brackets", "GET / HTTP/1.1\r\nHost: [abc]\r\n\r\n"),
        bad(400, "host: other letters in brackets", "GET / HTTP/1.1\r\nHost: [::g]\r\n\r\n"),
        bad(400, "host: broken percent", "GET / HTTP/1.1\r\nHost: a%2\r\n\r\n"),
        bad(400, "host: scheme", "GET / HTTP/1.1\r\nHost: http://a\r\n\r\n"),
        bad(400, "host: NUL", "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n"),
        bad(400, "host: backslash", "GET / HTTP/1.1\r\nHost: a\\b\r\n\r\n"),
        bad(400, "host: raw UTF-8", "GET / HTTP/1.1\r\nHost: é\r\n\r\n"),
        bad(400, "host: question mark", "GET / HTTP/1.1\r\nHost: a?b\r\n\r\n"),
        bad(400, "host: fragment", "GET / HTTP/1.1\r\nHost: a#b\r\n\r\n"),
        bad(400, "no Host", "GET / HTTP/1.1\r\nX: y\r\n\r\n"),
        bad(400, "two Hosts", "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"),
        bad(400, "the same Host twice", "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n"),
        bad(400, "two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n"),
        bad(400, "broken Host in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a b\r\n\r\n"),
    ]

    /// Header fields: RFC 9112, 5; llhttp test/request/invalid.md, sample.md; picohttpparser test.c.
    private static let fields: [HTTPParserCase] = [
        ok("empty value", "GET / HTTP/1.1\r\nHost: x\r\nX:\r\n\r\n", "GET /"),
        ok("tabs around a value", "GET / HTTP/1.1\r\nHost: x\r\nX:\t y\t \r\n\r\n", "GET /"),
        ok("every token character", "GET / HTTP/1.1\r\nHost: x\r\n!#$%&'*+-.^_`|~09Az: y\r\n\r\n", "GET /"),
        ok("obs-text", "GET / HTTP/1.1\r\nHost: x\r\nX: é\r\n\r\n", "GET /"),
        ok("colons in value", "GET / HTTP/1.1\r\nHost: x\r\nX: a:b::c\r\n\r\n", "GET /"),
        bad(400, "space before colon", "GET / HTTP/1.1\r\nHost : x\r\n\r\n"),
        bad(400, "tab before colon", "GET / HTTP/1.1\r\nHost: x\r\nX\t: y\r\n\r\n"),
        bad(400, "no colon", "GET / HTTP/1.1\r\nHost: x\r\nX\r\n\r\n"),
        bad(400, "empty name", "GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n"),
        bad(400, "space in name", "GET / HTTP/1.1\r\nHost: x\r\nX Y: z\r\n\r\n"),
        bad(400, "obs-fold", "GET / HTTP/1.1\r\nHost: x\r\nX: y\r\n z\r\n\r\n"),
        bad(400, "obs-fold with tab", "GET / HTTP/1.1\r\nHost: x\r\nX: y\r\n\tz\r\n\r\n"),
        bad(400, "space before first header", "GET / HTTP/1.1\r\n Host: x\r\n\r\n"),
        bad(400, "line of spaces", "GET / HTTP/1.1\r\nHost: x\r\n  \r\n\r\n"),
        bad(400, "bare LF", "GET / HTTP/1.1\r\nHost: x\nX: y\r\n\r\n"),
        bad(400, "bare LF at the end", "GET / HTTP/1.1\r\nHost: x\r\n\n"),
        bad(400, "bare CR in value", "GET / HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n"),
        bad(400, "CR before CRLF", "GET / HTTP/1.1\r\nHost: x\r\nX: a\r\r\n\r\n"),
        bad(400, "NUL in value", "GET / HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n"),
        bad(400, "NUL in name", "GET / HTTP/1.1\r\nHost: x\r\nX\0: a\r\n\r\n"),
        bad(400, "control in value", "GET / HTTP/1.1\r\nHost: x\r\nX: a\u{01}\r\n\r\n"),
        bad(400, "DEL in value", "GET / HTTP/1.1\r\nHost: x\r\nX: a\u{7F}\r\n\r\n"),
        bad(400, "raw UTF-8 in name", "GET / HTTP/1.1\r\nHost: x\r\né: a\r\n\r\n"),
        bad(400, "bracket in name", "GET / HTTP/1.1\r\nHost: x\r\n[X]: a\r\n\r\n"),
        bad(400, "quotes in name", "GET / HTTP/1.1\r\nHost: x\r\n\"X\": a\r\n\r\n"),
        ok("100 headers", "GET / HTTP/1.1\r\nHost: x\r\n" + repeated("X: y\r\n", 99) + "\r\n", "GET /"),
        bad(431, "101 headers", "GET / HTTP/1.1\r\nHost: x\r\n" + repeated("X: y\r\n", 100) + "\r\n"),
        bad(431, "head of 33 KiB", "GET / HTTP/1.1\r\nHost: x\r\nX: \(a(33 << 10))\r\n\r\n"),
    ]

    /// Content-Length: RFC 9112, 6; llhttp test/request/content-length.md; Http11Probe's smuggling rules.
    private static let lengths: [HTTPParserCase] = [
        ok("length", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", "POST /", body: "hello"),
        ok("length zero", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "POST /"),
        ok("leading zeros", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0003\r\n\r\nabc", "POST /", body: "abc"),
        ok(
            "what follows is left", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET /", "POST /",
            body: "abc", rest: 5),
        ok("POST without length", "POST / HTTP/1.1\r\nHost: x\r\n\r\n", "POST /"),
        ok("GET with a body", "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi", "GET /", body: "hi"),
        ok("HTTP/1.0 with a body", "POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi", "POST /", body: "hi"),
        ok(
            "white space around the length", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \t2 \r\n\r\nhi", "POST /",
            body: "hi"),
        incomplete("body to come", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nab"),
        bad(400, "length: plus", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello"),
        bad(400, "length: minus", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\nhello"),
        bad(400, "length: list", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 5\r\n\r\nhello"),
        bad(400, "length: list without space", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5,5\r\n\r\nhello"),
        bad(400, "length: hexadecimal", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x5\r\n\r\nhello"),
        bad(400, "length: letters", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5a\r\n\r\nhello"),
        bad(400, "length: space inside", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4 2\r\n\r\nhello"),
        bad(400, "length: empty", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \r\n\r\nhello"),
        bad(400, "length: fraction", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5.0\r\n\r\nhello"),
        bad(400, "length: quotes", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \"5\"\r\n\r\nhello"),
        bad(400, "length: underscore", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1_0\r\n\r\nhello"),
        bad(400, "length: other digits", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ٥\r\n\r\nhello"),
        bad(400, "length: semicolon", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5;\r\n\r\nhello"),
        bad(400, "length twice", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
        bad(400, "two lengths", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\ncontent-length: 6\r\n\r\nhello"),
        bad(400, "space before the length's colon", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n\r\nhello"),
        bad(413, "length over the limit", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 33554433\r\n\r\n"),
        bad(413, "length of 2^64", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551616\r\n\r\n"),
        bad(
            413, "length of many digits",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999999999999\r\n\r\n"),
        bad(417, "unknown expectation", "POST / HTTP/1.1\r\nHost: x\r\nExpect: 200-ok\r\n\r\n"),
        ok("expectation in HTTP/1.0", "GET / HTTP/1.0\r\nExpect: x\r\n\r\n", "GET /"),
        ok(
            "100-continue", "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\nhi",
            "POST /", body: "hi"),
    ]

    /// Transfer-Encoding: RFC 9112, 6.1; llhttp test/request/transfer-encoding.md; http-garden TROPHIES.md; Http11Probe.
    private static let codings: [HTTPParserCase] = [
        ok("chunked", chunked + "0\r\n\r\n", "POST /"),
        ok(
            "chunked, any case", "POST / HTTP/1.1\r\nHost: x\r\ntransfer-encoding: Chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
            "POST /", body: "a"),
        bad(
            501, "coding: gzip, chunked",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        bad(501, "coding: identity", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
        bad(501, "coding: unknown", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        bad(501, "coding: deflate", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: deflate\r\n\r\n0\r\n\r\n"),
        bad(
            400, "coding: chunked twice",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
        bad(
            400, "coding: chunked not last",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
        bad(400, "coding: empty", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \r\n\r\n0\r\n\r\n"),
        bad(400, "coding: comma after", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked,\r\n\r\n0\r\n\r\n"),
        bad(400, "coding: comma before", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n"),
        bad(400, "coding: parameter", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n"),
        bad(400, "coding: quoted", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
        bad(
            400, "coding: vertical tab",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \u{0B}chunked\r\n\r\n0\r\n\r\n"),
        bad(400, "coding: space inside", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunk ed\r\n\r\n0\r\n\r\n"),
        bad(400, "coding: NUL", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\0\r\n\r\n0\r\n\r\n"),
        bad(
            400, "coding: form feed", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\u{0C}\r\n\r\n0\r\n\r\n"),
        bad(
            400, "coding header twice",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        bad(
            400, "coding and length",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
        bad(
            400, "length and coding",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        bad(
            400, "unknown coding and length",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\n\r\nhello"),
        bad(400, "coding in HTTP/1.0", "POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        bad(400, "folded coding", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
        bad(
            400, "space before the coding's colon",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    ]

    /// Chunks: RFC 9112, 7.1; nginx-tests body_chunked.t; hyper decode.rs; http-garden TROPHIES.md; picohttpparser test.c.
    private static let chunks: [HTTPParserCase] = [
        ok(
            "extensions of many kinds",
            chunked
                + "5;ilovew3;somuchlove=aretheseparametersfor;another=withvalue\r\nhello\r\n6;blahblah;blah\r\n world\r\n0\r\n\r\n",
            "POST /", body: "hello world"),
        ok(
            "quoted extensions with escapes",
            chunked + "5;ilovew3=\"I \\\"love\\\"; \\\\extensions\\\\\";blah;foo=bar\r\nhello\r\n0\r\n\r\n", "POST /",
            body: "hello"),
        bad(400, "chunk: unbalanced quotes", chunked + "5;a=\"abc\";b=\"def; ghi\r\nhello\r\n0\r\n\r\n"),
        bad(400, "chunk: text after size without semicolon", chunked + "2 erfrferferf\r\naa\r\n0 rrrr\r\n\r\n"),
        bad(501, "coding: pigeons", "PUT /url HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: pigeons\r\n\r\n"),
        bad(
            400, "coding: empty, with length",
            "POST /first HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\nContent-Length: 5\r\n\r\nhello"),
        ok("two chunks", chunked + "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "POST /", body: "hello world"),
        ok(
            "hexadecimal, both cases", chunked + "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "POST /",
            body: "01234567890123456789"),
        ok("leading zeros in size", chunked + "0005\r\nhello\r\n000\r\n\r\n", "POST /", body: "hello"),
        ok("CRLF in data", chunked + "4\r\n\r\n\r\n\r\n0\r\n\r\n", "POST /", body: "\r\n\r\n"),
        ok("extension", chunked + "5;ext\r\nhello\r\n0\r\n\r\n", "POST /", body: "hello"),
        ok("extensions with values", chunked + "5;a=b;c=d\r\nhello\r\n0;e\r\n\r\n", "POST /", body: "hello"),
        ok("quoted extension", chunked + "5;a=\"b;\\\"c\"\r\nhello\r\n0\r\n\r\n", "POST /", body: "hello"),
        ok("trailers", chunked + "1\r\na\r\n0\r\nX: y\r\nZ: w\r\n\r\n", "POST /", body: "a"),
        ok("framing fields in trailers are dropped", chunked + "0\r\nContent-Length: 5\r\n\r\n", "POST /"),
        ok("the next request is left", chunked + "1\r\na\r\n0\r\n\r\nGET / ", "POST /", body: "a", rest: 6),
        incomplete("end to come", chunked + "1\r\na\r\n0\r\n"),
        incomplete("data to come", chunked + "5\r\nhel"),
        incomplete("size to come", chunked + "5"),
        bad(400, "chunk: no size", chunked + "\r\n"),
        bad(400, "chunk: letters", chunked + "g\r\n"),
        bad(400, "chunk: 0x", chunked + "0x5\r\nhello\r\n"),
        bad(400, "chunk: plus", chunked + "+5\r\nhello\r\n"),
        bad(400, "chunk: minus", chunked + "-1\r\n"),
        bad(400, "chunk: space before", chunked + " 5\r\nhello\r\n"),
        bad(400, "chunk: space after", chunked + "5 \r\nhello\r\n"),
        bad(400, "chunk: tab after", chunked + "5\t\r\nhello\r\n"),
        bad(400, "chunk: space before extension", chunked + "5 ;a\r\nhello\r\n"),
        bad(400, "chunk: underscore", chunked + "1_0\r\n"),
        bad(400, "chunk: sixteen digits", chunked + "0000000000000005\r\nhello\r\n"),
        bad(400, "chunk: overflow", chunked + "ffffffffffffffff\r\n"),
        bad(400, "chunk: more overflow", chunked + "10000000000000005\r\nhello\r\n"),
        bad(400, "chunk: LF after size", chunked + "5\nhello\r\n"),
        bad(400, "chunk: CR after size", chunked + "5\rhello\r\n"),
        bad(400, "chunk: LF after data", chunked + "5\r\nhello\n0\r\n\r\n"),
        bad(400, "chunk: CR after data", chunked + "5\r\nhello\r0\r\n\r\n"),
        bad(400, "chunk: data too long", chunked + "5\r\nhelloo\r\n0\r\n\r\n"),
        bad(400, "chunk: data too short", chunked + "5\r\nhell\r\n0\r\n\r\n"),
        bad(400, "chunk: nothing after data", chunked + "5\r\nhello0\r\n\r\n"),
        bad(400, "chunk: bare semicolon", chunked + "5;\r\nhello\r\n"),
        bad(400, "chunk: two semicolons", chunked + "5;;a\r\nhello\r\n"),
        bad(400, "chunk: extension without name", chunked + "5;=a\r\nhello\r\n"),
        bad(400, "chunk: extension without value", chunked + "5;a=\r\nhello\r\n"),
        bad(400, "chunk: LF in extension", chunked + "5;a\nhello\r\n"),
        bad(400, "chunk: CR in extension", chunked + "5;a\rb\r\nhello\r\n"),
        bad(400, "chunk: NUL in extension", chunked + "5;a\0\r\nhello\r\n"),
        bad(400, "chunk: open quote", chunked + "5;a=\"b\r\nhello\r\n"),
        bad(400, "chunk: text after quote", chunked + "5;a=\"b\"c\r\nhello\r\n"),
        bad(400, "chunk: LF in quote", chunked + "5;a=\"\n\"\r\nhello\r\n"),
        bad(400, "chunk: LF for the end", chunked + "0\r\n\n"),
        bad(400, "chunk: LF after last size", chunked + "0\n\r\n"),
        bad(400, "chunk: trailer without colon", chunked + "0\r\nX\r\n\r\n"),
        bad(400, "chunk: trailer with space before colon", chunked + "0\r\nX : y\r\n\r\n"),
        bad(400, "chunk: folded trailer", chunked + "0\r\nX: y\r\n z\r\n\r\n"),
        bad(400, "chunk: LF in trailer", chunked + "0\r\nX: y\nZ: w\r\n\r\n"),
        bad(400, "chunk: CR in trailer", chunked + "0\r\nX: y\rz\r\n\r\n"),
        bad(400, "chunk: NUL in trailer", chunked + "0\r\nX: \0\r\n\r\n"),
        bad(400, "chunk: body after the end that is a trailer", chunked + "0\r\nGET / HTTP/1.1\r\nHost x\r\n\r\n"),
        bad(413, "chunk over the limit", chunked + "2000001\r\n"),
        bad(413, "chunk of fifteen digits", chunked + "fffffffffffffff\r\n"),
        bad(400, "endless extension", chunked + "1;\(a(5000))\r\n"),
        bad(431, "endless trailers", chunked + "0\r\nX: \(a(9000))\r\n\r\n"),
    ]
}
