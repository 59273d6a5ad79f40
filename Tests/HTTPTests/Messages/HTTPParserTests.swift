import Testing

@testable import HTTP

/// The result of parsing some bytes.
enum Parsed: Equatable {
    /// A request of `used` bytes.
    case request(line: String, headers: [String], body: String, used: Int)
    case incomplete
    case error(Int)
}

@Suite struct HTTPParserTests {
    static func parse(_ bytes: [UInt8], step: Int, limits: HTTPLimits = HTTPLimits()) -> (Parsed, HTTPParser) {
        var parser = HTTPParser(limits: limits)
        var used = 0
        var visible = 0
        do throws(HTTPParseError) {
            while visible < bytes.count {
                visible = min(bytes.count, visible + step)
                while used < visible, parser.phase != .complete {
                    let count = try bytes[used..<visible].withUnsafeBufferPointer { (part) throws(HTTPParseError) in
                        try parser.parse(part)
                    }
                    used += count
                }
            }
        } catch {
            return (.error(error.status), parser)
        }
        guard parser.phase == .complete else { return (.incomplete, parser) }
        let request = parser.request
        let line = "\(request.method) \(request.path)" + (request.query.map { " ?\($0)" } ?? "")
        return (
            .request(
                line: line, headers: request.headers.fields.map { "\($0.name)=\($0.value)" },
                body: String(decoding: request.body, as: UTF8.self), used: used), parser
        )
    }

    @Test func everyCaseWholeAndByteByByte() throws {
        let cases = try HTTPParserCase.all.get()
        #expect(cases.count >= 800)
        #expect(Set(cases.map(\.input)).count == cases.count)
        for one in cases {
            let steps = one.input.count < 20_000 ? [Int.max / 2, 1, 2, 7] : [Int.max / 2, 1]
            for step in steps {
                let (parsed, _) = Self.parse(one.input, step: step)
                let label = "\(one.testDescription), \(step) bytes at a time"
                switch (one.expected, parsed) {
                case (.request(let line, let body, let rest), .request(let gotLine, _, let gotBody, let used)):
                    #expect(Array(gotLine.utf8) == line, "\(label)")
                    #expect(Array(gotBody.utf8) == body, "\(label)")
                    #expect(used == one.input.count - rest, "\(label)")
                case (.incomplete, .incomplete): break
                case (.status(let status), .error(let got)): #expect(got == status, "\(label)")
                default: Issue.record("\(label): \(parsed) where \(one.expected) was expected")
                }
            }
        }
    }

    /// The result is the same however the bytes are cut, also for bytes that no table holds.
    @Test func cutsDoNotMatter() throws {
        var random = SystemRandomNumberGenerator()
        for one in try HTTPParserCase.all.get() where (1..<2000).contains(one.input.count) {
            var bytes = one.input
            let position = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<3, using: &random) {
            case 0: bytes[position] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes.remove(at: position)
            default: bytes.insert([0x0D, 0x0A, 0x20, 0x3A, 0x30].randomElement(using: &random) ?? 0, at: position)
            }
            let whole = Self.parse(bytes, step: .max / 2).0
            for step in [1, 3, 16] { #expect(Self.parse(bytes, step: step).0 == whole, "\(bytes)") }
        }
    }

    @Test func keepsHeadersInOrder() {
        let text = "GET / HTTP/1.1\r\nHost: x:80\r\nA: 1\r\nB:\t two words \t\r\na: 2\r\nEmpty:\r\n\r\n"
        let (parsed, parser) = Self.parse(Array(text.utf8), step: 1)
        #expect(
            parsed
                == .request(
                    line: "GET /", headers: ["Host=x:80", "A=1", "B=two words", "a=2", "Empty="], body: "",
                    used: text.utf8.count))
        #expect(parser.request.headers["EMPTY"] == "")
        #expect(parser.request.headers["a"] == "1")
    }

    /// The headers' memory is reused, but never while a copy of the previous request exists.
    @Test(arguments: [Int.max / 2, 1]) func startsOver(step: Int) throws {
        var parser = HTTPParser(limits: HTTPLimits())
        func next(_ text: String) throws -> HTTPRequest {
            let bytes = Array(text.utf8)
            var used = 0
            while used < bytes.count, parser.phase != .complete {
                let end = min(bytes.count, used + min(step, bytes.count))
                used += try bytes[used..<end].withUnsafeBufferPointer { (part) throws(HTTPParseError) in
                    try parser.parse(part)
                }
            }
            #expect(parser.phase == .complete && used == bytes.count)
            defer { parser.startOver() }
            return parser.request
        }
        let long = String(repeating: "v", count: 500)
        let first = try next("POST /a?b HTTP/1.1\r\nHost: one\r\nX: \(long)\r\nContent-Length: 2\r\n\r\nhi")
        let second = try next("GET /c HTTP/1.0\r\nY: 2\r\n\r\n")
        #expect(first.method == "POST" && first.path == "/a" && first.query == "b" && first.body == Array("hi".utf8))
        #expect(first.headers == ["Host": "one", "X": long, "Content-Length": "2"])
        #expect(second.method == "GET" && second.path == "/c" && second.query == nil && second.body.isEmpty)
        #expect(second.headers == ["Y": "2"] && second.headers["X"] == nil)
        let capacity = parser.request.headers.capacity
        #expect(try next("GET / HTTP/1.1\r\nHost: x\r\n\r\n").headers.capacity == capacity)
        parser.releaseBuffers()
        #expect(parser.request.headers.capacity <= 1024)
        #expect(try next("GET / HTTP/1.1\r\nHost: three\r\n\r\n").headers["host"] == "three")
    }

    @Test func headersKeepTheirOrder() {
        var headers: HTTPHeaders = ["A": "1", "b": "2", "a": "3", "": "4"]
        #expect(headers.count == 4 && headers["a"] == "1" && headers["B"] == "2" && headers[""] == "4")
        #expect(headers.values("A") == ["1", "3"] && headers.list("a") == "1,3" && headers.list("c") == nil)
        headers.set("a", "5")
        #expect(headers.fields.map(\.name) == ["b", "", "a"] && headers.fields.map(\.value) == ["2", "4", "5"])
        #expect(headers != ["b": "2", "": "4", "A": "5"])
    }

    @Test(arguments: [
        ("HTTP/1.1", "X: y", true), ("HTTP/1.1", "Connection: close", false), ("HTTP/1.1", "Connection: CLOSE", false),
        ("HTTP/1.1", "Connection: keep-alive", true), ("HTTP/1.1", "Connection: upgrade, close", false),
        ("HTTP/1.1", "connection: a ,\tclose , b", false), ("HTTP/1.1", "Connection: closed", true),
        ("HTTP/1.0", "X: y", false), ("HTTP/1.0", "Connection: keep-alive", true),
        ("HTTP/1.0", "Connection: keep-alive, close", false), ("HTTP/1.1", "Connection: close\r\nConnection: a", false),
    ])
    func keepAlive(version: String, field: String, expected: Bool) {
        let (_, parser) = Self.parse(Array("GET / \(version)\r\nHost: x\r\n\(field)\r\n\r\n".utf8), step: 3)
        #expect(parser.phase == .complete)
        #expect(parser.keepAlive == expected)
    }

    @Test func appliesLimitsAtTheirEdges() {
        var limits = HTTPLimits()
        limits.maxTargetBytes = 100
        limits.maxHeadBytes = 1000
        limits.maxHeaders = 5
        limits.maxBodyBytes = 20
        limits.maxChunkExtensionBytes = 10
        limits.maxTrailerBytes = 30
        func status(_ text: String) -> Int? {
            let results = [Int.max / 2, 1, 3].map { Self.parse(Array(text.utf8), step: $0, limits: limits).0 }
            #expect(results.allSatisfy { $0 == results[0] })
            switch results[0] {
            case .request: return 200
            case .incomplete: return nil
            case .error(let status): return status
            }
        }
        func a(_ count: Int) -> String { String(repeating: "a", count: count) }
        let start = "POST / HTTP/1.1\r\nHost: x\r\n"
        #expect(status("GET /\(a(99)) HTTP/1.1\r\nHost: x\r\n\r\n") == 200)
        #expect(status("GET /\(a(100)) HTTP/1.1\r\nHost: x\r\n\r\n") == 414)
        #expect(status("GET /\(a(2000))") == 414)
        #expect(status(a(2000)) == 501)
        #expect(status(start + "X: \(a(1000 - start.utf8.count - 7))\r\n\r\n") == 200)
        #expect(status(start + "X: \(a(1000 - start.utf8.count - 6))\r\n\r\n") == 431)
        #expect(status(start + a(2000)) == 431)
        #expect(status(start + "A: 1\r\nA: 2\r\nA: 3\r\nA: 4\r\n\r\n") == 200)
        #expect(status(start + "A: 1\r\nA: 2\r\nA: 3\r\nA: 4\r\nA: 5\r\n\r\n") == 431)
        #expect(status(start + "Content-Length: 20\r\n\r\n\(a(20))") == 200)
        #expect(status(start + "Content-Length: 21\r\n\r\n") == 413)
        let chunked = start + "Transfer-Encoding: chunked\r\n\r\n"
        #expect(status(chunked + "14\r\n\(a(20))\r\n0\r\n\r\n") == 200)
        #expect(status(chunked + "15\r\n") == 413)
        #expect(status(chunked + "a\r\n\(a(10))\r\nb\r\n") == 413)
        #expect(status(chunked + "1;a=\(a(7))\r\na\r\n0\r\n\r\n") == 200)
        #expect(status(chunked + "1;a=\(a(8))\r\na\r\n0\r\n\r\n") == 400)
        // The bound holds for all chunks together.
        #expect(status(chunked + "1;aaaa\r\na\r\n1;aaaaaa\r\na\r\n0\r\n\r\n") == 400)
        #expect(status(chunked + "0\r\nX: \(a(23))\r\n\r\n") == 200)
        #expect(status(chunked + "0\r\nX: \(a(24))\r\n\r\n") == 431)
    }
}
