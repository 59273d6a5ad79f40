/// A text, or a piece of one, with the origin of every scalar: a code point of the original text. The tokenizers
/// library calls it `NormalizedString`. Its alignments are always single characters, so one index is enough.
struct NormalizedText {
    var scalars: [UInt32]
    /// The origin of every scalar: an index into the code points of the original text.
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

    /// Removes or replaces scalars.
    /// - Parameter change: returns the replacement of a scalar; `nil` removes the scalar.
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

    /// Replaces each scalar by the scalars that `change` appends. All of them take its origin.
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

    /// Applies a list of changes, as `NormalizedString::transform` of the library defines them.
    /// - Parameter changes: the new scalars, each with its change. A scalar with 0 replaces the next old scalar; with
    ///   −n, that one and the n after it. A scalar with 1 is additional, and shares the origin of the old scalar before.
    mutating func transform(_ changes: [(scalar: UInt32, change: Int)]) {
        var newOrigins: [Int32] = []
        newOrigins.reserveCapacity(changes.count)
        var place = 0
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

    /// Prepends scalars, which share the origin of the first scalar. An empty text stays empty.
    mutating func prepend(_ prefix: [UInt32]) {
        guard let origin = origins.first else { return }
        scalars.insert(contentsOf: prefix, at: 0)
        origins.insert(contentsOf: repeatElement(origin, count: prefix.count), at: 0)
    }

    /// Replaces disjoint ranges, in ascending order, by `content`. It shares the origin of each range's last scalar.
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
