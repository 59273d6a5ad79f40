/// What codings an Accept-Encoding field (RFC 9110, section 12.5.3) allows for an answer.
struct AcceptEncoding: Equatable {
    /// gzip is taken, and preferred to nothing at all or liked as much.
    var gzip = false
    /// The bytes as they are will do.
    var identity = true

    init(_ field: String?) {
        guard let field else { return }
        var qualities: [String: Double] = [:]
        for item in field.split(separator: ",") {
            let parts = item.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
            guard let coding = parts.first, !coding.isEmpty else { continue }
            let weight = parts.dropFirst().first { $0.hasPrefix("q=") }
            // A weight that is no number from 0 to 1 asks for nothing.
            let quality = weight.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
            qualities[coding == "x-gzip" ? "gzip" : coding] = (0...1).contains(quality) ? quality : 0
        }
        let any = qualities["*"]
        let ofGzip = qualities["gzip"] ?? any ?? 0
        let ofIdentity = qualities["identity"] ?? (any == 0 ? 0 : nil)
        gzip = ofGzip > 0 && ofGzip >= ofIdentity ?? 0
        identity = ofIdentity != 0
    }
}

/// When answers are compressed.
public enum CompressionPolicy: String, Sendable, CaseIterable {
    /// Where the client accepts it and it takes little time next to the inference.
    case auto
    /// Wherever the client accepts it.
    case always
    case never

    /// Shorter answers fit one packet anyway.
    static let minimumBytes = 1400
    /// What level 1 reads of numbers in a second on the machine of the measurements.
    static let bytesPerSecond = 45e6
    /// The part of the inference's time that compressing may take.
    static let share = 0.2

    /// - Parameter inferSeconds: what the answer's content took.
    func compresses(_ accept: AcceptEncoding, bytes: Int, inferSeconds: Double) -> Bool {
        guard self != .never, accept.gzip else { return false }
        if !accept.identity { return true }
        guard bytes >= Self.minimumBytes else { return false }
        return self == .always || Double(bytes) / Self.bytesPerSecond <= Self.share * inferSeconds
    }
}

extension HTTPRequest {
    var acceptEncoding: AcceptEncoding { AcceptEncoding(headers.list("Accept-Encoding")) }
}
