import CSystem
import Concurrency
import Dispatch
import Glibc
import Synchronization
import Testing

@testable import HTTP

/// A blocking client socket on 127.0.0.1, for tests only.
final class TestClient {
    private(set) var descriptor: Int32
    private var buffer: [UInt8] = []

    struct Answer: Equatable {
        var status: Int
        var headers: [String: String]
        var body: [UInt8]
        var text: String { String(decoding: body, as: UTF8.self) }
    }

    /// Encrypts the bytes that follow.
    private(set) var tls: TestTLS?

    /// - Parameters:
    ///   - receiveBuffer: bytes; small ones make a slow reader.
    ///   - sendSeconds: the longest time that the socket may take no bytes.
    init(port: Int, receiveBuffer: Int32? = nil, sendSeconds: Int = 8, tls options: TestTLS.Options? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw ClientError.system("socket", errno) }
        if var size = receiveBuffer {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, 4)
        }
        // No test waits longer than this for an answer.
        var timeout = timeval(tv_sec: 8, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        timeout.tv_sec = sendSeconds
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw ClientError.system("connect", errno) }
        // What is sent goes at once.
        var immediately: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &immediately, 4)
        if let options { tls = try TestTLS(descriptor, options) }
    }

    /// Connects over a Unix-domain socket.
    init(path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard status == 0 else { throw ClientError.system("connect", errno) }
    }

    deinit { if descriptor >= 0 { Glibc.close(descriptor) } }

    enum ClientError: Error { case system(String, Int32), ended, malformed(String) }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { bytes in
                let rest = UnsafeRawBufferPointer(rebasing: bytes[sent...])
                return tls?.send(rest) ?? Glibc.send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw ClientError.system("send", errno) }
            sent += count
        }
    }

    /// Sends in as few segments as possible, whatever the number of TLS records.
    func sendTogether(_ text: String) throws {
        var isCorked: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_CORK, &isCorked, 4)
        try send(text)
        isCorked = 0
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_CORK, &isCorked, 4)
    }

    func shutdownWriting() {
        tls?.shutdownWriting()
        shutdown(descriptor, Int32(SHUT_WR))
    }

    /// Closes with a reset, not with an orderly end.
    func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        Glibc.close(descriptor)
        descriptor = -1
    }

    /// Reads once; false at the end.
    private func fill(_ size: Int = 65536) throws -> Bool {
        let chunk = try [UInt8](unsafeUninitializedCapacity: size) { space, count in
            let got = tls?.receive(UnsafeMutableRawBufferPointer(space)) ?? recv(descriptor, space.baseAddress, size, 0)
            guard got >= 0 else { throw ClientError.system("recv", errno) }
            count = got
        }
        buffer += chunk
        return !chunk.isEmpty
    }

    /// Reads one response.
    /// - Parameters:
    ///   - head: whether the request was HEAD, whose response has no body.
    ///   - untilEnd: whether the body ends with the connection.
    func receive(head: Bool = false, untilEnd: Bool = false) throws -> Answer {
        let end = Array("\r\n\r\n".utf8)
        var searched = 0
        var headEnd: Int?
        while headEnd == nil {
            if buffer.count >= 4 {
                headEnd = (searched...(buffer.count - 4)).first { buffer[$0..<($0 + 4)].elementsEqual(end) }
                searched = max(0, buffer.count - 3)
            }
            if headEnd == nil { guard try fill() else { throw ClientError.ended } }
        }
        let lines = String(decoding: buffer[..<(headEnd ?? 0)], as: UTF8.self).split(separator: "\r\n")
        guard let first = lines.first, first.hasPrefix("HTTP/1.1 "), let status = Int(first.dropFirst(9).prefix(3))
        else {
            throw ClientError.malformed(String(lines.first ?? ""))
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = String(parts[1].drop { $0 == " " })
        }
        buffer.removeSubrange(..<((headEnd ?? 0) + 4))
        var length = Int(headers["content-length"] ?? "0") ?? 0
        if head || status < 200 { length = 0 }
        if untilEnd {
            while try fill() {}
            length = buffer.count
        } else if headers["transfer-encoding"] == "chunked", !head {
            return Answer(status: status, headers: headers, body: try receiveChunks())
        }
        while buffer.count < length { guard try fill() else { throw ClientError.ended } }
        let body = Array(buffer[..<length])
        buffer.removeSubrange(..<length)
        return Answer(status: status, headers: headers, body: body)
    }

    private func receiveChunks() throws -> [UInt8] {
        var body: [UInt8] = []
        var limits = HTTPLimits()
        limits.maxBodyBytes = .max
        var decoder = ChunkDecoder(limits: limits)
        while !decoder.isDone {
            if buffer.isEmpty { guard try fill() else { throw ClientError.ended } }
            let used = try buffer.withUnsafeBufferPointer { try decoder.decode($0, into: &body) }
            buffer.removeSubrange(..<used)
        }
        return body
    }

    /// Whether the server ended the connection in order, with nothing more sent.
    func isEnded() throws -> Bool {
        guard buffer.isEmpty else { return false }
        return try !fill(16)
    }
}

/// A handler that answers as the path says, mostly from another thread than the loop's.
final class TestHandler: RequestHandler, AcceptedRequest {
    private let workers = DispatchQueue(label: "test.workers", attributes: .concurrent)
    let handled = Atomic(0)
    let cancelled = Atomic(0)
    /// The writers of responses that are held back until a test releases them.
    let held = Locked<[any ResponseWriter]>([])

    func handle(_ request: HTTPRequest, _ writer: any ResponseWriter) {
        handled.add(1, ordering: .relaxed)
        switch request.path {
        case "/echo": workers.async { writer.respond(Self.text(request.body)) }
        case "/hold": held.withLock { $0.append(writer) }
        case "/drop": break
        case "/large":
            // 50 segments of a megabyte, each filled with its number.
            let body = (0..<50).map { ArraySegment([UInt8](repeating: UInt8($0), count: 1 << 20)) as any ByteSegment }
            workers.async { writer.respond(HTTPResponse(status: 200, body: body)) }
        case "/stream": writer.respond(HTTPResponse(status: 200, stream: CountedStream(pieces: 3, size: 10_000)))
        case "/twice":
            workers.async {
                writer.respond(Self.text(Array("first".utf8)))
                writer.respond(Self.text(Array("second".utf8)))
            }
        case "/inject":
            writer.respond(HTTPResponse(status: 200, headers: ["X-A": "1\r\nX-B: 2", "Bad Name": "3"]))
        case "/empty": writer.respond(HTTPResponse(status: 204))
        case "/slow":
            workers.asyncAfter(deadline: .now() + 0.1) { writer.respond(Self.text(Array("slow".utf8))) }
        default:
            let text = "\(request.method) \(request.path) \(request.query ?? "-") \(request.body.count)"
            workers.async { writer.respond(Self.text(Array(text.utf8))) }
        }
    }

    func begin(_ head: HTTPRequest) -> RequestDecision {
        head.path == "/refuse" ? .respond(HTTPResponse(status: 403)) : .accept(self, maxBodyBytes: nil)
    }

    func failure(status: Int, code: String, message: String, path: String?) -> HTTPResponse {
        HTTPResponse(
            status: status, headers: ["Content-Type": "text/plain"],
            body: [ArraySegment(Array("\(code): \(message)".utf8))])
    }

    static func text(_ bytes: [UInt8]) -> HTTPResponse {
        HTTPResponse(status: 200, headers: ["Content-Type": "text/plain"], body: [ArraySegment(bytes)])
    }
}

/// Runs a server of `handler` during `body`, then drains it and waits for the end.
func withServer(
    of handler: any RequestHandler, _ limits: HTTPLimits = HTTPLimits(), _ body: (HTTPServer, Int) throws -> Void
) throws {
    let server = HTTPServer(handler: handler, limits: limits)
    let port = try server.start(host: "127.0.0.1", port: 0)
    #expect(port > 0)
    let done = DispatchSemaphore(value: 0)
    defer {
        server.drain(deadlineSeconds: 0.05) { done.signal() }
        #expect(done.wait(timeout: .now() + 5) == .success)
    }
    try body(server, port)
}

/// Waits for a condition that another thread brings about. Returns false if it does not within 5 seconds.
func eventually(_ condition: () -> Bool) -> Bool {
    for _ in 0..<1000 {
        if condition() { return true }
        usleep(5000)
    }
    return condition()
}

/// Returns the number of this process's sockets with a port at either end, so that those of other suites do not count.
func openSockets(port: Int) -> Int {
    func end(of descriptor: Int32, _ name: (Int32, UnsafeMutablePointer<sockaddr>, inout socklen_t) -> Int32) -> Int? {
        var address = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let status = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { name(descriptor, $0, &size) }
        }
        return status == 0 ? withUnsafeBytes(of: address) { Int($0[2]) << 8 | Int($0[3]) } : nil
    }
    return (0..<Int32(20000)).count { descriptor in
        end(of: descriptor) { getsockname($0, $1, &$2) } == port
            || end(of: descriptor) { getpeername($0, $1, &$2) } == port
    }
}
