/// A body that is made while it is sent, so that no more than a piece of it is ever held.
package protocol BodyStream: Sendable {
    /// Has the next piece made, and handed over once, from any thread. Called again only after that.
    func next(_ deliver: @escaping @Sendable (BodyPiece) -> Void)
    /// About how many bytes the rest is made of, all of which stay until the end.
    var heldBytes: Int { get }
}

package enum BodyPiece: Sendable {
    case bytes([UInt8])
    case end
    /// The rest cannot be made: the connection breaks off, which tells the client.
    case failed
}

extension BodyPiece {
    /// As it stands in a message: a chunk (RFC 9112, section 7.1), or just the bytes, which the connection's end ends.
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
