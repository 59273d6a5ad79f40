/// The normalizer `ByteLevel`: every byte becomes a character.
struct ByteLevelNormalizer: Normalizer {
    func normalize(_ text: inout NormalizedText) {
        let spelling = ByteCharacters.spelling
        text.flatMap { spelling.append($0, to: &$1) }
    }
}
