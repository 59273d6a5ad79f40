/// The words of GPT-2's pattern, found without a regular expression
/// (https://github.com/openai/gpt-2/blob/master/src/encoder.py). A word is a contraction, or a run of letters, of
/// numbers or of other characters, each with at most one space before it. White space is a word too, but its last
/// character belongs to the next word.
enum ByteLevelWords {
    static let pattern = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

    /// Calls `body` with each word. The words together are the whole text.
    static func forEach(_ text: UnsafeBufferPointer<UInt32>, _ body: (Range<Int>) -> Void) {
        let classes = ScalarClass.lookup
        var i = 0
        while i < text.count {
            let end = wordEnd(text, from: i, classes)
            body(i..<end)
            i = end
        }
    }

    private enum Kind { case letter, number, space, other }

    @inline(__always)
    private static func kind(_ scalar: UInt32, _ classes: ScalarClass.Lookup) -> Kind {
        let scalarClass = classes[scalar]
        if scalarClass.contains(.letter) { return .letter }
        if scalarClass.contains(.number) { return .number }
        return scalarClass.contains(.whitespace) ? .space : .other
    }

    private static func wordEnd(
        _ text: UnsafeBufferPointer<UInt32>, from start: Int, _ classes: ScalarClass.Lookup
    ) -> Int {
        let first = text[start]
        if first == 0x27, let end = contractionEnd(text, from: start) { return end }
        var i = start
        var kind = kind(first, classes)
        if first == 0x20, start + 1 < text.count {
            let next = self.kind(text[start + 1], classes)
            if next != .space { (i, kind) = (start + 1, next) }
        }
        i += 1
        while i < text.count, self.kind(text[i], classes) == kind { i += 1 }
        // A run of white space before something else leaves it the last character, unless it is the only one.
        if kind == .space, i < text.count, i - start > 1 { i -= 1 }
        return i
    }

    /// Returns the end of a contraction: 's 't 're 've 'm 'll 'd.
    private static func contractionEnd(_ text: UnsafeBufferPointer<UInt32>, from start: Int) -> Int? {
        guard start + 1 < text.count else { return nil }
        switch text[start + 1] {
        case 0x73, 0x74, 0x6D, 0x64: return start + 2
        case 0x72 where start + 2 < text.count && text[start + 2] == 0x65: return start + 3
        case 0x76 where start + 2 < text.count && text[start + 2] == 0x65: return start + 3
        case 0x6C where start + 2 < text.count && text[start + 2] == 0x6C: return start + 3
        default: return nil
        }
    }
}
