import JSON
import ModelFiles

/// The classes of transformers that read `vocab.json` and `merges.txt`: byte-level BPE.
enum ByteLevelClasses {
    /// Builds RoBERTa's tokenizer
    /// (https://github.com/huggingface/transformers/blob/main/src/transformers/models/roberta/tokenization_roberta.py).
    static func roberta(_ files: VocabularyFiles) throws(FileError) -> TokenizerParts {
        let addsSpace = try files.settings.bool("add_prefix_space", default: false)
        var parts = try byteLevel(
            files, addPrefixSpace: addsSpace,
            roles: [
                .bos: SpecialToken("<s>"), .eos: SpecialToken("</s>"), .sep: SpecialToken("</s>"),
                .cls: SpecialToken("<s>"), .unk: SpecialToken("<unk>"), .pad: SpecialToken("<pad>"),
                .mask: SpecialToken("<mask>"),
            ])
        parts.frame = .roberta(
            trimOffsets: try files.settings.bool("trim_offsets", default: true), addPrefixSpace: addsSpace)
        return parts
    }

    /// Builds DeBERTa's tokenizer
    /// (https://github.com/huggingface/transformers/blob/main/src/transformers/models/deberta/tokenization_deberta.py).
    static func deberta(_ files: VocabularyFiles) throws(FileError) -> TokenizerParts {
        var parts = try byteLevel(
            files, addPrefixSpace: files.settings.bool("add_prefix_space", default: false),
            roles: [
                .bos: SpecialToken("[CLS]"), .eos: SpecialToken("[SEP]"), .sep: SpecialToken("[SEP]"),
                .cls: SpecialToken("[CLS]"), .unk: SpecialToken("[UNK]"), .pad: SpecialToken("[PAD]"),
                .mask: SpecialToken("[MASK]"),
            ])
        let single: [TokenizerParts.Piece] = [.token(.cls), .first, .token(.sep)]
        parts.frame = .fixed(single: single, pair: single + [.token(.sep), .second(), .token(.sep)])
        return parts
    }

    /// Builds GPT-2's tokenizer
    /// (https://github.com/huggingface/transformers/blob/main/src/transformers/models/gpt2/tokenization_gpt2.py).
    static func gpt2(_ files: VocabularyFiles) throws(FileError) -> TokenizerParts {
        let end = SpecialToken("<|endoftext|>")
        return try byteLevel(
            files, addPrefixSpace: files.settings.bool("add_prefix_space", default: false),
            roles: [.unk: end, .bos: end, .eos: end])
    }

    /// Builds Qwen2's tokenizer
    /// (https://github.com/huggingface/transformers/blob/main/src/transformers/models/qwen2/tokenization_qwen2.py).
    static func qwen2(_ files: VocabularyFiles) throws(FileError) -> TokenizerParts {
        let end = SpecialToken("<|endoftext|>")
        let addsSpace = try files.settings.bool("add_prefix_space", default: false)
        var parts = try byteLevel(
            files, addPrefixSpace: addsSpace, roles: [.unk: end, .eos: end, .pad: end])
        parts.normalizer = Component.make("NFC")
        let words =
            #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
        parts.preTokenizer = Component.preTokenizers([
            Component.split(["Regex": .string(words)], "Isolated"),
            Component.byteLevel(addPrefixSpace: addsSpace, useRegex: false),
        ])
        parts.addsPlainly = true
        return parts
    }

    private static func byteLevel(
        _ files: VocabularyFiles, addPrefixSpace: Bool, roles: [TokenRole: SpecialToken]
    ) throws(FileError) -> TokenizerParts {
        var parts = TokenizerParts(model: try bpe(files), roles: files.settings.roles(roles))
        parts.preTokenizer = Component.byteLevel(addPrefixSpace: addPrefixSpace)
        parts.decoder = Component.byteLevel(addPrefixSpace: true)
        return parts
    }

    private static func bpe(_ files: VocabularyFiles) throws(FileError) -> BPE {
        let name = "merges.txt"
        guard let text = try WholeFile.read(name, in: files.directory) else {
            throw files.file.error("merges.txt, which says how its tokens are made, is not beside it")
        }
        let file = TokenizerFile(name: name)
        guard String(validating: text, as: UTF8.self) != nil else { throw file.error("not valid UTF-8") }
        let vocabulary = try files.file.vocabulary(json: files.bytes)
        let lines = text.count { $0 == UInt8(ascii: "\n") } + 1
        var merges = MergeReader(vocabulary: vocabulary, capacity: lines, prefix: "", file: file)
        for (i, line) in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            if i == lines - 1, line.isEmpty { break }
            let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
            guard line.withUnsafeBufferPointer({ merges.setLine($0) }) else {
                throw file.error("line \(i + 1), \"\(merges.line.prefix(80))\", is not two tokens with a space between")
            }
            try merges.add()
        }
        return BPE(vocabulary: vocabulary, merges: merges.table, options: BPE.Options())
    }
}

extension TokenizerFile {
    /// Reads a vocab.json: `{"a": 0, …}`.
    func vocabulary(json: [UInt8]) throws(FileError) -> Vocabulary {
        // The reader of a tokenizer.json's model, which does not make a tree of a vocabulary.
        let lists = ModelLists(Array(#"{"model":{"vocab":"#.utf8) + json + Array("}}".utf8))
        let root: JSONValue
        do throws(JSONError) { root = try lists.parseRest() } catch { throw self.error("not valid JSON: \(error)") }
        guard let model = root["model"], model["vocab"]?.object != nil else {
            throw self.error("an object of tokens and their ids is expected")
        }
        return try vocabulary(fields(model, at: "the file"), lists)
    }
}
