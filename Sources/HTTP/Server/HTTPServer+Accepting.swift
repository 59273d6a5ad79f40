import CSystem
import Dispatch
import Glibc

/// Taking clients, and turning away those for whom there is no room.
extension HTTPServer {
    func acceptAll(from listener: HTTPListener) {
        for _ in 0..<256 {
            let descriptor = encoderd_accept4(
                listener.descriptor, Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue))
            if descriptor >= 0 {
                take(descriptor, from: listener)
                continue
            }
            switch errno {
            case EINTR, ECONNABORTED, EPROTO: continue
            case EMFILE, ENFILE, ENOBUFS, ENOMEM: return pauseAccepting(listener)
            default: return
            }
        }
    }

    private func take(_ descriptor: Int32, from listener: HTTPListener) {
        if isFull { makeRoom() }
        // The refusals' answers need descriptors too; past those, nothing but closing is left.
        guard !isFull || refusals < HTTPLimits.maxRefusals else {
            _ = Glibc.close(descriptor)
            return
        }
        if !listener.isLocal {
            var on: Int32 = 1
            _ = setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        }
        add(descriptor, from: listener)
    }

    // MARK: Descriptors

    /// Out of descriptors: the one in reserve takes a client off the backlog, and accepting rests for a moment.
    private func pauseAccepting(_ listener: HTTPListener) {
        if reserve >= 0 {
            _ = Glibc.close(reserve)
            let descriptor = encoderd_accept4(listener.descriptor, Int32(SOCK_CLOEXEC.rawValue))
            if descriptor >= 0 { _ = Glibc.close(descriptor) }
        }
        reserve = Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC)
        watchListeners(false)
        queue.asyncAfter(deadline: .now() + limits.acceptPauseSeconds) { [self] in
            if reserve < 0, !listeners.isEmpty { reserve = Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC) }
            watchListeners(true)
        }
    }

    func watchListeners(_ on: Bool) {
        for listener in listeners {
            if on {
                poller?.set(listener.descriptor, to: EPOLLIN.rawValue, token: token(listener), isNew: true)
            } else {
                poller?.remove(listener.descriptor)
            }
        }
    }
}
