import JSON
import ModelFiles

/// The tokenizer classes of transformers that read `vocab.txt`, which has one token per line.
enum WordPieceClasses {
    /// Builds BERT's tokenizer
    /// (https://github.com/huggingface/transformers/blob/main/src/transformers/models/bert/tokenization_bert.py).
    /// DistilBERT, ELECTRA and others have the same class under their names.
    static func bert(_ files: VocabularyFiles) throws(FileError) -> TokenizerParts {
        var parts = try wordPiece(
            files,
            roles: [
                .unk: SpecialToken("[UNK]"), .sep: SpecialToken("[SEP]"), .pad: SpecialToken("[PAD]"),
                .cls: SpecialToken("[CLS]"), .mask: SpecialToken("[MASK]"),
            ])
        parts.frame = TokenizerParts.bertFrame
        return parts
    }

    /// Builds MPNet's tokenizer
    /// (https://github.com/huggingface/transformers/blob/main/src/transformers/models/mpnet/tokenization_mpnet.py).
    static func mpnet(_ files: VocabularyFiles) throws(FileError) -> TokenizerParts {
        var parts = try wordPiece(
            files,
            roles: [
                .bos: SpecialToken("<s>"), .eos: SpecialToken("</s>"), .sep: SpecialToken("</s>"),
                .cls: SpecialToken("<s>"), .unk: SpecialToken("[UNK]"), .pad: SpecialToken("<pad>"),
                .mask: SpecialToken("<mask>"),
            ])
        // A mask given as a string takes the white space before it along, too.
        if let mask = parts.roles[.mask], mask.special == nil {
            parts.roles[.mask] = SpecialToken(mask.content, lstrip: true)
        }
        parts.frame = .roberta(trimOffsets: true, addPrefixSpace: false)
        return parts
    }

    private static func wordPiece(
        _ files: VocabularyFiles, roles: [TokenRole: SpecialToken]
    ) throws(FileError) -> TokenizerParts {
        let settings = files.settings
        let roles = settings.roles(roles)
        guard let unknown = roles[.unk] else { throw settings.options.file.error("unk_token is null") }
        var parts = TokenizerParts(
            model: try WordPiece(
                vocabulary: vocabulary(files), unknown: unknown.content, continuingPrefix: "##", maxCharacters: 100,
                file: files.file.name), roles: roles)
        parts.normalizer = Component.make(
            "BertNormalizer",
            [
                "clean_text": true.json,
                "handle_chinese_chars": try settings.bool("tokenize_chinese_chars", default: true).json,
                "strip_accents": try settings.options.optionalBool("strip_accents")?.json ?? .null,
                "lowercase": try settings.bool("do_lower_case", default: true).json,
            ])
        parts.preTokenizer = Component.make("BertPreTokenizer")
        parts.decoder = Component.make("WordPiece", ["prefix": .string("##"), "cleanup": .bool(true)])
        return parts
    }

    /// Reads vocab.txt like `WordPiece::read_file` of the tokenizers library: white space at the ends of lines is
    /// removed, and the last of two equal lines counts.
    private static func vocabulary(_ files: VocabularyFiles) throws(FileError) -> Vocabulary {
        let file = files.file
        guard let text = String(validating: files.bytes, as: UTF8.self) else { throw file.error("not valid UTF-8") }
        var lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        let tokens = lines.map { line in
            var scalars = Substring(line).unicodeScalars
            while let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() }
            return Array(String(scalars).utf8)[...]
        }
        return try Vocabulary(lastOfEach: tokens, file: file.name)
    }
}

extension Bool {
    var json: JSONValue { .bool(self) }
}
