import ModelFiles

/// The treatment of the matches that a text is split at: `SplitDelimiterBehavior` of the tokenizers library.
enum SplitBehavior: String, CaseIterable, Sendable {
    case removed = "Removed"
    case isolated = "Isolated"
    case mergedWithPrevious = "MergedWithPrevious"
    case mergedWithNext = "MergedWithNext"
    case contiguous = "Contiguous"
}

/// A collector of words from the parts of a word, which are matches and the text between them, from left to right.
struct WordSplitter {
    private let behavior: SplitBehavior
    private(set) var words: [Range<Int>]
    /// The index of the current word's first part in `words`.
    private var first = 0
    private var previousWasMatch = false

    init(_ behavior: SplitBehavior, capacity: Int) {
        self.behavior = behavior
        words = []
        words.reserveCapacity(capacity)
    }

    mutating func beginWord() {
        first = words.count
        previousWasMatch = false
    }

    /// Adds the next part. Empty parts count as parts, but become no words.
    @inline(__always)
    mutating func add(_ part: Range<Int>, isMatch: Bool) {
        switch behavior {
        case .isolated: words.append(part)
        case .removed: if !isMatch { words.append(part) }
        case .contiguous: join(part, if: isMatch == previousWasMatch)
        case .mergedWithPrevious: join(part, if: isMatch && !previousWasMatch)
        // A match waits for what follows and goes with it, unless that is a match too.
        case .mergedWithNext: join(part, if: !isMatch && previousWasMatch)
        }
        previousWasMatch = isMatch
    }

    private mutating func join(_ part: Range<Int>, if joins: Bool) {
        if joins, words.count > first {
            words[words.count - 1] = words[words.count - 1].lowerBound..<part.upperBound
        } else {
            words.append(part)
        }
    }

    mutating func endWord() { words.removeAll(from: first) { $0.isEmpty } }
}

extension Array {
    fileprivate mutating func removeAll(from start: Int, where isGone: (Element) -> Bool) {
        guard self[start...].contains(where: isGone) else { return }
        let kept = self[start...].filter { !isGone($0) }
        replaceSubrange(start..., with: kept)
    }
}

/// The pre-tokenizer `Split`: splits at the matches of a pattern.
struct SplitPreTokenizer: PreTokenizer {
    let pattern: TextPattern
    let behavior: SplitBehavior
    /// Whether the text between matches takes the role of the matches.
    let isInverted: Bool

    func split(_ text: inout NormalizedText, words: [Range<Int>]) -> [Range<Int>] {
        var out = WordSplitter(behavior, capacity: text.scalars.count / 4 + words.count)
        text.scalars.withUnsafeBufferPointer { scalars in
            for word in words {
                out.beginWord()
                var end = word.lowerBound
                pattern.forEachMatch(UnsafeBufferPointer(rebasing: scalars[word])) { match in
                    let match = match.lowerBound + word.lowerBound..<match.upperBound + word.lowerBound
                    if end < match.lowerBound { out.add(end..<match.lowerBound, isMatch: isInverted) }
                    out.add(match, isMatch: !isInverted)
                    end = match.upperBound
                }
                if end < word.upperBound { out.add(end..<word.upperBound, isMatch: isInverted) }
                out.endWord()
            }
        }
        return out.words
    }
}

/// A split at single characters: `Punctuation`, `Digits`, `CharDelimiterSplit`.
struct ClassPreTokenizer: PreTokenizer {
    let behavior: SplitBehavior
    let isMatch: @Sendable (UInt32) -> Bool

    func split(_ text: inout NormalizedText, words: [Range<Int>]) -> [Range<Int>] {
        var out = WordSplitter(behavior, capacity: text.scalars.count / 4 + words.count)
        for word in words {
            out.beginWord()
            var end = word.lowerBound
            for i in word where isMatch(text.scalars[i]) {
                if end < i { out.add(end..<i, isMatch: false) }
                out.add(i..<i + 1, isMatch: true)
                end = i + 1
            }
            if end < word.upperBound { out.add(end..<word.upperBound, isMatch: false) }
            out.endWord()
        }
        return out.words
    }
}

/// The pre-tokenizer `FixedLength`: pieces of a number of characters; the last may be shorter.
struct FixedLengthPreTokenizer: PreTokenizer {
    let length: Int

    func split(_ text: inout NormalizedText, words: [Range<Int>]) -> [Range<Int>] {
        words.flatMap { word in
            stride(from: word.lowerBound, to: word.upperBound, by: length).map {
                $0..<min($0 + length, word.upperBound)
            }
        }
    }
}

extension TokenizerFile {
    func splitBehavior(_ fields: TokenizerFields) throws(FileError) -> SplitBehavior {
        guard let behavior = SplitBehavior(rawValue: try fields.string("behavior")) else {
            throw fields.wrong("behavior", "one of " + SplitBehavior.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return behavior
    }
}
