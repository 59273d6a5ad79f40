import CSystem
import Glibc

enum IOResult {
    case bytes(Int)
    /// The peer has shut its write side.
    case end
    case wouldBlock
    case failed
}

/// How a connection's bytes reach the socket: where encryption goes, between the connection and its descriptor.
protocol HTTPTransport {
    /// Whether requests can come: false until a handshake has ended.
    var isEstablished: Bool { get }
    /// Whether bytes have left the socket that `read` has not handed over: epoll will not report them.
    var hasBufferedInput: Bool { get }
    /// Whether bytes that `write` took, or the transport's own, wait for the socket.
    var hasPendingOutput: Bool { get }
    func read(into buffer: UnsafeMutableRawBufferPointer) -> IOResult
    func write(_ vectors: [iovec]) -> IOResult
    /// Writes what waits for the socket.
    func flush() -> IOResult
    /// Tells the peer that nothing more is written.
    func finishWriting()
    /// Gives memory back while the connection is idle.
    func releaseBuffers()
}

/// The bytes as they are.
struct PlainTransport: HTTPTransport {
    let descriptor: Int32

    var isEstablished: Bool { true }
    var hasBufferedInput: Bool { false }
    var hasPendingOutput: Bool { false }
    func flush() -> IOResult { .bytes(0) }
    func finishWriting() {}
    func releaseBuffers() {}

    func read(into buffer: UnsafeMutableRawBufferPointer) -> IOResult {
        while true {
            let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if count > 0 { return .bytes(count) }
            if count == 0 { return .end }
            if errno == EINTR { continue }
            return errno == EAGAIN ? .wouldBlock : .failed
        }
    }

    func write(_ vectors: [iovec]) -> IOResult {
        while true {
            let count = writev(descriptor, vectors, Int32(vectors.count))
            if count >= 0 { return .bytes(count) }
            if errno == EINTR { continue }
            return errno == EAGAIN ? .wouldBlock : .failed
        }
    }
}
