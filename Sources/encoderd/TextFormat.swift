import Glibc

/// A number with so many digits behind the point.
func fixed(_ value: Double, digits: Int) -> String {
    var text = [CChar](repeating: 0, count: 400)
    let count = withVaList([Int32(digits), value]) { vsnprintf(&text, text.count, "%.*f", $0) }
    return String(decoding: text.prefix(Int(count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// A size in bytes, in millions of them.
func megabytes(_ bytes: Int) -> String { fixed(Double(bytes) / 1e6, digits: 1) + " MB" }

/// A count in thousands, millions or billions and exactly: `22.6 M (22565376)`; small ones as they are.
func readable(_ count: Int) -> String {
    for (unit, name) in [(1e9, "B"), (1e6, "M"), (1e3, "k")] where Double(count) >= unit {
        return "\(fixed(Double(count) / unit, digits: 1)) \(name) (\(count))"
    }
    return "\(count)"
}

/// A count and its unit: `1 thread`, `2 threads`.
func counted(_ count: Int, _ unit: String) -> String { "\(count) \(unit)\(count == 1 ? "" : "s")" }

extension String {
    /// This text, followed by spaces up to so many characters.
    func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
