import CSystem
import Dispatch
import Glibc

/// Acceptance of new connections.
extension HTTPServer {
    /// Accepts the connections that wait, a fair share at most.
    func acceptAll(from listener: HTTPListener) {
        for _ in 0..<256 {
            let descriptor = encoderd_accept4(
                listener.descriptor, Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue))
            if descriptor >= 0 {
                add(accepted: descriptor, from: listener)
                continue
            }
            switch errno {
            case EINTR, ECONNABORTED, EPROTO: continue
            case EMFILE, ENFILE, ENOBUFS, ENOMEM: return pauseAccepting(listener)
            default: return
            }
        }
    }

    private func add(accepted descriptor: Int32, from listener: HTTPListener) {
        if isFull { evict() }
        // A refusal with a response needs a descriptor too: beyond so many, a connection is just closed.
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

    /// Pauses accepting because no descriptor is left. The one in reserve takes a client off the backlog, to be closed.
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

    /// Starts or stops the delivery of new connections.
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
