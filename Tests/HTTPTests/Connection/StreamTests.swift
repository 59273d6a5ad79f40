import Concurrency
import Dispatch
import Glibc
import Synchronization
import Testing

@testable import HTTP

/// A stream of pieces of a fixed size, made on another thread.
final class CountedStream: BodyStream, @unchecked Sendable {
    let pieces: Int
    let size: Int
    let fails: Bool
    let made = Atomic(0)

    init(pieces: Int, size: Int, fails: Bool = false) {
        self.pieces = pieces
        self.size = size
        self.fails = fails
    }

    func next(_ deliver: @escaping @Sendable (BodyPiece) -> Void) {
        DispatchQueue.global().async { [self] in
            let number = made.add(1, ordering: .relaxed).newValue
            if number <= pieces {
                deliver(.bytes([UInt8](repeating: UInt8(truncatingIfNeeded: number), count: size)))
            } else {
                deliver(fails ? .failed : .end)
            }
        }
    }

    var heldBytes: Int { size }

    var body: [UInt8] { (1...pieces).flatMap { [UInt8](repeating: UInt8(truncatingIfNeeded: $0), count: size) } }
}

private final class StreamHandler: RequestHandler, AcceptedRequest {
    let stream: CountedStream
    let writers = Locked<[any ResponseWriter]>([])
    init(_ stream: CountedStream) { self.stream = stream }

    func handle(_ request: HTTPRequest, _ writer: any ResponseWriter) {
        writers.withLock { $0.append(writer) }
        writer.respond(
            request.path == "/stream"
                ? HTTPResponse(status: 200, stream: stream) : TestHandler.text(Array("other".utf8)))
    }

    func begin(_ head: HTTPRequest) -> RequestDecision { .accept(self, maxBodyBytes: nil) }
    func failure(status: Int, code: String, message: String, path: String?) -> HTTPResponse {
        HTTPResponse(status: status)
    }
}

/// Responses that are made while they are sent, over real sockets.
@Suite(.serialized) struct StreamTests {
    private func withServer(_ stream: CountedStream, _ body: (StreamHandler, Int) throws -> Void) throws {
        let handler = StreamHandler(stream)
        try HTTPTests.withServer(of: handler) { _, port in try body(handler, port) }
    }

    @Test func chunksKeepTheConnection() throws {
        let stream = CountedStream(pieces: 20, size: 100_000)
        try withServer(stream) { _, port in
            let client = try TestClient(port: port)
            try client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\nGET /other HTTP/1.1\r\nHost: x\r\n\r\n")
            let answer = try client.receive()
            #expect(answer.headers["transfer-encoding"] == "chunked" && answer.headers["content-length"] == nil)
            #expect(answer.body == stream.body)
            #expect(try client.receive().text == "other")
        }
    }

    @Test func http10EndsWithTheConnection() throws {
        let stream = CountedStream(pieces: 5, size: 10_000)
        try withServer(stream) { _, port in
            let client = try TestClient(port: port)
            try client.send("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            let answer = try client.receive(untilEnd: true)
            #expect(answer.headers["transfer-encoding"] == nil && answer.headers["connection"] == "close")
            #expect(answer.body == stream.body)
        }
    }

    @Test func headHasNone() throws {
        let stream = CountedStream(pieces: 5, size: 10_000)
        try withServer(stream) { _, port in
            let client = try TestClient(port: port)
            try client.send("HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try client.receive(head: true).status == 200)
            try client.send("GET /other HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try client.receive().text == "other")
            #expect(stream.made.load(ordering: .relaxed) == 0)
        }
    }

    /// The socket's buffers hold some megabytes. Beyond them, nothing is made for a client that does not read.
    @Test func slowReadersHoldNothing() throws {
        let stream = CountedStream(pieces: 60, size: 1 << 20)
        try withServer(stream) { _, port in
            let client = try TestClient(port: port, receiveBuffer: 4096)
            try client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
            var last = -1
            #expect(
                eventually {
                    let made = stream.made.load(ordering: .relaxed)
                    defer { last = made }
                    usleep(50_000)
                    return made > 0 && made == last
                })
            #expect(last < 20)
            #expect(try client.receive().body.count == 60 << 20)
            #expect(stream.made.load(ordering: .relaxed) == 61)
        }
    }

    @Test func goneClientsEndIt() throws {
        let stream = CountedStream(pieces: 1000, size: 1 << 20)
        try withServer(stream) { handler, port in
            let client = try TestClient(port: port)
            try client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(eventually { stream.made.load(ordering: .relaxed) > 1 })
            client.reset()
            #expect(eventually { handler.writers.withLock { $0.first?.isCancelled } == true })
            let made = stream.made.load(ordering: .relaxed)
            usleep(50_000)
            #expect(stream.made.load(ordering: .relaxed) <= made + 1)
        }
    }

    /// Without the last chunk a client knows that something is missing.
    @Test func failuresBreakOff() throws {
        let stream = CountedStream(pieces: 2, size: 1000, fails: true)
        try withServer(stream) { _, port in
            let client = try TestClient(port: port)
            try client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(throws: (any Error).self) { try client.receive() }
        }
    }
}
