import Glibc

/// How many descriptors this process may have (getrlimit(2), RLIMIT_NOFILE). Shells and systemd allow 1,024 softly, for the
/// sake of select(2), and far more where a process asks.
package struct DescriptorLimit: Sendable, Equatable {
    /// What a server needs with all the connections it takes.
    package let wanted: Int
    /// What it has.
    package let allowed: Int

    package var isEnough: Bool { allowed >= wanted }

    /// Raises the soft limit as far as the server needs it and the hard one allows it; it is never lowered.
    package static func raise(for limits: HTTPLimits) -> DescriptorLimit {
        // Connections that are being refused, listeners, epoll, models' files.
        let wanted = limits.maxConnections + HTTPLimits.maxRefusals + 64
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return DescriptorLimit(wanted: wanted, allowed: wanted) }
        if limit.rlim_cur < rlim_t(wanted) {
            let before = limit.rlim_cur
            limit.rlim_cur = min(rlim_t(wanted), limit.rlim_max)
            if setrlimit(resource, &limit) != 0 { limit.rlim_cur = before }
        }
        return DescriptorLimit(wanted: wanted, allowed: Int(clamping: limit.rlim_cur))
    }

    private static var resource: __rlimit_resource_t { __rlimit_resource_t(RLIMIT_NOFILE.rawValue) }
}
