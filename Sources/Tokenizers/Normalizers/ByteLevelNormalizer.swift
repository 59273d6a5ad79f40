/// The normalizer `ByteLevel`: every byte becomes a character.
struct ByteLevelNormalizer: Normalizer {
    func normalize(_ text: inout NormalizedText) { text.flatMap { ByteCharacters.append($0, to: &$1) } }
}
