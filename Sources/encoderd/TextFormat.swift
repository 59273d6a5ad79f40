import Glibc

/// Returns a number with so many digits behind the point.
func fixed(_ value: Double, digits: Int) -> String {
    var text = [CChar](repeating: 0, count: 400)
    let count = withVaList([Int32(digits), value]) { vsnprintf(&text, text.count, "%.*f", $0) }
    return String(decoding: text.prefix(Int(count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// Returns a number of bytes in megabytes.
func megabytes(_ bytes: Int) -> String { fixed(Double(bytes) / 1e6, digits: 1) + " MB" }

/// Returns a count in thousands, millions or billions, then exactly: `22.6 M (22565376)`. Small counts stay as they are.
func readable(_ count: Int) -> String {
    for (unit, name) in [(1e9, "B"), (1e6, "M"), (1e3, "k")] where Double(count) >= unit {
        return "\(fixed(Double(count) / unit, digits: 1)) \(name) (\(count))"
    }
    return "\(count)"
}

/// Returns a count and its unit: `1 thread`, `2 threads`.
func counted(_ count: Int, _ unit: String) -> String { "\(count) \(unit)\(count == 1 ? "" : "s")" }

extension String {
    /// Returns this text, followed by spaces up to `width` characters.
    func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
