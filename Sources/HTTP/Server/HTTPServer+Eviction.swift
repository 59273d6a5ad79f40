import CSystem

/// Eviction of connections when no place for another is left, or no memory for what they hold.
extension HTTPServer {
    // MARK: Places

    var isFull: Bool { connections.count - refusals >= limits.maxConnections }

    /// Remembers a new connection as one that may be evicted until its first request has arrived.
    func rememberWithoutRequest(_ connection: HTTPConnection) {
        withoutRequest.append(connection.token)
        forgetThoseWithRequest()
    }

    /// Closes the connection that has waited longest with its first request, if that is long. Else closes the one that has
    /// been idle, lingering or slow with its next head longest since its last request. HTTP lets a server do that at any time
    /// (RFC 9112, 9.5).
    func evict() {
        forgetThoseWithRequest()
        if let name = withoutRequest.first, let connection = connection(named: name),
            connection.arrival + limits.newcomerSeconds < now
        {
            _ = withoutRequest.popFirst()
            return connection.close()
        }
        let latest = now - limits.newcomerSeconds
        while isFull, let name = idle.next(now, among: connections.values, since: \.idleSince) {
            guard let connection = connection(named: name), let since = connection.idleSince, since < latest else {
                continue
            }
            // A request may have crossed with the decision.
            connection.handleEvents(EPOLLIN.rawValue)
            if connection.idleSince == since { connection.end() }
        }
    }

    private func forgetThoseWithRequest() {
        while let name = withoutRequest.first, connection(named: name)?.hasNoRequest != true {
            _ = withoutRequest.popFirst()
        }
    }

    // MARK: Memory

    /// Whether a connection may hold `bytes` more. To make room, evicts bodies and responses that have been under way for
    /// too long. A connection that alone holds bytes may hold any number.
    func hasRoom(for bytes: Int, of connection: HTTPConnection) -> Bool {
        let latest = now - limits.holdSeconds
        while bufferedBytes + bytes > limits.maxBufferedBytes, bufferedBytes > connection.countedBytes {
            guard let name = buffering.next(now, among: connections.values, since: \.bufferingSince) else {
                return false
            }
            guard let other = self.connection(named: name), other !== connection, let since = other.bufferingSince,
                since < latest
            else { continue }
            other.evict()
        }
        return true
    }

    /// The connections in some state, the one that entered it first at the end. All connections are searched only when a
    /// candidate is needed, and not again at once, so that no order has to be kept meanwhile.
    struct EvictionCandidates {
        /// The tokens of the connections that the last search found.
        private var names: [UInt64] = []
        private var nextSearch = 0.0
        private static let secondsBetweenSearches = 0.1

        /// Removes and returns the token of the next candidate, which may have left the state since it was found.
        /// - Parameter since: the time at which a connection entered the state; `nil` if it is not in it.
        /// - Returns: `nil` if there is no candidate, or none was found just now.
        mutating func next(
            _ now: Double, among connections: some Collection<HTTPConnection>, since: (HTTPConnection) -> Double?
        ) -> UInt64? {
            if names.isEmpty, now >= nextSearch {
                nextSearch = now + Self.secondsBetweenSearches
                names = connections.compactMap { connection in
                    since(connection).map { (since: $0, name: connection.token) }
                }
                .sorted { $0.since > $1.since }.map(\.name)
            }
            return names.popLast()
        }
    }
}
