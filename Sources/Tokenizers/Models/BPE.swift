/// Byte-pair encoding (Sennrich et al. 2016, https://arxiv.org/abs/1508.07909), as in `tokenizers::models::bpe::BPE`. A
/// word starts as its characters. Again and again, the neighbors whose merge has the lowest rank become one symbol, the
/// leftmost if there are several.
struct BPE: TokenModel {
    /// The settings of tokenizer.json.
    struct Options: Sendable {
        var unknown: Int32?
        /// Whether consecutive unknown characters become one unknown token.
        var fuseUnknown = false
        /// Whether characters without a token are spelled in bytes, provided that all of the bytes have tokens.
        var byteFallback = false
        /// The prefix of every character that does not begin the word.
        var continuingPrefix = ""
        /// The suffix of the last character.
        var wordSuffix = ""
        /// Whether a word that is a token becomes that token, without merges.
        var ignoreMerges = false
    }

    let name = "BPE"
    let vocabulary: Vocabulary
    private let merges: MergeTable
    private let unknown: Int32
    private let fuseUnknown: Bool
    private let ignoreMerges: Bool
    /// The id of `<0x41>` and the like, by byte; negative if there is none. Empty without byte fallback.
    private let byteTokens: [Int32]
    /// The token's id of every scalar below 0x800, or -1. Empty if characters have a prefix or a suffix.
    private let characters: [Int32]
    private let prefix: [UInt8]
    private let suffix: [UInt8]

    init(vocabulary: Vocabulary, merges: MergeTable, options: Options) {
        self.vocabulary = vocabulary
        self.merges = merges
        unknown = options.unknown ?? -1
        fuseUnknown = options.fuseUnknown
        ignoreMerges = options.ignoreMerges
        byteTokens = options.byteFallback ? vocabulary.byteTokens() : []
        prefix = Array(options.continuingPrefix.utf8)
        suffix = Array(options.wordSuffix.utf8)
        characters =
            prefix.isEmpty && suffix.isEmpty
            ? (0..<0x800).map { scalar in
                Unicode.Scalar(UInt32(scalar)).flatMap { vocabulary.id(of: String($0)) } ?? -1
            } : []
    }

    func tokenize(_ word: UnsafeBufferPointer<UInt8>, into tokens: inout [TextToken]) {
        if ignoreMerges, let id = vocabulary.id(of: word) {
            tokens.append(TextToken(id: id, start: 0, end: word.count))
            return
        }
        // With byte fallback the prefix and the suffix of a character may become tokens too.
        let room = word.count * (1 + (byteTokens.isEmpty ? 0 : prefix.count)) + suffix.count
        withUnsafeTemporaryAllocation(of: MergeSymbol.self, capacity: room) { symbols in
            var symbols = MergeSymbols(symbols)
            split(word, into: &symbols)
            symbols.mergeAll(merges)
            var start = 0
            for i in 0..<symbols.count where symbols[i].length > 0 {
                let end = start + Int(symbols[i].length)
                tokens.append(
                    TextToken(id: symbols[i].id, start: min(start, word.count - 1), end: min(end, word.count)))
                start = end
            }
        }
    }

    /// Splits the word into its characters' tokens. As in the library, an unknown token is added only when the next
    /// token of the vocabulary comes. It therefore follows bytes between the two, and an unknown token that cannot be
    /// added takes no room.
    private func split(_ word: UnsafeBufferPointer<UInt8>, into symbols: inout MergeSymbols) {
        var pending: Int32 = 0
        var start = 0
        while start < word.count {
            let end = min(start + UTF8Words.length(ofLeading: word[start]), word.count)
            let id = character(word, start..<end)
            if id >= 0 {
                if pending > 0 { symbols.append(unknown, length: pending) }
                pending = 0
                symbols.append(id, length: Int32(truncatingIfNeeded: end - start))
            } else if !appendBytes(word, start..<end, to: &symbols), unknown >= 0 {
                if pending > 0, !fuseUnknown {
                    symbols.append(unknown, length: pending)
                    pending = 0
                }
                pending += Int32(truncatingIfNeeded: end - start)
            }
            start = end
        }
        if pending > 0 { symbols.append(unknown, length: pending) }
    }

    /// Returns the token of one character of the word, or a negative number.
    @inline(__always)
    private func character(_ word: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Int32 {
        if !characters.isEmpty {
            if range.count == 1 { return characters[Int(word[range.lowerBound])] }
            if range.count == 2 {
                return characters[Int(word[range.lowerBound] & 0x1F) << 6 | Int(word[range.lowerBound + 1] & 0x3F)]
            }
            return vocabulary.id(of: UnsafeBufferPointer(rebasing: word[range])) ?? -1
        }
        return withAffixes(word, range) { vocabulary.id(of: $0) ?? -1 }
    }

    private func appendBytes(
        _ word: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, to symbols: inout MergeSymbols
    ) -> Bool {
        if byteTokens.isEmpty { return false }
        return withAffixes(word, range) { bytes in
            guard bytes.allSatisfy({ byteTokens[Int($0)] >= 0 }) else { return false }
            for byte in bytes { symbols.append(byteTokens[Int(byte)], length: 1) }
            return true
        }
    }

    private func withAffixes<Result>(
        _ word: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ body: (UnsafeBufferPointer<UInt8>) -> Result
    ) -> Result {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: prefix.count + 4 + suffix.count) { buffer in
            var count = 0
            func append(_ bytes: some Sequence<UInt8>) {
                for byte in bytes {
                    buffer[count] = byte
                    count += 1
                }
            }
            if range.lowerBound > 0 { append(prefix) }
            append(word[range])
            if range.upperBound == word.count { append(suffix) }
            return body(UnsafeBufferPointer(rebasing: buffer[..<count]))
        }
    }
}
