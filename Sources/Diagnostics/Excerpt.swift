extension String {
    /// Returns the first `limit` Unicode scalars, followed by … if there are more: the part of an untrusted text that a
    /// message shows. The limit counts scalars because a single `Character` may hold millions of them. Memory use is
    /// proportional to `limit`, not to the text.
    public func excerpt(_ limit: Int = 80) -> String {
        guard let end = unicodeScalars.index(startIndex, offsetBy: limit, limitedBy: endIndex), end < endIndex
        else { return self }
        return String(unicodeScalars[..<end]) + "…"
    }
}

/// Formats a name from a file for a message: in single quotes, without control characters, at most 200 scalars long.
public func quoted(_ name: String) -> String {
    let shown = name.unicodeScalars.prefix(200).map { $0.value < 32 || $0.value == 127 ? "?" : String($0) }.joined()
    return "'\(shown)\(name.unicodeScalars.count > 200 ? "…" : "")'"
}
