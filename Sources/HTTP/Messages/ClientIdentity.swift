/// Whoever sends requests, as far as the server can tell one client from another. Clients share the server's time fairly.
package enum ClientIdentity: Hashable, Sendable {
    /// A client that cannot be told from others, such as one on the command line.
    case unknown
    /// The number of a connection.
    case connection(UInt64)
    /// The number of an API key, in the order of the keys' file.
    case key(Int)
    /// The address that a trusted proxy has named.
    case address(String)
}
