import CSystem
import Glibc

/// Opens a listening socket.
enum HTTPListener {
    /// Listens on the first of the host's addresses that can be bound.
    static func open(
        host: String, port: Int, backlog: Int32
    ) throws(HTTPServerError) -> (descriptor: Int32, port: Int) {
        guard 0...65535 ~= port else { throw HTTPServerError(description: "There is no port \(port).") }
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        // An IPv6 address may be written as in a URL.
        let name = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        var found: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(name.isEmpty ? nil : name, String(port), &hints, &found)
        guard status == 0 else {
            throw HTTPServerError(description: "\(host): \(String(cString: gai_strerror(status)))")
        }
        defer { freeaddrinfo(found) }
        var reason = "no address"
        var next = found
        while let info = next {
            let descriptor = listen(info.pointee, backlog: backlog)
            if descriptor >= 0 { return (descriptor, boundPort(descriptor)) }
            reason = String(cString: strerror(errno))
            next = info.pointee.ai_next
        }
        throw HTTPServerError(description: "cannot listen on \(host), port \(port): \(reason)")
    }

    /// The descriptor, or -1 with `errno` set.
    private static func listen(_ info: addrinfo, backlog: Int32) -> Int32 {
        let descriptor = socket(
            info.ai_family, info.ai_socktype | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue),
            info.ai_protocol)
        guard descriptor >= 0 else { return -1 }
        var on: Int32 = 1
        _ = setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        if info.ai_family == AF_INET6 {
            // `::` takes IPv4 clients too.
            var off: Int32 = 0
            _ = setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &off, socklen_t(MemoryLayout<Int32>.size))
        }
        guard bind(descriptor, info.ai_addr, info.ai_addrlen) == 0, Glibc.listen(descriptor, backlog) == 0 else {
            let reason = errno
            _ = close(descriptor)
            errno = reason
            return -1
        }
        return descriptor
    }

    private static func boundPort(_ descriptor: Int32) -> Int {
        var address = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let status = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
        }
        guard status == 0 else { return 0 }
        // The port stands at the same place in sockaddr_in and sockaddr_in6, in network order.
        return withUnsafeBytes(of: address) { Int($0[2]) << 8 | Int($0[3]) }
    }
}
