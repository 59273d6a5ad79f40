import HTTP

/// The rule for which responses are compressed.
public enum CompressionPolicy: String, Sendable, CaseIterable {
    /// Compresses if the client accepts it and it takes little time compared with the inference.
    case auto
    /// Compresses if the client accepts it.
    case always
    case never

    /// The least size in bytes: a shorter response fits one packet anyway.
    static let minimumBytes = 1400
    /// The input rate of gzip level 1 on numbers, measured, in bytes a second.
    static let bytesPerSecond = 45e6
    /// The largest ratio of compression time to inference time.
    static let share = 0.2

    /// - Parameter inferSeconds: the time that the inference of the response took.
    func compresses(_ accept: AcceptEncoding, bytes: Int, inferSeconds: Double) -> Bool {
        guard self != .never, accept.gzip else { return false }
        if !accept.identity { return true }
        guard bytes >= Self.minimumBytes else { return false }
        return self == .always || Double(bytes) / Self.bytesPerSecond <= Self.share * inferSeconds
    }
}
