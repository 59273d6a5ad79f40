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

    func slice(_ range: Range<Int>) -> NormalizedText {
        if range == scalars.startIndex..<scalars.endIndex { return self }
        return NormalizedText(scalars: Array(scalars[range]), origins: Array(origins[range]))
    }
}
