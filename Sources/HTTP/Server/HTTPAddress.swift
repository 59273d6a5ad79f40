import Glibc

/// An address that a server listens on.
package enum HTTPAddress: Sendable, Equatable, CustomStringConvertible {
    /// A TCP address, with TLS if the server has a certificate. Port 0 takes a free one.
    case tcp(host: String, port: Int)
    /// A TCP address without TLS even if the server has a certificate: for probes and scrapers on the inside.
    case plain(host: String, port: Int)
    /// A Unix-domain socket, without TLS.
    case unix(path: String)
    /// A stream socket that listens already, inherited from the process that started this one.
    case inherited(descriptor: Int32)

    /// Parses `HOST:PORT`, `[::1]:PORT`, `:PORT` (all addresses), any of them after `http://`, or `unix:PATH`.
    package init?(_ text: String) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard !path.isEmpty, !path.utf8.contains(0) else { return nil }
            self = .unix(path: path)
            return
        }
        let isPlain = text.hasPrefix("http://")
        let text = isPlain ? text.dropFirst(7) : text[...]
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let (host, digits) = (text[..<colon], text[text.index(after: colon)...])
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        guard isBracketed || !host.contains(":"), !digits.isEmpty, digits.utf8.allSatisfy(HTTPGrammar.isDigit),
            let port = Int(digits), 0...65535 ~= port
        else { return nil }
        let name = isBracketed ? String(host.dropFirst().dropLast()) : String(host)
        self = isPlain ? .plain(host: name, port: port) : .tcp(host: name, port: port)
    }

    package var description: String {
        switch self {
        case .tcp(let host, let port), .plain(let host, let port):
            host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        case .inherited(let descriptor): "descriptor \(descriptor)"
        }
    }

    /// Returns the sockets that systemd hands over (sd_listen_fds(3)): descriptors from 3 on. Called once: it unsets the
    /// variables, so that children do not use them.
    package static func inheritedSockets() -> [HTTPAddress] {
        func number(_ name: String) -> Int32? { getenv(name).flatMap { Int32(String(cString: $0)) } }
        guard number("LISTEN_PID") == getpid(), let count = number("LISTEN_FDS"), 1...1000 ~= count else { return [] }
        for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { unsetenv(name) }
        return (3..<(3 + count)).map { .inherited(descriptor: $0) }
    }
}
