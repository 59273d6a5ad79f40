import JSON
import ModelFiles

/// The pre-tokenizer `Metaspace`: spaces become a character, SentencePiece's U+2581, with which words begin.
struct MetaspacePreTokenizer: PreTokenizer {
    enum Scheme: String { case always, first, never }

    let replacement: UInt32
    let scheme: Scheme
    let splits: Bool

    func split(_ text: inout NormalizedText, words: [Range<Int>]) -> [Range<Int>] {
        var out = TextBuilder(capacity: text.scalars.count + words.count)
        for word in words {
            let first = text.scalars[word.lowerBound]
            let origin = text.origins[word.lowerBound]
            let startsSo = first == replacement || first == 0x20
            if !startsSo, scheme == .always || (scheme == .first && origin == 0) {
                out.append(replacement, origin: origin)
            }
            for i in word {
                let scalar = text.scalars[i] == 0x20 ? replacement : text.scalars[i]
                if splits, scalar == replacement, i > word.lowerBound { out.endWord() }
                out.append(scalar, origin: text.origins[i])
            }
            out.endWord()
        }
        text = out.text
        return out.words
    }
}

extension TokenizerFile {
    func metaspace(
        _ fields: TokenizerFields
    ) throws(FileError) -> (replacement: UInt32, scheme: MetaspacePreTokenizer.Scheme) {
        let replacement = try fields.scalar("replacement")
        var scheme = MetaspacePreTokenizer.Scheme.always
        if fields.object["prepend_scheme"] != nil {
            guard let found = MetaspacePreTokenizer.Scheme(rawValue: try fields.string("prepend_scheme")) else {
                throw fields.wrong("prepend_scheme", "'always', 'first' or 'never'")
            }
            scheme = found
        }
        // The older spelling, which must not contradict the newer.
        if try fields.optionalBool("add_prefix_space") == false, scheme != .never {
            throw fields.wrong("add_prefix_space", "true, as prepend_scheme is '\(scheme)',")
        }
        return (replacement, scheme)
    }
}
