/// A text that a pre-tokenizer writes word by word.
struct TextBuilder {
    private(set) var text = NormalizedText(scalars: [], origins: [])
    private(set) var words: [Range<Int>] = []
    private var start = 0

    init(capacity: Int) {
        text.scalars.reserveCapacity(capacity)
        text.origins.reserveCapacity(capacity)
        words.reserveCapacity(capacity / 4)
    }

    mutating func append(_ scalar: UInt32, origin: Int32) {
        text.scalars.append(scalar)
        text.origins.append(origin)
    }

    @inline(__always)
    mutating func append(_ scalar: UInt32, in spelling: ByteCharacters.Spelling, origin: Int32) {
        spelling.append(scalar, to: &text.scalars)
        while text.origins.count < text.scalars.count { text.origins.append(origin) }
    }

    /// Ends a word: the scalars since the end of the last word, if any.
    mutating func endWord() {
        if start < text.scalars.count { words.append(start..<text.scalars.count) }
        start = text.scalars.count
    }
}
