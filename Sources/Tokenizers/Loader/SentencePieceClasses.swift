import FoundationEssentials
import JSON
import ModelFiles

/// The tokenizer classes of transformers that read a SentencePiece model
/// (`TokenizersBackend._convert_from_sentencepiece`,
/// https://github.com/huggingface/transformers/blob/main/src/transformers/tokenization_utils_tokenizers.py, version 5).
/// They differ from SentencePiece itself and from each other: each does what its tokenization_*.py says.
enum SentencePieceClasses {
    /// Builds ALBERT's tokenizer (models/albert/tokenization_albert.py).
    static func albert(_ files: VocabularyFiles) throws(FileError) -> TokenizerParts {
        let (model, settings) = (try SentencePieceModel(files.bytes, file: files.file), files.settings)
        var parts = TokenizerParts(
            model: try unigram(entries(model), unknown: 1, files.file),
            roles: settings.roles([
                .bos: SpecialToken("[CLS]"), .eos: SpecialToken("[SEP]"), .unk: SpecialToken("<unk>"),
                .sep: SpecialToken("[SEP]"), .pad: SpecialToken("<pad>"), .cls: SpecialToken("[CLS]"),
                .mask: SpecialToken("[MASK]"),
            ]), extra: added(model))
        var normalizers = [Component.replace("``", "\""), Component.replace("''", "\"")]
        if try !settings.bool("keep_accents", default: false) {
            normalizers += [Component.make("NFKD"), Component.make("StripAccents")]
        }
        if try settings.bool("do_lower_case", default: true) { normalizers.append(Component.make("Lowercase")) }
        if let table = precompiled(model) { normalizers.append(table) }
        parts.normalizer = Component.normalizers(normalizers)
        try setMetaspace(&parts, settings)
        parts.frame = TokenizerParts.bertFrame
        parts.endsOverrideFrame = true
        return parts
    }

    /// Builds T5's tokenizer (models/t5/tokenization_t5.py). `<extra_id_99>` to `<extra_id_0>` follow the model's
    /// pieces.
    static func t5(_ files: VocabularyFiles) throws(FileError) -> TokenizerParts {
        let (model, settings) = (try SentencePieceModel(files.bytes, file: files.file), files.settings)
        let count =
            settings.options.object["extra_ids"] == nil ? 100 : try settings.options.int("extra_ids", in: 0...65536)
        let extra = (0..<count).map { "<extra_id_\($0)>" }
        var parts = TokenizerParts(
            model: try unigram(entries(model) + extra.reversed().map { entry($0) }, unknown: 2, files.file),
            roles: settings.roles([
                .eos: SpecialToken("</s>"), .unk: SpecialToken("<unk>"), .pad: SpecialToken("<pad>"),
            ]), extra: added(model))
        if !added(model).contains(where: { $0.content.contains("<extra_id_") }) {
            parts.extra?.append(contentsOf: extra.map { SpecialToken($0) })
        }
        parts.normalizer = precompiled(model) ?? .null
        setMetaspace(&parts, scheme: "always")
        let single: [TokenizerParts.Piece] = [.first, .token(.eos)]
        parts.frame = .fixed(single: single, pair: single + [.second(), .token(.eos)])
        return parts
    }

    /// Builds XLM-RoBERTa's tokenizer (models/xlm_roberta/tokenization_xlm_roberta.py). Four tokens of fairseq replace
    /// the model's first three.
    static func xlmRoberta(_ files: VocabularyFiles) throws(FileError) -> TokenizerParts {
        let (model, settings) = (try SentencePieceModel(files.bytes, file: files.file), files.settings)
        let roles = settings.roles(fairseqRoles)
        let first = [TokenRole.bos, .pad, .eos, .unk].map { entry(roles[$0]?.content ?? "None") }
        let list = first + entries(model).dropFirst(3) + [entry(roles[.mask]?.content ?? "None")]
        var parts = TokenizerParts(
            model: try unigram(list, unknown: 3, files.file), roles: roles, extra: added(model))
        parts.normalizer = precompiled(model) ?? .null
        try setMetaspace(&parts, settings)
        setFairseqFrame(&parts)
        return parts
    }

    /// Builds CamemBERT's tokenizer (models/camembert/tokenization_camembert.py). The tokens of fairseq precede the
    /// model's, without the model's `<unk>`.
    static func camembert(_ files: VocabularyFiles) throws(FileError) -> TokenizerParts {
        let (model, settings) = (try SentencePieceModel(files.bytes, file: files.file), files.settings)
        guard model.isUnigram else { throw files.file.error("CamembertTokenizer needs a unigram model") }
        var roles = settings.roles(fairseqRoles)
        if let mask = roles[.mask], mask.special == nil {
            roles[.mask] = SpecialToken(mask.content, lstrip: true, special: true)
        }
        func name(_ role: TokenRole) -> String { roles[role]?.content ?? "None" }
        let first = [
            entry("<s>NOTUSED"), entry(name(.pad)), entry("</s>NOTUSED"), entry(name(.unk)),
            entry("<unk>NOTUSED", -100),
        ]
        let list = first + entries(model).dropFirst() + [entry(name(.mask))]
        let unknown = list.firstIndex { $0.spelling.elementsEqual(name(.unk).utf8) } ?? 0
        var parts = TokenizerParts(
            model: try unigram(list, unknown: unknown, files.file), roles: roles, extra: added(model))
        parts.normalizer = precompiled(model) ?? .null
        try setMetaspace(&parts, settings)
        setFairseqFrame(&parts)
        return parts
    }

    /// Builds DeBERTa v2's tokenizer (models/deberta_v2/tokenization_deberta_v2.py). It ignores the model's table of
    /// replacements.
    static func debertaV2(_ files: VocabularyFiles) throws(FileError) -> TokenizerParts {
        let (model, settings) = (try SentencePieceModel(files.bytes, file: files.file), files.settings)
        let roles = settings.roles([
            .bos: SpecialToken("[CLS]"), .eos: SpecialToken("[SEP]"), .unk: SpecialToken("[UNK]"),
            .sep: SpecialToken("[SEP]"), .pad: SpecialToken("[PAD]"), .cls: SpecialToken("[CLS]"),
            .mask: SpecialToken("[MASK]"),
        ])
        let unknown = model.pieces.firstIndex {
            $0.score == 0 && $0.spelling.elementsEqual((roles[.unk]?.content ?? "None").utf8)
        }
        var parts = TokenizerParts(
            model: try unigram(entries(model), unknown: unknown ?? model.unknownID, files.file), roles: roles,
            extra: added(model))
        let lowercase = try settings.bool("do_lower_case", default: false) ? [Component.make("Lowercase")] : []
        parts.normalizer = Component.normalizers(
            lowercase + [
                Component.replace(regex: #"\s{2,}|[\n\r\t]"#, " "), Component.make("NFC"),
                Component.make("Strip", ["strip_left": .bool(false), "strip_right": .bool(true)]),
            ])
        let scheme = try settings.bool("add_prefix_space", default: true) ? "always" : "first"
        let metaspace = Component.metaspace(scheme)
        let punctuation = Component.make("Punctuation", ["behavior": .string("Isolated")])
        parts.preTokenizer = Component.preTokenizers(
            (try settings.bool("split_by_punct", default: false) ? [punctuation] : []) + [metaspace])
        parts.decoder = metaspace
        parts.frame = TokenizerParts.bertFrame
        return parts
    }

    /// Builds Llama's tokenizer (models/llama/tokenization_llama.py).
    static func llama(_ files: VocabularyFiles) throws(FileError) -> TokenizerParts {
        let (model, settings) = (try SentencePieceModel(files.bytes, file: files.file), files.settings)
        var options = BPE.Options()
        options.fuseUnknown = true
        options.byteFallback = true
        var parts = TokenizerParts(
            model: try bpe(model, options, files.file),
            roles: settings.roles([
                .unk: SpecialToken("<unk>"), .bos: SpecialToken("<s>"), .eos: SpecialToken("</s>"),
            ]), extra: added(model))
        let addsSpace = try settings.bool("add_prefix_space", default: true)
        let legacy = try settings.bool("legacy", default: false)
        parts.preTokenizer = Component.metaspace(!addsSpace ? "never" : legacy ? "always" : "first", split: false)
        parts.decoder = Component.decoders(byteDecoders + (addsSpace ? [stripSpace] : []))
        return parts
    }

    /// Builds Gemma's tokenizer (models/gemma/tokenization_gemma.py).
    static func gemma(_ files: VocabularyFiles) throws(FileError) -> TokenizerParts {
        let (model, settings) = (try SentencePieceModel(files.bytes, file: files.file), files.settings)
        let roles = settings.roles([
            .unk: SpecialToken("<unk>"), .bos: SpecialToken("<bos>"), .eos: SpecialToken("<eos>"),
            .pad: SpecialToken("<pad>"), .mask: SpecialToken("<mask>"),
        ])
        var options = BPE.Options()
        options.fuseUnknown = true
        options.byteFallback = true
        var parts = TokenizerParts(
            model: try bpe(model, options, unknown: roles[.unk]?.content ?? "None", files.file), roles: roles,
            extra: added(model))
        parts.normalizer = Component.replace(" ", "▁")
        parts.preTokenizer = Component.split(["String": .string(" ")], "MergedWithPrevious")
        parts.decoder = Component.decoders(byteDecoders)
        return parts
    }

    /// Builds the tokenizer of a family without a class of its own, from the model alone
    /// (`SpmConverter.build_tokenizer_from_spm_proto`, convert_slow_tokenizer.py). Placeholders take the spellings that
    /// `added_tokens_decoder` has for their ids.
    static func generic(_ files: VocabularyFiles) throws(FileError) -> TokenizerParts {
        let (model, settings) = (try SentencePieceModel(files.bytes, file: files.file), files.settings)
        var defaults: [TokenRole: SpecialToken] = [:]
        if model.bosID >= 0 { defaults[.bos] = SpecialToken(model.bosPiece.isEmpty ? "<s>" : model.bosPiece) }
        if model.eosID >= 0 { defaults[.eos] = SpecialToken(model.eosPiece.isEmpty ? "</s>" : model.eosPiece) }
        if model.unknownID >= 0 {
            defaults[.unk] = SpecialToken(model.unknownPiece.isEmpty ? "<unk>" : model.unknownPiece)
        }
        var names: [Int: String] = [:]
        for (id, token) in settings.decoder where !model.has(token.content) { names[id] = token.content }
        let tokens: any TokenModel
        if model.isUnigram {
            var list = entries(model)
            for (id, name) in names where id < list.count { list[id].spelling = Array(name.utf8)[...] }
            tokens = try unigram(list, unknown: model.unknownID, byteFallback: model.byteFallback, files.file)
        } else {
            var options = BPE.Options()
            options.fuseUnknown = true
            options.byteFallback = model.byteFallback
            tokens = try bpe(model, options, unknown: model.unknownPiece, renaming: names, files.file)
        }
        var parts = TokenizerParts(model: tokens, roles: settings.roles(defaults), extra: added(model))
        parts.normalizer = Component.normalizers(
            (precompiled(model).map { [$0] } ?? []) + [Component.replace(" ", "▁")])
        parts.decoder = Component.decoders(model.byteFallback ? byteDecoders : [Component.replace("▁", " ")])
        return parts
    }

    // MARK: What they share

    private static let fairseqRoles: [TokenRole: SpecialToken] = [
        .bos: SpecialToken("<s>"), .eos: SpecialToken("</s>"), .sep: SpecialToken("</s>"), .cls: SpecialToken("<s>"),
        .unk: SpecialToken("<unk>"), .pad: SpecialToken("<pad>"), .mask: SpecialToken("<mask>"),
    ]

    private static let byteDecoders = [
        Component.replace("▁", " "), Component.make("ByteFallback"), Component.make("Fuse"),
    ]
    private static let stripSpace = Component.make(
        "Strip", ["content": .string(" "), "start": .integer(1), "stop": .integer(0)])

    /// Sets the frame `<s> A </s>`, and `<s> A </s></s> B </s>` for a pair.
    private static func setFairseqFrame(_ parts: inout TokenizerParts) {
        let single: [TokenizerParts.Piece] = [.token(.bos), .first, .token(.eos)]
        parts.frame = .fixed(single: single, pair: single + [.token(.eos), .second(), .token(.eos)])
    }

    private static func setMetaspace(_ parts: inout TokenizerParts, _ settings: TokenizerSettings) throws(FileError) {
        setMetaspace(&parts, scheme: try settings.bool("add_prefix_space", default: true) ? "always" : "never")
    }

    private static func setMetaspace(_ parts: inout TokenizerParts, scheme: String) {
        parts.decoder = Component.metaspace(scheme)
        parts.preTokenizer = Component.preTokenizers([
            Component.make("WhitespaceSplit"), Component.metaspace(scheme),
        ])
    }

    private static func precompiled(_ model: SentencePieceModel) -> JSONValue? {
        if model.charsmap.isEmpty { return nil }
        return Component.make(
            "Precompiled", ["precompiled_charsmap": .string(Data(model.charsmap).base64EncodedString())])
    }

    /// Returns the control and user-defined pieces, which are found in the text before the model sees it.
    private static func added(_ model: SentencePieceModel) -> [SpecialToken] {
        model.pieces.filter { $0.kind == .control || $0.kind == .userDefined }.map { piece in
            var token = SpecialToken(
                String(decoding: piece.spelling, as: UTF8.self), special: piece.kind == .control)
            token.normalized = false
            return token
        }
    }

    // MARK: Models

    private typealias Entry = (spelling: ArraySlice<UInt8>, score: Double)

    private static func entry(_ spelling: String, _ score: Double = 0) -> Entry { (Array(spelling.utf8)[...], score) }

    private static func entries(_ model: SentencePieceModel) -> [Entry] {
        model.pieces.map { ($0.spelling, Double($0.score)) }
    }

    private static func unigram(
        _ entries: [Entry], unknown: Int, byteFallback: Bool = false, _ file: TokenizerFile
    ) throws(FileError) -> Unigram {
        guard entries.indices.contains(unknown) else {
            throw file.error("the unknown token is number \(unknown) of \(entries.count) pieces")
        }
        var vocabulary = try Vocabulary(capacity: entries.count, file: file.name, replacing: true)
        for (id, entry) in entries.enumerated() {
            entry.spelling.withUnsafeBufferPointer { vocabulary.append($0) }
            try vocabulary.add(id: id)
        }
        return try Unigram(
            vocabulary: vocabulary, scores: entries.map(\.score), unknown: Int32(truncatingIfNeeded: unknown),
            byteFallback: byteFallback, file: file.name)
    }

    /// Builds a BPE model (`generate_merges` of tokenization_utils_base.py). A SentencePiece model lists no merges, so
    /// every piece that is two other pieces side by side is a merge of them. Merges are ordered by id, then by the
    /// length of the left piece.
    private static func bpe(
        _ model: SentencePieceModel, _ options: BPE.Options, unknown: String? = nil,
        renaming names: [Int: String] = [:],
        _ file: TokenizerFile
    ) throws(FileError) -> BPE {
        let spellings = model.pieces.map(\.spelling)
        let all = try Vocabulary(lastOfEach: spellings, file: file.name)
        var pairs: [(left: Int32, right: Int32, id: Int32)] = []
        for (id, spelling) in spellings.enumerated() where all.utf8(of: Int32(truncatingIfNeeded: id)) != nil {
            spelling.withUnsafeBufferPointer { spelling in
                for place in spelling.indices.dropFirst() where spelling[place] & 0xC0 != 0x80 {
                    guard let left = all.id(of: UnsafeBufferPointer(rebasing: spelling[..<place])),
                        let right = all.id(of: UnsafeBufferPointer(rebasing: spelling[place...]))
                    else { continue }
                    pairs.append((left, right, Int32(truncatingIfNeeded: id)))
                }
            }
        }
        var renamed = spellings
        for (id, name) in names where id < renamed.count { renamed[id] = Array(name.utf8)[...] }
        let unique = names.isEmpty ? all : try Vocabulary(lastOfEach: renamed, file: file.name)
        var merges = MergeTable(capacity: pairs.count + 1)
        for (rank, pair) in pairs.enumerated() {
            merges.set(
                pair.left, pair.right, to: MergeTable.Merge(rank: UInt32(truncatingIfNeeded: rank), id: pair.id))
        }
        var options = options
        if let unknown {
            options.unknown = unique.id(of: unknown)
            guard options.unknown != nil || BPE.spellsAllBytes(unique, options) else {
                throw file.error("the unknown token \"\(unknown.prefix(80))\" is not among its pieces")
            }
        }
        return BPE(vocabulary: unique, merges: merges, options: options)
    }
}

extension SentencePieceModel {
    func has(_ spelling: String) -> Bool { pieces.contains { $0.spelling.elementsEqual(spelling.utf8) } }
}
