import JSON
import ModelFiles

/// The tokenizer that a tokenizer.json describes. Its steps are those of the Hugging Face tokenizers library
/// (https://github.com/huggingface/tokenizers): it cuts out added tokens, normalizes the rest, splits it into words and
/// the words into tokens. Then it truncates the result and applies the template.
public struct PipelineTokenizer: Tokenizer {
    private let model: any TokenModel
    private let caches = WordCaches()
    private let normalizer: (any Normalizer)?
    private let preTokenizer: (any PreTokenizer)?
    private let template: Template
    /// The matcher for the original text; `addedNormalized` is the one for the normalized text.
    private let addedRaw: AddedTokenMatcher
    private let addedNormalized: AddedTokenMatcher
    /// The spellings of the model's and the added tokens, by id.
    private let spellings: [String?]
    private let specialIDs: Set<Int32>
    /// The spellings of special tokens, in UTF-8, because Swift's `String` equality accepts canonically equivalent
    /// spellings.
    private let specialSpellings: Set<[UInt8]>
    /// The normalized content of added tokens, by id, where it differs from their content. Decoders see it.
    private let normalizedSpellings: [Int32: String]
    /// The white space at the ends of every token, by id. Empty if the template does not trim offsets.
    private let spaces: [OffsetTrim.Spaces]
    private let decoder: (any TokenDecoder)?
    public let truncationSide: Truncation.Side

    init(
        model: any TokenModel, normalizer: (any Normalizer)?, preTokenizer: (any PreTokenizer)?, template: Template,
        decoder: (any TokenDecoder)?, added: [AddedToken], side: Truncation.Side, file: TokenizerFile
    ) throws(FileError) {
        self.model = model
        self.normalizer = normalizer
        self.preTokenizer = preTokenizer
        self.template = template
        self.decoder = decoder
        truncationSide = side
        var normalizedSpellings: [Int32: String] = [:]
        var spellings = model.vocabulary.spellings
        var raw: [(spelling: [UInt32], token: AddedToken)] = []
        var normalized: [(spelling: [UInt32], token: AddedToken)] = []
        var special: Set<Int32> = []
        for token in added {
            var text = NormalizedText(token.content)
            if token.normalized {
                normalizer?.normalize(&text)
                let spelling = text.string
                if !spelling.isSpelled(like: token.content) { normalizedSpellings[token.id] = spelling }
                normalized.append((text.scalars, token))
            } else {
                raw.append((text.scalars, token))
            }
            // One that the library gave the id of another, behind a vocabulary with holes, is spelled in its place.
            if Int(token.id) == spellings.count { spellings.append(token.content) }
            if Int(token.id) < spellings.count { spellings[Int(token.id)] = token.content }
            if token.special { special.insert(token.id) }
        }
        addedRaw = try AddedTokenMatcher(raw, file: file)
        addedNormalized = try AddedTokenMatcher(normalized, file: file)
        for piece in template.single + template.pair {
            guard case .special(let id, let text, _) = piece else { continue }
            guard Int(id) < spellings.count, spellings[Int(id)] != nil else {
                throw file.error(
                    "post_processor adds \"\(text.prefix(80))\" as \(id), an id the vocabulary does not have")
            }
        }
        self.spellings = spellings
        self.normalizedSpellings = normalizedSpellings
        specialIDs = special
        specialSpellings = Set(added.filter(\.special).map { Array($0.content.utf8) })
        spaces =
            template.trims.isEmpty
            ? [] : spellings.map { OffsetTrim.Spaces(($0 ?? "").unicodeScalars.map(\.value)) }
    }

    /// - Parameters:
    ///   - json: tokenizer.json. Only the direction of its `truncation` is used. Its `padding` is ignored.
    ///   - configuration: tokenizer_config.json. Its `truncation_side` takes precedence.
    /// - Throws: `FileError` for a component that is unknown, malformed, or inconsistent with another.
    public init(
        json: [UInt8], configuration: [UInt8]? = nil, file name: String = "tokenizer.json"
    ) throws(FileError) {
        let file = TokenizerFile(name: name)
        let root: JSONValue
        let lists = ModelLists(json)
        do throws(JSONError) { root = try lists.parseRest() } catch { throw file.error("not valid JSON: \(error)") }
        guard let object = root.object else { throw file.error("holds \(root.kind); an object is expected") }
        if let version = object["version"], version.string != "1.0" {
            throw file.error("version is not \"1.0\"")
        }
        let model = try file.model(object["model"], lists)
        // The library counts tokens, not the highest id, to number those added.
        let count = model.vocabulary.count
        try self.init(
            model: model, normalizer: file.normalizer(object["normalizer"], at: "normalizer"),
            preTokenizer: file.preTokenizer(object["pre_tokenizer"], at: "pre_tokenizer"),
            template: file.template(object["post_processor"]), decoder: file.decoder(object["decoder"]),
            added: file.addedTokens(object["added_tokens"], vocabulary: model.vocabulary, count: count),
            side: PipelineTokenizer.side(file, object, configuration), file: file)
    }

    /// The end of a long text that is cut off.
    static func side(
        _ file: TokenizerFile, _ object: JSONObject, _ configuration: [UInt8]?
    ) throws(FileError) -> Truncation.Side {
        if let configuration {
            let settings = TokenizerFile(name: "tokenizer_config.json")
            let root: JSONValue
            do throws(JSONError) { root = try JSONValue(parsing: configuration) } catch {
                throw settings.error("not valid JSON: \(error)")
            }
            if let side = try side(settings.fields(root, at: "the file")) { return side }
        }
        guard let fields = try file.optionalFields(object["truncation"], at: "truncation"),
            fields.object["direction"] != nil
        else { return .right }
        switch try fields.string("direction") {
        case "Left": return .left
        case "Right": return .right
        default: throw fields.wrong("direction", "'Left' or 'Right'")
        }
    }

    /// The value of `truncation_side` in tokenizer_config.json. `nil` if it has none.
    static func side(_ options: TokenizerFields) throws(FileError) -> Truncation.Side? {
        if options.object["truncation_side"] == nil || options.object["truncation_side"] == .null { return nil }
        guard let side = Truncation.Side(rawValue: try options.string("truncation_side")) else {
            throw options.wrong("truncation_side", "'left' or 'right'")
        }
        return side
    }

    public func decode(_ ids: [Int32], skipSpecialTokens: Bool) -> String {
        let tokens = ids.compactMap { id -> String? in
            guard let spelling = normalizedSpellings[id] ?? token(id) else { return nil }
            return skipSpecialTokens && specialSpellings.contains(Array(spelling.utf8)) ? nil : spelling
        }
        guard let decoder else { return tokens.joined(separator: " ") }
        return decoder.decode(tokens).joined()
    }

    public var summary: String { "\(model.name), \(vocabularySize) tokens" }
    /// The highest id plus one.
    public var vocabularySize: Int { spellings.count }

    public func token(_ id: Int32) -> String? {
        id >= 0 && Int(id) < spellings.count ? spellings[Int(id)] : nil
    }

    public func isSpecial(_ id: Int32) -> Bool { specialIDs.contains(id) }

    public func encode(_ text: String, pair: String?, maxLength: Int?) -> Encoding {
        let first = tokenize(text)
        let second = pair.map { tokenize($0) }
        let pieces = second == nil ? template.single : template.pair
        let added = Template.added(pieces)
        let total = first.count + (second?.count ?? 0) + added
        var kept = (first.count, second?.count ?? 0)
        if let maxLength, total > maxLength {
            let room = max(maxLength - added, 0)
            kept = second.map { Truncation.longestFirst((first.count, $0.count), room: room) } ?? (room, 0)
        }
        var tokens: [Token] = []
        tokens.reserveCapacity(kept.0 + kept.1 + added)
        for piece in pieces {
            switch piece {
            case .special(let id, let text, let typeID):
                tokens.append(Token(id: id, text: text, start: 0, end: 0, typeID: typeID, special: true))
            case .sequence(let isSecond, let typeID):
                let kept = Truncation.kept(
                    isSecond ? second ?? [] : first, isSecond ? kept.1 : kept.0, cutting: truncationSide)
                for (i, found) in kept.enumerated() {
                    var (start, end) = (found.start, found.end)
                    for trim in template.trims {
                        trim.apply(
                            found.spaces ?? spaces[Int(found.id)], start: &start, end: &end, isFirst: i == 0)
                    }
                    tokens.append(
                        Token(id: found.id, text: token(found.id) ?? "", start: start, end: end, typeID: typeID))
                }
            }
        }
        return Encoding(tokens: tokens, truncated: tokens.count < total, untruncatedCount: total)
    }

    /// Returns all tokens of one text, without the template, with offsets in the original text.
    private func tokenize(_ text: String) -> [TextToken] { caches.withCache { tokenize(text, $0) } }

    private func tokenize(_ text: String, _ cache: WordCache) -> [TextToken] {
        var tokens: [TextToken] = []
        tokens.reserveCapacity(text.utf8.count / 4)
        let sent = NormalizedText(text)
        for (range, token) in addedRaw.split(sent.scalars) {
            var piece = sent.slice(range)
            if let token {
                append(token, covering: piece, to: &tokens)
                continue
            }
            normalizer?.normalize(&piece)
            for (range, token) in addedNormalized.split(piece.scalars) {
                var words = piece.slice(range)
                if let token {
                    append(token, covering: words, to: &tokens)
                    continue
                }
                let whole = [0..<words.scalars.count]
                let ranges = preTokenizer?.split(&words, words: whole) ?? whole
                words.scalars.withUnsafeBufferPointer { scalars in
                    for range in ranges {
                        let before = tokens.count
                        cache.tokenize(
                            UnsafeBufferPointer(rebasing: scalars[range]), by: model, offset: range.lowerBound,
                            into: &tokens)
                        for i in before..<tokens.count {
                            tokens[i].end = Int(words.origins[tokens[i].end - 1]) + 1
                            tokens[i].start = Int(words.origins[tokens[i].start])
                        }
                    }
                }
            }
        }
        return tokens
    }

    private func append(_ token: AddedToken, covering text: NormalizedText, to tokens: inout [TextToken]) {
        guard let first = text.origins.first, let last = text.origins.last else { return }
        tokens.append(
            TextToken(
                id: token.id, start: Int(first), end: Int(last) + 1,
                spaces: template.trims.isEmpty ? nil : OffsetTrim.Spaces(text.scalars)))
    }
}
