/// A text, or a piece of one, that remembers which code point of the text sent each of its scalars stands for. What the
/// tokenizers library calls `NormalizedString`; its alignments are always single characters, so one index is enough.
struct NormalizedText {
    var scalars: [UInt32]
    /// As many as `scalars`; indices into the code points of the text sent.
    var origins: [Int32]

    init(scalars: [UInt32], origins: [Int32]) {
        self.scalars = scalars
        self.origins = origins
    }

    init(_ text: String) {
        scalars = []
        scalars.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars { scalars.append(scalar.value) }
        origins = (0..<scalars.count).map { Int32(truncatingIfNeeded: $0) }
    }

    var string: String {
        var view = String.UnicodeScalarView()
        for scalar in scalars { view.append(Unicode.Scalar(scalar) ?? "\u{FFFD}") }
        return String(view)
    }

    /// Drops scalars, replaces others.
    /// - Parameter change: nil drops the scalar.
    mutating func compactMap(_ change: (UInt32) -> UInt32?) {
        var count = 0
        for i in scalars.indices {
            guard let scalar = change(scalars[i]) else { continue }
            scalars[count] = scalar
            origins[count] = origins[i]
            count += 1
        }
        scalars.removeSubrange(count...)
        origins.removeSubrange(count...)
    }

    /// Replaces each scalar by those that `change` appends; all take its origin.
    mutating func flatMap(_ change: (UInt32, inout [UInt32]) -> Void) {
        var newScalars: [UInt32] = []
        var newOrigins: [Int32] = []
        newScalars.reserveCapacity(scalars.count + scalars.count / 2)
        newOrigins.reserveCapacity(scalars.count + scalars.count / 2)
        for i in scalars.indices {
            change(scalars[i], &newScalars)
            while newOrigins.count < newScalars.count { newOrigins.append(origins[i]) }
        }
        scalars = newScalars
        origins = newOrigins
    }

    /// The general change, as the library's `NormalizedString::transform` defines it.
    /// - Parameters:
    ///   - changes: each new scalar and what it stands for: 0, the next of the old scalars; −n, that one and n more that
    ///     follow it; 1, nothing of its own: it shares the origin of the old scalar before.
    ///   - removed: old scalars at the beginning that are gone.
    mutating func transform(_ changes: [(scalar: UInt32, change: Int)], removed: Int = 0) {
        var newOrigins: [Int32] = []
        newOrigins.reserveCapacity(changes.count)
        var place = removed
        for (_, change) in changes {
            if change > 0 {
                newOrigins.append(origins.isEmpty ? 0 : origins[min(max(place - 1, 0), origins.count - 1)])
            } else {
                newOrigins.append(origins.isEmpty ? 0 : origins[min(place, origins.count - 1)])
                place += 1 - change
            }
        }
        scalars = changes.map(\.scalar)
        origins = newOrigins
    }

    /// Puts scalars before the first, whose origin they share. An empty text stays so.
    mutating func prepend(_ prefix: [UInt32]) {
        guard let origin = origins.first else { return }
        scalars.insert(contentsOf: prefix, at: 0)
        origins.insert(contentsOf: repeatElement(origin, count: prefix.count), at: 0)
    }

    /// Replaces ranges, ascending and apart, by `content`, which shares the origin of each one's last scalar.
    mutating func replace(_ ranges: [Range<Int>], with content: [UInt32]) {
        if ranges.isEmpty { return }
        var newScalars: [UInt32] = []
        var newOrigins: [Int32] = []
        newScalars.reserveCapacity(scalars.count)
        newOrigins.reserveCapacity(scalars.count)
        var taken = 0
        for range in ranges {
            newScalars += scalars[taken..<range.lowerBound]
            newOrigins += origins[taken..<range.lowerBound]
            newScalars += content
            let origin = origins.isEmpty ? 0 : origins[max(range.upperBound - 1, 0)]
            newOrigins += repeatElement(origin, count: content.count)
            taken = range.upperBound
        }
        newScalars += scalars[taken...]
        newOrigins += origins[taken...]
        scalars = newScalars
        origins = newOrigins
    }

    func slice(_ range: Range<Int>) -> NormalizedText {
        if range == scalars.startIndex..<scalars.endIndex { return self }
        return NormalizedText(scalars: Array(scalars[range]), origins: Array(origins[range]))
    }
}
