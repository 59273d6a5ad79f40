import CSystem
import Dispatch
import Glibc
import Synchronization
import Testing

@testable import HTTP

/// Tests over real sockets on 127.0.0.1, one at a time, since some count descriptors.
@Suite(.serialized) struct HTTPServerTests {
    let handler = TestHandler()

    /// Runs a server of `handler` during `body`, then drains it and waits for the end.
    func withServer(_ limits: HTTPLimits = HTTPLimits(), _ body: (HTTPServer, Int) throws -> Void) throws {
        try HTTPTests.withServer(of: handler, limits, body)
    }

    func limits(_ change: (inout HTTPLimits) -> Void) -> HTTPLimits {
        var limits = HTTPLimits()
        limits.timerTickSeconds = 0.02
        change(&limits)
        return limits
    }

    @Test func keepsConnectionsAlive() throws {
        try withServer { _, port in
            let client = try TestClient(port: port)
            for number in 0..<5 {
                try client.send("GET /a%20b?n=\(number) HTTP/1.1\r\nHost: x\r\n\r\n")
                let answer = try client.receive()
                #expect(answer.status == 200)
                #expect(answer.text == "GET /a b n=\(number) 0")
                #expect(answer.headers["connection"] == nil)
                #expect(answer.headers["date"]?.hasSuffix(" GMT") == true)
                #expect(answer.headers["date"]?.utf8.count == 29)
            }
            try client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            #expect(try client.receive().headers["connection"] == "close")
            #expect(try client.isEnded())
        }
    }

    @Test func speaksHTTP10() throws {
        try withServer { _, port in
            let client = try TestClient(port: port)
            try client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            #expect(try client.receive().headers["connection"] == "keep-alive")
            try client.send("GET / HTTP/1.0\r\n\r\n")
            #expect(try client.receive().headers["connection"] == "close")
            #expect(try client.isEnded())
        }
    }

    @Test func answersPipelinedRequestsInOrder() throws {
        try withServer { _, port in
            let client = try TestClient(port: port)
            let requests = (0..<50).map {
                "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: \("\($0)".count)\r\n\r\n\($0)"
            }
            try client.send(requests.joined())
            for number in 0..<50 { #expect(try client.receive().text == "\(number)") }
        }
    }

    /// More is pipelined than is ever read ahead: the sender is held up, not the server's memory filled.
    @Test func pausesReadingWhileAnAnswerIsOutstanding() throws {
        try withServer(limits { $0.maxReadAheadBytes = 1000 }) { _, port in
            let client = try TestClient(port: port)
            let body = String(repeating: "x", count: 3000)
            let request = "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 3000\r\n\r\n\(body)"
            try client.send(String(repeating: request, count: 4))
            for _ in 0..<4 { #expect(try client.receive().text == "slow") }
        }
    }

    @Test func decodesChunks() throws {
        try withServer { _, port in
            let client = try TestClient(port: port)
            for _ in 0..<2 {
                try client.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")
                try client.send("lo\r\n6;a=b\r\n world\r\n0\r\nX: y\r\n\r\n")
                #expect(try client.receive().text == "hello world")
            }
        }
    }

    @Test func continuesWhenAsked() throws {
        try withServer { _, port in
            let client = try TestClient(port: port)
            let head = "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: "
            for _ in 0..<2 {
                try client.send(head + "2\r\n\r\n")
                #expect(try client.receive().status == 100)
                try client.send("hi")
                #expect(try client.receive().text == "hi")
            }
            // No interim answer when the body is there already, or there is none.
            try client.send(head + "2\r\n\r\nhi")
            #expect(try client.receive().text == "hi")
            try client.send(head + "0\r\n\r\n")
            #expect(try client.receive().status == 200)
            try client.send(head + "33554433\r\n\r\n")
            #expect(try client.receive().status == 413)
            #expect(try client.isEnded())
        }
    }

    @Test func headHasTheSameHeadersAndNoBody() throws {
        try withServer { _, port in
            let client = try TestClient(port: port)
            try client.send("HEAD /large HTTP/1.1\r\nHost: x\r\n\r\n")
            let answer = try client.receive(head: true)
            #expect(answer.headers["content-length"] == "\(50 << 20)")
            try client.send("GET /empty HTTP/1.1\r\nHost: x\r\n\r\n")
            let empty = try client.receive()
            #expect(empty.status == 204)
            #expect(empty.headers["content-length"] == nil)
        }
    }

    @Test func answersAfterTheClientHasShutItsSide() throws {
        try withServer { _, port in
            let client = try TestClient(port: port)
            try client.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\nGET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            client.shutdownWriting()
            #expect(try client.receive().text == "slow")
            #expect(try client.receive().text == "slow")
            #expect(try client.isEnded())
            let partial = try TestClient(port: port)
            try partial.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhi")
            partial.shutdownWriting()
            #expect(try partial.receive().status == 400)
        }
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\nX: " + String(repeating: "a", count: 40000) + "\r\n\r\n", 431),
        ("GET /" + String(repeating: "a", count: 9000) + " HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        ("BREW / HTTP/1.1\r\nHost: x\r\n\r\n", 501),
        ("GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        ("GET / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n", 417),
    ])
    func answersErrorsAndCloses(request: String, status: Int) throws {
        try withServer { _, port in
            let client = try TestClient(port: port)
            // Nothing after the error is parsed.
            try client.send(request + "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            let answer = try client.receive()
            #expect(answer.status == status)
            #expect(answer.headers["connection"] == "close")
            #expect(try client.isEnded())
            #expect(handler.handled.load(ordering: .relaxed) == 0)
        }
    }

    /// The answer must survive all that the client has still to send.
    @Test func refusesLargeBodiesWithAnAnswerThatArrives() throws {
        try withServer(limits { $0.maxBodyBytes = 1000 }) { _, port in
            let client = try TestClient(port: port)
            try client.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n")
            try client.send([UInt8](repeating: 65, count: 4 << 20))
            #expect(try client.receive().status == 413)
            #expect(try client.isEnded())
        }
    }

    @Test func timesOut() throws {
        let short = limits {
            $0.firstByteSeconds = 0.2
            $0.headSeconds = 0.3
            $0.bodyIdleSeconds = 0.3
            $0.minBodyRate = 1000
            $0.keepAliveSeconds = 0.2
        }
        try withServer(short) { _, port in
            let silent = try TestClient(port: port)
            #expect(try silent.isEnded())

            let slow = try TestClient(port: port)
            // A byte now and then does not extend the head's time.
            try slow.send("GET / HTTP/1.1\r\n")
            for _ in 0..<4 {
                usleep(50_000)
                try slow.send("X")
            }
            #expect(try slow.receive().status == 408)

            let idle = try TestClient(port: port)
            try idle.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhi")
            #expect(try idle.receive().status == 408)

            // Never idle, but below the least rate.
            let trickle = try TestClient(port: port)
            try trickle.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n")
            for _ in 0..<5 {
                usleep(60_000)
                try trickle.send("x")
            }
            #expect(try trickle.receive().status == 408)

            let kept = try TestClient(port: port)
            try kept.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try kept.receive().status == 200)
            #expect(try kept.isEnded())
        }
    }

    @Test func givesUpOnReadersThatStop() throws {
        try withServer(limits { $0.writeIdleSeconds = 0.2 }) { server, port in
            let client = try TestClient(port: port, receiveBuffer: 4096)
            try client.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(eventually { handler.handled.load(ordering: .relaxed) == 1 })
            #expect(eventually { server.connectionCount == 0 })
        }
    }

    @Test func writesLargeAnswersToSlowReaders() throws {
        try withServer { _, port in
            let client = try TestClient(port: port, receiveBuffer: 65536)
            try client.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            usleep(100_000)
            let body = try client.receive().body
            #expect(body.count == 50 << 20)
            let right = body.withUnsafeBytes { bytes in
                guard let start = bytes.baseAddress, bytes.count == 50 << 20 else { return false }
                return (0..<50).allSatisfy { number in
                    let expected = [UInt8](repeating: UInt8(number), count: 1 << 20)
                    return memcmp(start + (number << 20), expected, 1 << 20) == 0
                }
            }
            #expect(right)
        }
    }

    @Test func tellsTheHandlerThatTheClientHasGone() throws {
        try withServer { _, port in
            let client = try TestClient(port: port)
            try client.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(eventually { handler.held.withLock { $0.count } == 1 })
            let writer = try #require(handler.held.withLock { $0.first })
            #expect(!writer.isCancelled)
            client.reset()
            #expect(eventually { writer.isCancelled })
            writer.respond(TestHandler.text([]))
        }
    }

    /// A closed connection and one that is shut on the client's side look the same until something is written: the former
    /// cancels its work, the latter gets its answer, after an interim one.
    @Test func tellsAClosedConnectionFromAHalfClosedOne() throws {
        try withServer(limits { $0.probeSeconds = 0.05 }) { server, port in
            var gone: TestClient? = try TestClient(port: port)
            try gone?.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(eventually { handler.held.withLock { $0.count } == 1 })
            let writer = try #require(handler.held.withLock { $0.first })
            gone = nil
            #expect(eventually { writer.isCancelled && server.connectionCount == 0 })

            for version in ["1.1", "1.0"] {
                let client = try TestClient(port: port)
                try client.send("GET /hold HTTP/\(version)\r\nHost: x\r\n\r\n")
                client.shutdownWriting()
                #expect(eventually { handler.held.withLock { $0.count } == (version == "1.1" ? 2 : 3) })
                let writer = try #require(handler.held.withLock { $0.last })
                if version == "1.1" { #expect(try client.receive().status == 100) } else { usleep(150_000) }
                #expect(!writer.isCancelled)
                writer.respond(TestHandler.text(Array("here".utf8)))
                #expect(try client.receive().text == "here")
                #expect(try client.isEnded())
            }
        }
    }

    /// The bytes that all clients together may make the server hold are limited.
    @Test func boundsWhatItHolds() throws {
        try withServer(limits { $0.maxBufferedBytes = 300_000 }) { server, port in
            let head = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n"
            let body = [UInt8](repeating: 65, count: 199_999)
            let first = try TestClient(port: port)
            try first.send(head)
            try first.send(body)
            #expect(eventually { server.queue.sync { server.bufferedBytes } == 199_999 })
            let second = try TestClient(port: port)
            try second.send(head)
            try second.send(body)
            #expect(try second.receive().status == 503)
            #expect(try second.isEnded())
            try first.send("A")
            #expect(try first.receive().body.count == 200_000)
            #expect(eventually { server.queue.sync { server.bufferedBytes } == 0 })
            try first.send(head)
            try first.send(body + [65])
            #expect(try first.receive().status == 200)
        }
    }

    /// Responses count too. A slow reader keeps others from large ones, but not from small ones, and only for a while.
    @Test func boundsWhatSlowReadersHold() throws {
        try withServer(
            limits {
                $0.maxBufferedBytes = 60 << 20
                $0.holdSeconds = 0.5
            }
        ) { server, port in
            let slow = try TestClient(port: port, receiveBuffer: 4096)
            try slow.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(eventually { server.queue.sync { server.bufferedBytes } > 30 << 20 })
            let other = try TestClient(port: port)
            try other.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try other.receive().status == 503)
            #expect(try other.receive().text == "GET /a - 0")
            // A small body is small also when it comes in two parts.
            try other.send(
                "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 300\r\n\r\n" + String(repeating: "a", count: 100))
            usleep(50_000)
            try other.send(String(repeating: "b", count: 100))
            usleep(50_000)
            try other.send(String(repeating: "c", count: 100))
            #expect(try other.receive().body.count == 300)
            usleep(700_000)
            try other.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try other.receive().body.count == 50 << 20)
            #expect(throws: (any Error).self) { try slow.receive() }
            #expect(eventually { server.queue.sync { server.bufferedBytes } == 0 })
        }
    }

    /// A body that arrives slowly is evicted as well.
    @Test func slowBodiesGiveWay() throws {
        try withServer(
            limits {
                $0.maxBufferedBytes = 300_000
                $0.holdSeconds = 0.5
            }
        ) { server, port in
            let head = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n"
            let body = [UInt8](repeating: 65, count: 199_999)
            let slow = try TestClient(port: port)
            try slow.send(head)
            try slow.send(body)
            #expect(eventually { server.queue.sync { server.bufferedBytes } == 199_999 })
            usleep(700_000)
            let other = try TestClient(port: port)
            try other.send(head)
            try other.send(body)
            #expect(try slow.receive().status == 503)
            #expect(try slow.isEnded())
            try other.send("A")
            #expect(try other.receive().body.count == 200_000)
        }
    }

    /// Refused before the body is read, so before the client is told to send it.
    @Test func refusesBeforeTheBody() throws {
        try withServer { _, port in
            let client = try TestClient(port: port)
            try client.send("POST /refuse HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
            let answer = try client.receive()
            #expect(answer.status == 403)
            #expect(answer.headers["connection"] == "close")
            #expect(try client.isEnded())
            #expect(handler.handled.load(ordering: .relaxed) == 0)
        }
    }

    @Test func answersOnce() throws {
        try withServer { _, port in
            let client = try TestClient(port: port)
            try client.send("GET /twice HTTP/1.1\r\nHost: x\r\n\r\nGET /drop HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try client.receive().text == "first")
            #expect(try client.receive().status == 500)
            try client.send("GET /inject HTTP/1.1\r\nHost: x\r\n\r\n")
            let answer = try client.receive()
            #expect(answer.headers["x-a"] == "1X-B: 2")
            #expect(answer.headers["x-b"] == nil)
            #expect(answer.headers["bad name"] == nil)
        }
    }

    @Test func capsConnections() throws {
        try withServer(limits { $0.maxConnections = 3 }) { server, port in
            var clients: [TestClient] = []
            for _ in 0..<3 { clients.append(try TestClient(port: port)) }
            #expect(eventually { server.connectionCount == 3 })
            let refused = try TestClient(port: port)
            #expect(try refused.receive().status == 503)
            #expect(try refused.isEnded())
            clients.removeLast()
            #expect(eventually { server.connectionCount <= 3 })
            try clients[0].send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try clients[0].receive().status == 200)
        }
    }

    /// Silent connections and those with an unfinished head are evicted, the oldest first, then those that are idle after a
    /// response. A connection with a body under way is not, nor one in use or one that is being refused.
    @Test func makesRoomInAFullHouse() throws {
        try withServer(
            limits {
                $0.maxConnections = 4
                $0.newcomerSeconds = 0.3
            }
        ) { server, port in
            let body = try TestClient(port: port)
            try body.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nh")
            let settled = try TestClient(port: port)
            try settled.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try settled.receive().status == 200)
            let (silent, slow) = (try TestClient(port: port), try TestClient(port: port))
            try slow.send("GET / HT")
            #expect(eventually { server.connectionCount == 4 })
            let early = try TestClient(port: port)
            #expect(try early.receive().status == 503)
            usleep(400_000)
            var inside: [TestClient] = []
            for first in [silent, slow] {
                let client = try TestClient(port: port)
                try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try client.receive().status == 200)
                #expect(try first.isEnded())
                inside.append(client)
            }
            let last = try TestClient(port: port)
            try last.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try last.receive().status == 200)
            #expect(try settled.isEnded())
            #expect(try TestClient(port: port).receive().status == 503)
            try body.send("i")
            #expect(try body.receive().status == 200)
            for client in inside {
                try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try client.receive().status == 200)
            }
        }
    }

    /// Connections that begin a head after a response, or that the client does not close after the last one, are evicted too.
    @Test func unfinishedBusinessGivesWay() throws {
        try withServer(
            limits {
                $0.maxConnections = 2
                $0.newcomerSeconds = 0.3
                $0.lingerSeconds = 20
            }
        ) { server, port in
            let begun = try TestClient(port: port)
            try begun.send("GET / HTTP/1.1\r\nHost: x\r\n\r\nG")
            #expect(try begun.receive().status == 200)
            let ended = try TestClient(port: port)
            try ended.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            #expect(try ended.receive().status == 200)
            #expect(server.connectionCount == 2)
            #expect(try TestClient(port: port).receive().status == 503)
            usleep(500_000)
            var others: [TestClient] = []
            for _ in 0..<2 {
                let other = try TestClient(port: port)
                try other.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try other.receive().status == 200)
                others.append(other)
            }
            #expect(throws: (any Error).self) {
                try begun.send("ET / HTTP/1.1\r\nHost: x\r\n\r\n")
                _ = try begun.receive()
            }
        }
    }

    /// Clients that reset at every stage of a request leave nothing behind.
    @Test func leaksNoDescriptorUnderResets() throws {
        var used = 0
        try withServer { server, port in
            used = port
            #expect(openSockets(port: port) == 1)
            let stages = [
                "", "GET / HT", "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n",
                "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhi",
                "GET /large HTTP/1.1\r\nHost: x\r\n\r\n", "bad\r\n\r\n",
            ]
            for number in 0..<6000 {
                let client = try TestClient(port: port)
                // The server may have ended an erroneous connection by now.
                try? client.send(stages[number % stages.count])
                if number % 3 > 0 { client.reset() }
            }
            #expect(eventually { server.connectionCount == 0 })
            let client = try TestClient(port: port)
            try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try client.receive().status == 200)
        }
        #expect(eventually { openSockets(port: used) == 0 })
    }

    @Test func drainsWithEveryAnswerGiven() throws {
        // The clients of this test never close: lingering is what the drain has to wait for.
        let server = HTTPServer(handler: handler, limits: limits { $0.lingerSeconds = 0.3 })
        let port = try server.start(host: "127.0.0.1", port: 0)
        let idle = try TestClient(port: port)
        try idle.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try idle.receive().status == 200)
        let clients = try (0..<20).map { _ in try TestClient(port: port) }
        for client in clients { try client.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n") }
        server.drain(acceptSeconds: 0.05, deadlineSeconds: 10) { [handler] in
            handler.handled.add(1000, ordering: .relaxed)
        }
        // Still accepting for a moment.
        let late = try TestClient(port: port)
        try late.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        for client in clients + [late] {
            let answer = try client.receive()
            #expect(answer.text == "slow")
            #expect(answer.headers["connection"] == "close")
            #expect(try client.isEnded())
        }
        #expect(try idle.isEnded())
        #expect(eventually { handler.handled.load(ordering: .relaxed) == 1022 })
        #expect(server.connectionCount == 0)
        #expect(throws: (any Error).self) { try TestClient(port: port) }
    }

    /// Pipelined requests are all answered, and the last response says that it is the last.
    @Test func drainsWithEveryPipelinedAnswerGiven() throws {
        let server = HTTPServer(handler: handler, limits: limits { $0.lingerSeconds = 0.3 })
        let port = try server.start(host: "127.0.0.1", port: 0)
        let done = DispatchSemaphore(value: 0)
        let clients = try (0..<8).map { _ in try TestClient(port: port) }
        for (count, client) in clients.enumerated() {
            try client.send(String(repeating: "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n", count: count + 1))
        }
        #expect(eventually { handler.handled.load(ordering: .relaxed) >= 8 })
        server.drain { done.signal() }
        for (count, client) in clients.enumerated() {
            for number in 0...count {
                let answer = try client.receive()
                #expect(answer.text == "slow")
                if number == count { #expect(answer.headers["connection"] == "close") }
            }
            #expect(try client.isEnded())
        }
        #expect(done.wait(timeout: .now() + 5) == .success)
    }

    /// A server may be drained before it listens, as by a signal while the process starts.
    @Test(arguments: [false, true]) func drainsBeforeItListens(_ isDrained: Bool) throws {
        let server = HTTPServer(handler: handler)
        let done = DispatchSemaphore(value: 0)
        server.drain(acceptSeconds: isDrained ? 0 : 0.2, deadlineSeconds: 60) { done.signal() }
        if isDrained { #expect(done.wait(timeout: .now() + 5) == .success) }
        #expect(try server.start([.tcp(host: "127.0.0.1", port: 0)]) == [])
        if !isDrained { #expect(done.wait(timeout: .now() + 5) == .success) }
    }

    /// Tasks that other threads add to the loop without end do not keep sockets waiting.
    @Test func listensAmidLettersWithoutEnd() throws {
        try withServer { server, port in
            let isOver = Atomic(false)
            @Sendable func post() {
                if !isOver.load(ordering: .relaxed) { server.executeOnLoop { post() } }
            }
            DispatchQueue.global().async { post() }
            defer { isOver.store(true, ordering: .relaxed) }
            let client = try TestClient(port: port)
            for _ in 0..<10 {
                try client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try client.receive().text == "GET /a - 0")
            }
        }
    }

    @Test func reportsWhereItCannotListen() throws {
        try withServer { _, port in
            let second = HTTPServer(handler: handler)
            #expect(throws: HTTPServerError.self) { try second.start(host: "127.0.0.1", port: port) }
        }
        let third = HTTPServer(handler: handler)
        #expect(throws: HTTPServerError.self) { try third.start(host: "127.0.0.1", port: 70000) }
    }

    /// `::` takes IPv4 clients as well; brackets as in a URL are understood.
    @Test(arguments: ["::", "[::]", "", "0.0.0.0", "localhost"]) func listensOn(host: String) throws {
        let server = HTTPServer(handler: handler)
        let port = try server.start(host: host, port: 0)
        let done = DispatchSemaphore(value: 0)
        if host.isEmpty {
            // Both, where there are both.
            let v6 = HTTPServer(handler: handler)
            let hasIPv6 = (try? v6.start(host: "::", port: 0)) != nil
            v6.drain {}
            var address = sockaddr()
            var size = socklen_t(MemoryLayout<sockaddr>.size)
            #expect(server.queue.sync { getsockname(server.listeners[0].descriptor, &address, &size) } == 0)
            #expect(address.sa_family == sa_family_t(hasIPv6 ? AF_INET6 : AF_INET))
        }
        if host != "localhost" {
            let client = try TestClient(port: port)
            try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try client.receive().status == 200)
        }
        server.drain { done.signal() }
        #expect(done.wait(timeout: .now() + 5) == .success)
    }

    @Test(
        arguments: [
            ("127.0.0.1:80", .tcp(host: "127.0.0.1", port: 80)), ("[::1]:0", .tcp(host: "::1", port: 0)),
            (":8080", .tcp(host: "", port: 8080)), ("name:65535", .tcp(host: "name", port: 65535)),
            ("http://127.0.0.1:80", .plain(host: "127.0.0.1", port: 80)), ("https://127.0.0.1:80", nil),
            ("http://[::1]:0", .plain(host: "::1", port: 0)), ("http://a", nil),
            ("unix:/run/a:1", .unix(path: "/run/a:1")), ("unix:", nil), ("80", nil), ("::1:80", nil), ("a:65536", nil),
            ("a:", nil), ("a:-1", nil), ("a:8x", nil), ("", nil),
        ] as [(String, HTTPAddress?)])
    func readsAddresses(text: String, expected: HTTPAddress?) { #expect(HTTPAddress(text) == expected) }

    /// Another server may have taken the place of a socket's file.
    @Test func removesItsOwnFileOnly() throws {
        let path = "/tmp/encoderd-test-\(getpid())-own.socket"
        let first = try HTTPListener.open(.unix(path: path), backlog: 1)
        let second = try HTTPListener.open(.unix(path: path + ".new"), backlog: 1)
        #expect(rename(path + ".new", path) == 0)
        first.close()
        #expect(access(path, F_OK) == 0)
        let client = try TestClient(path: path)
        withExtendedLifetime(client) {}
        second.close()
        unlink(path)
    }

    @Test func listensOnSeveralAddresses() throws {
        let path = "/tmp/encoderd-test-\(getpid()).socket"
        // A listening socket as systemd would hand it over.
        let inherited = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #expect(listen(inherited, 10) == 0)
        // What a server that was killed leaves behind.
        let first = try HTTPListener.open(.unix(path: path), backlog: 1)
        close(first.descriptor)

        let server = HTTPServer(handler: handler)
        let names = try server.start([
            .tcp(host: "127.0.0.1", port: 0), .unix(path: path), .inherited(descriptor: inherited),
        ])
        #expect(names.count == 3 && names[0].hasPrefix("http://127.0.0.1:") && names[1] == "unix:\(path)")
        let port = try #require(names[0].split(separator: ":").last.flatMap { Int($0) })
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) {
            _ = $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(inherited, $0, &size) }
        }
        for client in [
            try TestClient(port: port), try TestClient(path: path),
            try TestClient(port: Int(UInt16(bigEndian: address.sin_port))),
        ] {
            try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try client.receive().status == 200)
        }
        // A live one is not pushed aside, nor is any other file.
        let second = HTTPServer(handler: handler)
        #expect(throws: HTTPServerError.self) { try second.start([.unix(path: path)]) }
        let file = path + ".txt"
        close(open(file, O_CREAT | O_WRONLY, 0o600))
        defer { unlink(file) }
        #expect(throws: HTTPServerError.self) { try second.start([.unix(path: file)]) }
        #expect(access(file, F_OK) == 0)
        #expect(throws: HTTPServerError.self) { try second.start([.inherited(descriptor: 0)]) }
        #expect(throws: HTTPServerError.self) {
            try second.start([.unix(path: "/tmp/" + String(repeating: "x", count: 200))])
        }
        #expect(access(path, F_OK) == 0)

        let done = DispatchSemaphore(value: 0)
        server.drain { done.signal() }
        #expect(done.wait(timeout: .now() + 5) == .success)
        #expect(access(path, F_OK) != 0)
    }
}
