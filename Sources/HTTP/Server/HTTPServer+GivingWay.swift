import CSystem

/// Who gives way when there is no room for others: no place for a connection, or none for the bytes that it makes the server
/// hold.
extension HTTPServer {
    // MARK: A full house

    var isFull: Bool { connections.count - refusals >= limits.maxConnections }

    /// Remembers a connection that may have to give up its place.
    func rememberNewcomer(_ connection: HTTPConnection) {
        newcomers.append(connection.token)
        forgetSettled()
    }

    /// Closes the connection that has waited longest with its first request, if that is long; else the one that has been
    /// idle for longest since its last, as HTTP lets a server at any time (RFC 9112, 9.5), or lingering, or slow with its
    /// next head.
    func makeRoom() {
        forgetSettled()
        if let name = newcomers.first, let connection = connection(named: name),
            connection.arrival + limits.newcomerSeconds < now
        {
            _ = newcomers.popFirst()
            return connection.close()
        }
        let latest = now - limits.newcomerSeconds
        while isFull, let name = idlers.next(now, among: connections.values, since: \.idleSince) {
            guard let connection = connection(named: name), let since = connection.idleSince, since < latest else {
                continue
            }
            // A request may have crossed with the decision.
            connection.handleEvents(EPOLLIN.rawValue)
            if connection.idleSince == since { connection.end() }
        }
    }

    private func forgetSettled() {
        while let name = newcomers.first, connection(named: name)?.isNewcomer != true { _ = newcomers.popFirst() }
    }

    // MARK: Memory

    /// Whether so many bytes more may be held for a connection; answers and bodies that have been under way for too long give
    /// way to it. One alone holds what it must.
    func hasRoom(for bytes: Int, of connection: HTTPConnection) -> Bool {
        let latest = now - limits.holdSeconds
        while bufferedBytes + bytes > limits.maxBufferedBytes, bufferedBytes > connection.countedBytes {
            guard let name = holders.next(now, among: connections.values, since: \.holdsSince) else { return false }
            guard let holder = self.connection(named: name), holder !== connection, let since = holder.holdsSince,
                since < latest
            else { continue }
            holder.giveWay()
        }
        return true
    }

    /// Connections, the oldest in some respect first. They are looked for among all only when one is needed, and not again
    /// and again: nothing is kept in the right order for a time that may never come.
    struct Candidates {
        /// The first comes last.
        private var names: [UInt64] = []
        private var nextSearch = 0.0
        private static let secondsBetweenSearches = 0.1

        /// nil when there are none, or none were found just now. Since it was found, much may have happened to a candidate.
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
