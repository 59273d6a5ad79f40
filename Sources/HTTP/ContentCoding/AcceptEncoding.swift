/// The content codings that an Accept-Encoding field (RFC 9110, section 12.5.3) allows for a response.
package struct AcceptEncoding: Equatable {
    /// Whether gzip is allowed and not less preferred than no coding.
    package var gzip = false
    /// Whether no coding is allowed.
    package var identity = true

    package init(_ field: String?) {
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

extension HTTPRequest {
    package var acceptEncoding: AcceptEncoding { AcceptEncoding(headers.list("Accept-Encoding")) }
}
