/// A body that is made while it is sent, so that only one piece of it is held at a time.
package protocol BodyStream: Sendable {
    /// Starts to make the next piece. Calls `deliver` once with it, from any thread. Not called again before that.
    func next(_ deliver: @escaping @Sendable (BodyPiece) -> Void)
    /// The approximate size in bytes of the values that the rest is made of. All of them stay in memory until the end.
    var heldBytes: Int { get }
}

/// A piece of a streamed body.
package enum BodyPiece: Sendable {
    case bytes([UInt8])
    case end
    /// The rest cannot be made. The connection breaks off, which tells the client.
    case failed
}

extension BodyPiece {
    /// Returns the piece as it is sent: as a chunk (RFC 9112, section 7.1), or its bytes alone.
    func segments(isChunked: Bool) -> [any ByteSegment] {
        switch self {
        case .bytes(let bytes):
            guard isChunked else { return [ArraySegment(bytes)] }
            if bytes.isEmpty { return [] }
            let head = String(bytes.count, radix: 16) + "\r\n"
            return [ArraySegment(Array(head.utf8)), ArraySegment(bytes), ArraySegment(Array("\r\n".utf8))]
        case .end: return isChunked ? [ArraySegment(Array("0\r\n\r\n".utf8))] : []
        case .failed: return []
        }
    }
}
