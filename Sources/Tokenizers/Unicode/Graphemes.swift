/// Extended grapheme clusters (UAX #29), like Swift's `Character`.
enum Graphemes {
    static func forEach(_ scalars: [UInt32], _ body: (Range<Int>) -> Void) {
        var i = 0
        while i < scalars.count {
            // ASCII beside ASCII is a cluster of its own, but for the line end of two characters.
            if scalars[i] < 0x80, i + 1 == scalars.count || scalars[i + 1] < 0x80,
                !(scalars[i] == 0xD && i + 1 < scalars.count && scalars[i + 1] == 0xA)
            {
                body(i..<i + 1)
                i += 1
                continue
            }
            // Up to where ASCII meets ASCII again.
            var end = i + 1
            while end < scalars.count,
                scalars[end] >= 0x80 || scalars[end - 1] >= 0x80 || (scalars[end - 1] == 0xD && scalars[end] == 0xA)
            { end += 1 }
            var run = String.UnicodeScalarView()
            for scalar in scalars[i..<end] { run.append(Unicode.Scalar(scalar) ?? "\u{FFFD}") }
            for character in String(run) {
                let count = character.unicodeScalars.count
                body(i..<i + count)
                i += count
            }
        }
    }
}
