extension String {
    /// The first `limit` Unicode scalars, and … where there are more: what a message shows of a text that somebody else
    /// wrote. Not Characters, one of which may have millions of scalars. Takes memory for `limit`, however long the text.
    public func excerpt(_ limit: Int = 80) -> String {
        guard let end = unicodeScalars.index(startIndex, offsetBy: limit, limitedBy: endIndex), end < endIndex
        else { return self }
        return String(unicodeScalars[..<end]) + "…"
    }
}
