import COpenSSL
import Glibc

/// A transport with TLS over memory BIOs: OpenSSL never sees the descriptor. Belongs to the loop, as its connection does.
///
/// A connection that ends without close_notify has vanished and gets no response (RFC 9112, 9.8). A request cannot be cut
/// short unnoticed, since its framing tells its end.
final class TLSTransport: HTTPTransport {
    private let descriptor: Int32
    private let session: OpaquePointer
    /// The memory that all connections of a loop share; nothing in it outlives a call.
    private let scratch: UnsafeMutableRawBufferPointer
    private(set) var isEstablished = false
    /// Whether an error of the protocol has occurred, after which OpenSSL may not be called for this connection.
    private var isBroken = false
    /// The number of handshake messages since the last data. OpenSSL itself does not limit key updates (RFC 8446, 4.6.3) and
    /// attempts at renegotiation, each of which costs the server more than the client.
    private var handshakeMessages = 0
    private static let maxHandshakeMessages = 32

    /// The most plaintext of one record, in bytes.
    private static let recordBytes = 16 << 10
    /// The most bytes of one write that are encrypted before the socket takes them.
    private static let maxBytesPerWrite = 64 << 10
    /// The most bytes that wait for the socket, also of OpenSSL's own messages to a client that does not read.
    private static let maxPendingBytes = 128 << 10

    /// - Parameter scratch: 64 KiB or more.
    init?(descriptor: Int32, context: TLSContext, scratch: UnsafeMutableRawBufferPointer) {
        guard let session = context.makeSession() else { return nil }
        self.descriptor = descriptor
        self.session = session
        self.scratch = scratch
        encoderd_SSL_set_message_callback(session, countMessage, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit { SSL_free(session) }

    var hasBufferedInput: Bool {
        !isBroken && (SSL_has_pending(session) == 1 || BIO_ctrl_pending(SSL_get_rbio(session)) > 0)
    }
    var hasPendingOutput: Bool { BIO_ctrl_pending(SSL_get_wbio(session)) > 0 }

    /// Reads from the socket once at most, so that a client whose bytes are not data does not hold the loop.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> IOResult {
        var hasReceived = false
        while !isBroken {
            ERR_clear_error()
            var result: Int32
            if isEstablished {
                result = SSL_read(session, buffer.baseAddress, Int32(min(buffer.count, Int(Int32.max))))
                if result > 0 {
                    handshakeMessages = 0
                    return .bytes(Int(result))
                }
            } else {
                result = SSL_do_handshake(session)
                isEstablished = result == 1
                if isEstablished { handshakeMessages = 0 }
            }
            let reason = result == 1 ? SSL_ERROR_NONE : SSL_get_error(session, result)
            if case .failed = flush() { return .failed }
            if handshakeMessages > Self.maxHandshakeMessages
                || BIO_ctrl_pending(SSL_get_wbio(session)) > Self.maxPendingBytes
            {
                isBroken = true
                return .failed
            }
            switch reason {
            case SSL_ERROR_NONE: continue
            case SSL_ERROR_ZERO_RETURN: return .end
            case SSL_ERROR_WANT_READ:
                // A record without data has been taken.
                if BIO_ctrl_pending(SSL_get_rbio(session)) > 0 { continue }
                if hasReceived { return .wouldBlock }
            default:
                isBroken = true
                return .failed
            }
            switch PlainTransport(descriptor: descriptor).read(into: scratch) {
            case .bytes(let count):
                hasReceived = true
                guard BIO_write(SSL_get_rbio(session), scratch.baseAddress, Int32(count)) == Int32(count) else {
                    return .failed
                }
            case .wouldBlock: return .wouldBlock
            case .end, .failed: return .failed
            }
        }
        return .failed
    }

    func write(_ vectors: [iovec]) -> IOResult {
        guard isEstablished else { return .wouldBlock }
        var taken = 0
        var rest = vectors[...]
        var offset = 0
        while !rest.isEmpty, taken < Self.maxBytesPerWrite, !isBroken {
            let count = gather(&rest, &offset)
            guard count > 0 else { break }
            ERR_clear_error()
            // A memory BIO takes all: the record is written whole or not at all.
            guard SSL_write(session, scratch.baseAddress, Int32(count)) == Int32(count) else {
                isBroken = true
                break
            }
            taken += count
        }
        if case .failed = flush() { return .failed }
        return isBroken ? .failed : .bytes(taken)
    }

    /// Copies up to a record's bytes of the vectors, so that a small head and body travel together.
    private func gather(_ vectors: inout ArraySlice<iovec>, _ offset: inout Int) -> Int {
        var count = 0
        while let vector = vectors.first, count < Self.recordBytes {
            let size = min(vector.iov_len - offset, Self.recordBytes - count)
            if size > 0, let from = vector.iov_base, let to = scratch.baseAddress {
                memcpy(to + count, from + offset, size)
            }
            count += size
            offset += size
            if offset == vector.iov_len {
                vectors = vectors.dropFirst()
                offset = 0
            }
        }
        return count
    }

    func flush() -> IOResult {
        let outgoing = SSL_get_wbio(session)
        var written = 0
        while true {
            var data: UnsafeMutablePointer<CChar>?
            let count = encoderd_BIO_get_mem_data(outgoing, &data)
            guard count > 0 else { return .bytes(written) }
            let sent = send(descriptor, data, Int(count), Int32(MSG_NOSIGNAL))
            if sent < 0, errno == EINTR { continue }
            guard sent > 0 else {
                guard errno == EAGAIN else { return .failed }
                return written > 0 ? .bytes(written) : .wouldBlock
            }
            // Only to take it off; it is not read.
            var left = sent
            while left > 0 {
                let dropped = BIO_read(outgoing, scratch.baseAddress, Int32(min(left, scratch.count)))
                guard dropped > 0 else { return .failed }
                left -= Int(dropped)
            }
            written += sent
        }
    }

    func finishWriting() {
        if isEstablished, !isBroken {
            ERR_clear_error()
            SSL_shutdown(session)
        }
        _ = flush()
    }

    fileprivate func countHandshakeMessage() { handshakeMessages += 1 }

    /// Replaces the memory BIOs, which keep the capacity of the most they ever held.
    func releaseBuffers() {
        guard isEstablished, !isBroken, !hasBufferedInput, !hasPendingOutput else { return }
        if let incoming = BIO_new(BIO_s_mem()), let outgoing = BIO_new(BIO_s_mem()) {
            SSL_set_bio(session, incoming, outgoing)
        }
    }
}

/// Counts handshake messages: OpenSSL calls this with each message of the protocol, and the transport as `context`.
private func countMessage(
    _ isWritten: Int32, _ version: Int32, _ type: Int32, _ bytes: UnsafeRawPointer?, _ count: Int,
    _ session: OpaquePointer?,
    _ context: UnsafeMutableRawPointer?
) {
    guard isWritten == 0, type == SSL3_RT_HANDSHAKE, let context else { return }
    Unmanaged<TLSTransport>.fromOpaque(context).takeUnretainedValue().countHandshakeMessage()
}
