import COpenSSL
import CSystem
import Dispatch
import Glibc
import Synchronization
import Testing

@testable import HTTP

@Suite(.serialized) struct TLSTests {
    let handler = TestHandler()

    func withServer(
        _ files: TLSFiles = TestCertificates.server, _ limits: HTTPLimits = HTTPLimits(),
        _ body: (HTTPServer, Int) throws -> Void
    ) throws {
        var limits = limits
        limits.timerTickSeconds = 0.02
        let server = HTTPServer(handler: handler, limits: limits)
        try server.useTLS(files)
        #expect(throws: HTTPServerError.self) { try server.useTLS(TLSFiles(certificate: "none", key: "none")) }
        let names = try server.start([.tcp(host: "127.0.0.1", port: 0)])
        #expect(names.first?.hasPrefix("https://127.0.0.1:") == true)
        let port = try #require(names.first?.split(separator: ":").last.flatMap { Int($0) })
        let done = DispatchSemaphore(value: 0)
        defer {
            server.drain(deadlineSeconds: 0.05) { done.signal() }
            #expect(done.wait(timeout: .now() + 5) == .success)
        }
        try body(server, port)
    }

    static let request = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"

    @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION]) func speaks(version: Int32) throws {
        try withServer { server, port in
            let client = try TestClient(
                port: port, tls: .init(versions: (version, version), protocols: ["h2", "http/1.1"]))
            #expect(client.tls?.selectedProtocol == "http/1.1")
            for _ in 0..<3 {
                try client.send(Self.request)
                #expect(try client.receive().text == "GET /a - 0")
            }
            // Many records either way, and an end in order.
            let body = [UInt8](repeating: 66, count: 3 << 20)
            try client.send(
                "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: \(body.count)\r\n\r\n")
            try client.send(body)
            #expect(try client.receive().body == body)
            #expect(try client.isEnded())
        }
    }

    /// A server may have a plain address besides an encrypted one.
    @Test func leavesPlainAddressesInTheClear() throws {
        let server = HTTPServer(handler: handler)
        try server.useTLS(TestCertificates.server)
        let names = try server.start([.tcp(host: "127.0.0.1", port: 0), .plain(host: "127.0.0.1", port: 0)])
        #expect(names.map { $0.prefix { $0 != ":" } } == ["https", "http"])
        let ports = names.compactMap { $0.split(separator: ":").last.flatMap { Int($0) } }
        try #require(ports.count == 2)
        for client in [try TestClient(port: ports[0], tls: .init()), try TestClient(port: ports[1])] {
            try client.send(Self.request)
            #expect(try client.receive().text == "GET /a - 0")
        }
        let done = DispatchSemaphore(value: 0)
        server.drain(deadlineSeconds: 0.05) { done.signal() }
        #expect(done.wait(timeout: .now() + 5) == .success)
    }

    @Test func pipelinesWithinOneRecord() throws {
        try withServer { _, port in
            let client = try TestClient(port: port, tls: .init())
            let request = "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
            try client.send(String(repeating: request, count: 3))
            for _ in 0..<3 { #expect(try client.receive().text == "slow") }
            try client.send(request + request)
            client.shutdownWriting()
            for _ in 0..<2 { #expect(try client.receive().text == "slow") }
            #expect(try client.isEnded())
        }
    }

    /// When the response is sent, TLS's own buffers hold more than is read ahead, and epoll does not report it.
    @Test func takesUpWhatLiesInTheTransport() throws {
        var limits = HTTPLimits()
        limits.maxReadAheadBytes = 100
        try withServer(TestCertificates.server, limits) { _, port in
            let client = try TestClient(port: port, tls: .init())
            let request =
                "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n" + String(repeating: "x", count: 9000)
            try client.send(String(repeating: request, count: 8))
            for _ in 0..<8 { #expect(try client.receive().text == "slow") }
        }
    }

    /// The same after responses that take long: in pieces, or as the client reads. A long body follows, or requests that are
    /// answered at once.
    @Test(arguments: ["/stream", "/large"], [false, true])
    func takesUpWhatLiesInTheTransportAfter(_ path: String, _ isShort: Bool) throws {
        try withServer { _, port in
            let client = try TestClient(port: port, tls: .init())
            let body = String(repeating: "x", count: 40_000)
            let filling = String(repeating: "y", count: 1100)
            let next =
                isShort
                ? String(repeating: "GET /empty HTTP/1.1\r\nHost: x\r\nX-Filling: \(filling)\r\n\r\n", count: 40)
                : "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\r\n" + body
            for _ in 0..<3 {
                try client.sendTogether("GET \(path) HTTP/1.1\r\nHost: x\r\nX-Filling: \(filling)\r\n\r\n" + next)
                #expect(try client.receive().body.count == (path == "/stream" ? 30_000 : 50 << 20))
                if isShort {
                    for _ in 0..<40 { #expect(try client.receive().status == 204) }
                } else {
                    #expect(try client.receive().text == body)
                }
            }
        }
    }

    @Test func writesLargeAnswersToSlowReaders() throws {
        try withServer { _, port in
            let client = try TestClient(port: port, receiveBuffer: 65536, tls: .init())
            try client.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            usleep(100_000)
            let body = try client.receive().body
            #expect(body.count == 50 << 20)
            #expect(stride(from: 0, to: body.count, by: 999_983).allSatisfy { body[$0] == UInt8($0 >> 20) })
        }
    }

    /// Key updates cost the server more than the client. Some between requests are allowed, a stream of nothing else is not.
    @Test(arguments: [false, true]) func boundsKeyUpdates(_ isRequest: Bool) throws {
        try withServer { server, port in
            let client = try TestClient(port: port, tls: .init())
            for _ in 0..<4 {
                for _ in 0..<20 { #expect(client.tls?.updateKey(isRequest: isRequest) == true) }
                try client.send(Self.request)
                #expect(try client.receive().text == "GET /a - 0")
            }
            for _ in 0..<100 where client.tls?.updateKey(isRequest: isRequest) == false { break }
            #expect(eventually { server.connectionCount == 0 })
        }
    }

    /// The bytes that TLS itself sends to a client that does not read are limited too.
    @Test func boundsWhatTLSHasToSay() throws {
        var limits = HTTPLimits()
        limits.bodyIdleSeconds = 120
        try withServer(TestCertificates.server, limits) { server, port in
            // A socket whose receive buffer is full drops acknowledgments that are beyond its window, so it may have to wait for
            // the server's next window probe before it sends on.
            let client = try TestClient(port: port, receiveBuffer: 4096, sendSeconds: 60, tls: .init())
            try client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n")
            var isOpen = true
            for _ in 0..<400_000 where isOpen {
                isOpen = client.tls?.updateKey(isRequest: true) == true && (try? client.send("x")) != nil
            }
            #expect(!isOpen)
            #expect(eventually { server.connectionCount == 0 })
        }
    }

    @Test func refusesWhatItDoesNotSpeak() throws {
        try withServer { server, port in
            #expect(throws: TestTLS.Failure.self) {
                try TestClient(port: port, tls: .init(versions: (TLS1_1_VERSION, TLS1_1_VERSION)))
            }
            #expect(throws: TestTLS.Failure.self) { try TestClient(port: port, tls: .init(protocols: ["h2"])) }
            let plain = try TestClient(port: port)
            try plain.send(Self.request)
            #expect(throws: (any Error).self) { try plain.receive() }
            #expect(eventually { server.connectionCount == 0 })
            #expect(handler.handled.load(ordering: .relaxed) == 0)
        }
    }

    @Test func endsSlowHandshakes() throws {
        var limits = HTTPLimits()
        limits.handshakeSeconds = 0.1
        limits.firstByteSeconds = 0.3
        try withServer(TestCertificates.server, limits) { server, port in
            let client = try TestClient(port: port)
            try client.send([0x16, 0x03, 0x01])
            #expect(eventually { server.connectionCount == 1 })
            #expect(try client.isEnded())
            let silent = try TestClient(port: port, tls: .init())
            usleep(150_000)
            #expect(server.connectionCount == 1)
            #expect(eventually { server.connectionCount == 0 })
            _ = silent
        }
    }

    /// Without close_notify a client has vanished, with it it has only stopped talking.
    @Test func tellsVanishedClients() throws {
        try withServer { _, port in
            let client = try TestClient(port: port, tls: .init())
            try client.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(eventually { handler.held.withLock { $0.count } == 1 })
            let writer = try #require(handler.held.withLock { $0.first })
            shutdown(client.descriptor, Int32(SHUT_WR))
            #expect(eventually { writer.isCancelled })
        }
    }

    @Test func asksForClientCertificates() throws {
        var files = TestCertificates.server
        files.clientAuthorities = TestCertificates.path("clients.pem")
        try withServer(files) { _, port in
            let known = try TestClient(port: port, tls: .init(certificate: "client"))
            try known.send(Self.request)
            #expect(try known.receive().status == 200)
            for certificate in [nil, "stranger"] {
                // In TLS 1.3 a client learns of its refusal when it reads.
                #expect(throws: (any Error).self) {
                    let client = try TestClient(port: port, tls: .init(certificate: certificate))
                    try client.send(Self.request)
                    _ = try client.receive()
                }
            }
            #expect(handler.handled.load(ordering: .relaxed) == 1)
        }
    }

    /// Connections keep the certificate they were made with.
    @Test func changesCertificatesWithoutDroppingConnections() throws {
        try withServer { server, port in
            let before = try TestClient(port: port, tls: .init())
            #expect(before.tls?.serverName.hasSuffix("test server") == true)
            try server.useTLS(TestCertificates.renewed)
            let after = try TestClient(port: port, tls: .init())
            #expect(after.tls?.serverName.hasSuffix("test renewed") == true)
            for client in [before, after] {
                try client.send(Self.request)
                #expect(try client.receive().status == 200)
            }
        }
    }

    @Test(arguments: [
        ("none.pem", "server.key", "none.pem"), ("broken.pem", "server.key", "broken.pem"),
        ("server-chain.pem", "renewed.key", "renewed.key"), ("server-chain.pem", "encrypted.key", "encrypted.key"),
        ("server-chain.pem", "broken.pem", "broken.pem"),
    ])
    func refusesFiles(certificate: String, key: String, named: String) throws {
        let files = TLSFiles(certificate: TestCertificates.path(certificate), key: TestCertificates.path(key))
        let error = #expect(throws: HTTPServerError.self) { try HTTPServer(handler: handler).useTLS(files) }
        #expect(error?.description.contains(named) == true)
    }

    /// Clients that reset at every stage leave nothing behind.
    @Test func leaksNothingUnderResets() throws {
        var used = 0
        try withServer { server, port in
            used = port
            for number in 0..<400 {
                if number % 4 == 0 {
                    let client = try TestClient(port: port)
                    try? client.send([0x16, 0x03, 0x01, 0x00])
                    client.reset()
                    continue
                }
                let client = try TestClient(port: port, tls: .init())
                let stages = [
                    "GET / HT", "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n", "GET /large HTTP/1.1\r\nHost: x\r\n\r\n",
                ]
                try client.send(stages[number % 3])
                client.reset()
            }
            #expect(eventually { server.connectionCount == 0 })
        }
        #expect(eventually { openSockets(port: used) == 0 })
    }

    @Test func capsConnections() throws {
        var limits = HTTPLimits()
        limits.maxConnections = 1
        try withServer(TestCertificates.server, limits) { server, port in
            let first = try TestClient(port: port, tls: .init())
            try first.send(Self.request)
            #expect(try first.receive().status == 200)
            let second = try TestClient(port: port, tls: .init())
            #expect(try second.receive().status == 503)
            #expect(try second.isEnded())
        }
    }
}
