import CSystem
import Glibc

enum IOResult {
    case bytes(Int)
    /// The peer has shut its write side.
    case end
    case wouldBlock
    case failed
}

/// The path of a connection's bytes to its socket, with or without encryption.
protocol HTTPTransport {
    /// Whether requests can arrive: false until the handshake has ended.
    var isEstablished: Bool { get }
    /// Whether bytes have left the socket that `read` has not returned: epoll will not report them.
    var hasBufferedInput: Bool { get }
    /// Whether bytes that `write` took, or bytes of the transport's own, wait for the socket.
    var hasPendingOutput: Bool { get }
    func read(into buffer: UnsafeMutableRawBufferPointer) -> IOResult
    func write(_ vectors: [iovec]) -> IOResult
    /// Writes the bytes that wait for the socket.
    func flush() -> IOResult
    /// Tells the peer that nothing more is written.
    func finishWriting()
    /// Frees memory while the connection is idle.
    func releaseBuffers()
}

/// A transport without encryption.
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
