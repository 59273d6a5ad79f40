import CSystem
import Glibc

/// A listening socket.
struct HTTPListener {
    let descriptor: Int32
    /// The address with the port that was taken.
    let address: HTTPAddress
    /// Whether it is a Unix-domain socket, whose clients are on this machine.
    let isLocal: Bool
    /// The file that was made for a Unix-domain socket; `nil` for other sockets.
    private var file: FileIdentity?

    private struct FileIdentity: Equatable {
        let device: dev_t
        let number: ino_t
    }

    private init(descriptor: Int32, address: HTTPAddress, isLocal: Bool) {
        self.descriptor = descriptor
        self.address = address
        self.isLocal = isLocal
    }

    var port: Int {
        switch address {
        case .tcp(_, let port), .plain(_, let port): port
        case .unix, .inherited: 0
        }
    }

    /// Whether its connections are encrypted if the server has a certificate.
    var speaksTLS: Bool {
        if case .plain = address { false } else { !isLocal }
    }

    static func open(_ address: HTTPAddress, backlog: Int32) throws(HTTPServerError) -> HTTPListener {
        switch address {
        case .tcp(let host, let port):
            try open(host: host, port: port, backlog: backlog) { .tcp(host: $0, port: $1) }
        case .plain(let host, let port):
            try open(host: host, port: port, backlog: backlog) { .plain(host: $0, port: $1) }
        case .unix(let path): try open(path: path, backlog: backlog)
        case .inherited(let descriptor): try adopt(descriptor)
        }
    }

    /// Closes the socket and removes its file, unless another server has replaced that by its own.
    func close() {
        if case .unix(let path) = address, let file, Self.socketFile(at: path) == file { unlink(path) }
        _ = Glibc.close(descriptor)
    }

    // MARK: TCP

    /// Listens on the first of the host's addresses that can be bound.
    /// - Parameter address: makes the address of a host and the port that was taken.
    private static func open(
        host: String, port: Int, backlog: Int32, address: (String, Int) -> HTTPAddress
    ) throws(HTTPServerError) -> HTTPListener {
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
        var infos: [addrinfo] = []
        var next = found
        while let info = next {
            infos.append(info.pointee)
            next = info.pointee.ai_next
        }
        // No host stands for all addresses, which `::` is where there is IPv6.
        if name.isEmpty {
            infos = infos.filter { $0.ai_family == AF_INET6 } + infos.filter { $0.ai_family != AF_INET6 }
        }
        for info in infos {
            let descriptor = listen(info, backlog: backlog)
            if descriptor >= 0 {
                return HTTPListener(
                    descriptor: descriptor, address: address(name, boundPort(descriptor)), isLocal: false)
            }
            reason = String(cString: strerror(errno))
        }
        throw HTTPServerError(description: "cannot listen on \(host), port \(port): \(reason)")
    }

    /// Opens a listening socket. Returns its descriptor, or -1 with `errno` set.
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
        return bind(descriptor, info.ai_addr, info.ai_addrlen, backlog)
    }

    /// Binds a socket and listens. Returns its descriptor, or closes it and returns -1 with `errno` set.
    private static func bind(
        _ descriptor: Int32, _ address: UnsafePointer<sockaddr>?, _ size: socklen_t, _ backlog: Int32
    ) -> Int32 {
        guard Glibc.bind(descriptor, address, size) == 0, Glibc.listen(descriptor, backlog) == 0 else {
            let reason = errno
            _ = Glibc.close(descriptor)
            errno = reason
            return -1
        }
        return descriptor
    }

    private static func boundPort(_ descriptor: Int32) -> Int {
        // The port stands at the same place in sockaddr_in and sockaddr_in6, in network order.
        name(of: descriptor).map { address in withUnsafeBytes(of: address) { Int($0[2]) << 8 | Int($0[3]) } } ?? 0
    }

    private static func name(of descriptor: Int32) -> sockaddr_storage? {
        var address = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let status = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
        }
        return status == 0 ? address : nil
    }

    // MARK: Unix-domain sockets

    private static func open(path: String, backlog: Int32) throws(HTTPServerError) -> HTTPListener {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw HTTPServerError(description: "cannot listen on unix:\(path): the path is longer than 107 bytes")
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        func with<R>(_ body: (UnsafePointer<sockaddr>) -> R) -> R {
            withUnsafePointer(to: &address) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1, body) }
        }
        func make() -> Int32 {
            socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        }
        // A file that a dead server has left is removed; that of a live one, or of another kind, is an error.
        let probe = make()
        if probe >= 0 {
            if socketFile(at: path) != nil, with({ connect(probe, $0, size) }) != 0, errno == ECONNREFUSED {
                unlink(path)
            }
            _ = Glibc.close(probe)
        }
        var descriptor = make()
        if descriptor >= 0 { descriptor = with { bind(descriptor, $0, size, backlog) } }
        guard descriptor >= 0 else {
            throw HTTPServerError(description: "cannot listen on unix:\(path): \(String(cString: strerror(errno)))")
        }
        var listener = HTTPListener(descriptor: descriptor, address: .unix(path: path), isLocal: true)
        listener.file = socketFile(at: path)
        return listener
    }

    private static func socketFile(at path: String) -> FileIdentity? {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return nil }
        return FileIdentity(device: status.st_dev, number: status.st_ino)
    }

    // MARK: Sockets of others

    private static func adopt(_ descriptor: Int32) throws(HTTPServerError) -> HTTPListener {
        func option(_ name: Int32) -> Int32? {
            var value: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            return getsockopt(descriptor, SOL_SOCKET, name, &value, &size) == 0 ? value : nil
        }
        guard option(SO_TYPE) == Int32(SOCK_STREAM.rawValue), option(SO_ACCEPTCONN) == 1,
            let name = name(of: descriptor)
        else { throw HTTPServerError(description: "descriptor \(descriptor) is no stream socket that listens") }
        let flags = fcntl(descriptor, F_GETFL)
        guard flags >= 0, fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0,
            fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0
        else {
            throw HTTPServerError(description: "descriptor \(descriptor): \(String(cString: strerror(errno)))")
        }
        return HTTPListener(
            descriptor: descriptor, address: .inherited(descriptor: descriptor),
            isLocal: name.ss_family == sa_family_t(AF_UNIX))
    }
}
