import Glibc

/// The limit of this process's descriptors (getrlimit(2), RLIMIT_NOFILE). Shells and systemd set a soft limit of 1,024, for
/// the sake of select(2), and a far higher hard one.
package struct DescriptorLimit: Sendable, Equatable {
    /// The number of descriptors that a server needs for all its connections.
    package let wanted: Int
    /// The number of descriptors that it may have.
    package let allowed: Int

    /// Whether the server may have as many descriptors as it needs.
    package var isEnough: Bool { allowed >= wanted }

    /// Raises the soft limit as far as the server needs and the hard limit allows. Never lowers it.
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
