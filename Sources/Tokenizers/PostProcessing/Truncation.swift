/// The rules for texts that are too long.
public enum Truncation {
    /// The end of a text that is cut off.
    public enum Side: String, Sendable, CaseIterable { case left, right }

    /// Returns the part of a text that is kept.
    @inlinable public static func kept<T>(_ tokens: [T], _ count: Int, cutting side: Side) -> ArraySlice<T> {
        side == .right ? tokens.prefix(count) : tokens.suffix(count)
    }

    /// Returns how many tokens of each text are kept. The longer text is cut first, then both evenly: `LongestFirst` of
    /// the tokenizers library.
    /// - Parameters:
    ///   - counts: tokens of the two texts, without the template.
    ///   - room: tokens that both together may have.
    static func longestFirst(_ counts: (Int, Int), room: Int) -> (Int, Int) {
        let shorter = min(counts.0, counts.1)
        var keep = (shorter, shorter > room ? shorter : max(shorter, room - shorter))
        if keep.0 + keep.1 > room { keep = (room / 2, room / 2 + room % 2) }
        if counts.0 > counts.1 { keep = (keep.1, keep.0) }
        return (min(keep.0, counts.0), min(keep.1, counts.1))
    }
}
