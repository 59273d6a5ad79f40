/// Every byte becomes a character of its own.
struct ByteLevelNormalizer: Normalizer {
    func normalize(_ text: inout NormalizedText) { text.flatMap { ByteCharacters.append($0, to: &$1) } }
}
