/// The pre-tokenizer `ByteLevel`: splits words by GPT-2's pattern, then spells bytes as characters.
struct ByteLevelPreTokenizer: PreTokenizer {
    let addPrefixSpace: Bool
    let useRegex: Bool

    func split(_ text: inout NormalizedText, words: [Range<Int>]) -> [Range<Int>] {
        var out = TextBuilder(capacity: text.scalars.count + text.scalars.count / 8)
        let spelling = ByteCharacters.spelling
        text.scalars.withUnsafeBufferPointer { scalars in
            for word in words {
                let addsSpace = addPrefixSpace && scalars[word.lowerBound] != 0x20
                if !addsSpace, useRegex {
                    ByteLevelWords.forEach(UnsafeBufferPointer(rebasing: scalars[word])) { part in
                        for i in part.lowerBound + word.lowerBound..<part.upperBound + word.lowerBound {
                            out.append(scalars[i], in: spelling, origin: text.origins[i])
                        }
                        out.endWord()
                    }
                    continue
                }
                var spaced: [UInt32] = addsSpace ? [0x20] : []
                spaced += scalars[word]
                let shift = word.lowerBound - (addsSpace ? 1 : 0)
                spaced.withUnsafeBufferPointer { spaced in
                    func add(_ part: Range<Int>) {
                        for i in part {
                            // The space shares the origin of what it stands before.
                            out.append(
                                spaced[i], in: spelling, origin: text.origins[max(i + shift, word.lowerBound)])
                        }
                        out.endWord()
                    }
                    if useRegex { ByteLevelWords.forEach(spaced, add) } else { add(0..<spaced.count) }
                }
            }
        }
        text = out.text
        return out.words
    }
}
