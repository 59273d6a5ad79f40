/// A rule that trims white space off token offsets: `process_offsets` of the tokenizers library's byte-level
/// post-processor.
struct OffsetTrim: Sendable {
    /// Whether the first word keeps one leading space, which the pre-tokenizer added.
    let addPrefixSpace: Bool

    /// The number of white space characters, or their stand-ins, at the ends of a token's spelling.
    struct Spaces: Sendable, Equatable {
        var leading: Int
        var trailing: Int

        init(_ scalars: some BidirectionalCollection<UInt32>) {
            let classes = ScalarClass.lookup
            func isSpace(_ scalar: UInt32) -> Bool { scalar == 0x120 || classes[scalar].contains(.whitespace) }
            leading = scalars.prefix(while: isSpace).count
            trailing = scalars.reversed().prefix(while: isSpace).count
        }

        var isNone: Bool { leading == 0 && trailing == 0 }
    }

    /// - Parameter isFirst: whether the token is the first of its text.
    func apply(_ spaces: Spaces, start: inout Int, end: inout Int, isFirst: Bool) {
        if spaces.isNone { return }
        if spaces.leading > 0 {
            let isKept = (isFirst || start == 0) && addPrefixSpace && spaces.leading == 1
            start = min(start + (isKept ? 0 : spaces.leading), end)
        }
        if spaces.trailing > 0, end >= spaces.trailing { end = max(end - spaces.trailing, start) }
    }
}
