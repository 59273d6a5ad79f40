/// BERT's cleaning, as in `tokenizers::normalizers::BertNormalizer`. In this order: control characters are removed,
/// white space becomes the space, Chinese characters get spaces around them, accents are removed, the text is
/// lowercased.
struct BertNormalizer: Normalizer {
    let cleanText: Bool
    let handleChineseChars: Bool
    /// Whether accents are removed. `nil` for the value of `lowercase`.
    let stripAccents: Bool?
    let lowercase: Bool

    func normalize(_ text: inout NormalizedText) {
        // In ASCII there are no accents and nothing Chinese.
        let ascii = text.scalars.allSatisfy { $0 < 0x80 }
        if cleanText { clean(&text) }
        if !ascii {
            if handleChineseChars { spaceChinese(&text) }
            if stripAccents ?? lowercase {
                UnicodeForms.apply(.nfd, to: &text)
                let classes = ScalarClass.lookup
                text.compactMap { classes[$0].contains(.nonspacingMark) ? nil : $0 }
            }
        }
        if lowercase { text.lowercase() }
    }

    private func clean(_ text: inout NormalizedText) {
        let classes = ScalarClass.lookup
        text.compactMap { scalar in
            let scalarClass = classes[scalar]
            if scalarClass.contains(.removedByCleanText) { return nil }
            return scalarClass.contains(.whitespace) ? 0x20 : scalar
        }
    }

    private func spaceChinese(_ text: inout NormalizedText) {
        let classes = ScalarClass.lookup
        guard text.scalars.contains(where: { classes[$0].contains(.chinese) }) else { return }
        text.flatMap { scalar, out in
            let chinese = classes[scalar].contains(.chinese)
            if chinese { out.append(0x20) }
            out.append(scalar)
            if chinese { out.append(0x20) }
        }
    }
}
