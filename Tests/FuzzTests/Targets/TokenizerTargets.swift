import Foundation
import JSON

@testable import ModelFiles
@testable import Tokenizers

/// Fuzz targets for texts to tokenize and for the files that define tokenizers.
enum TokenizerTargets {
    static let all = [
        FuzzTarget(name: "texts", maxLength: 512, run: texts),
        FuzzTarget(name: "tokenizer-files", maxLength: 512, run: files),
        FuzzTarget(name: "sentencepiece", maxLength: 1024, run: sentencePiece),
    ]

    private static let folder = Folder.reference + "/tokenizers"
    private static let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
        .filter { !$0.hasSuffix(".json") }
    private static let jsons = names.map { name in
        FileManager.default.contents(atPath: "\(folder)/\(name)/tokenizer.json").map { [UInt8]($0) } ?? []
    }
    private static let tokenizers = jsons.compactMap { try? PipelineTokenizer(json: $0) }

    /// Tokenizes a text or a text pair, and checks offsets, ids, truncation and the cache.
    ///
    /// The first byte of the input selects the tokenizer, the second the maximum length. The rest is one text, or two
    /// texts with NUL between them.
    private static func texts(_ input: UnsafeRawBufferPointer) throws {
        var choices = Choices(input)
        try check(tokenizers.count >= 19, "\(tokenizers.count) tokenizers in \(folder)")
        let tokenizer = tokenizers[choices.byte() % tokenizers.count]
        let cut = choices.byte()
        let (text, pair) = halves(choices.rest)
        try encode(tokenizer, text, pair, cut: cut & 0x80 == 0 ? nil : cut & 0x3F)
    }

    /// Splits the bytes at the first NUL into a text and its pair. Later NULs are ordinary characters.
    private static func halves(_ bytes: UnsafeRawBufferPointer) -> (String, String?) {
        guard let middle = bytes.firstIndex(of: 0) else { return (String(decoding: bytes, as: UTF8.self), nil) }
        return (
            String(decoding: bytes[..<middle], as: UTF8.self), String(decoding: bytes[(middle + 1)...], as: UTF8.self)
        )
    }

    /// Encodes a text with and without truncation, decodes the result, and checks both encodings.
    /// - Parameter cut: The maximum length in tokens; `nil` to skip truncation.
    private static func encode(_ tokenizer: PipelineTokenizer, _ text: String, _ pair: String?, cut: Int?) throws {
        let whole = tokenizer.encode(text, pair: pair, maxLength: nil)
        let most = max(text.unicodeScalars.count, pair?.unicodeScalars.count ?? 0)
        for token in whole.tokens {
            try check(
                token.start >= 0 && token.start <= token.end && token.end <= most,
                "\(token) lies outside of \(most) code points")
            try check(tokenizer.token(token.id) != nil, "\(token) is not in the vocabulary")
        }
        try check(!whole.truncated && whole.untruncatedCount == whole.tokens.count, "\(whole) was cut")
        _ = tokenizer.decode(whole.tokens.map(\.id), skipSpecialTokens: true)
        _ = tokenizer.decode(whole.tokens.map(\.id), skipSpecialTokens: false)
        // The second time the words come from the cache.
        try check(tokenizer.encode(text, pair: pair, maxLength: nil) == whole, "\(text) is not the same twice")
        guard let cut else { return }
        let part = tokenizer.encode(text, pair: pair, maxLength: cut)
        let added = part.tokens.count(where: \.special)
        try check(part.tokens.count <= max(cut, added), "\(part.tokens.count) tokens, cut to \(cut)")
        try check(
            part.untruncatedCount == whole.tokens.count, "\(part.untruncatedCount) of \(whole.tokens.count) tokens")
        try check(part.truncated == (part.tokens.count < whole.tokens.count), "truncated: \(part.truncated)")
        if whole.tokens.count <= cut { try check(part == whole, "cut to \(cut) without need") }
    }

    // MARK: tokenizer.json

    /// Small tokenizer files with every kind of model, and those with every component that the tests cover.
    private static let bases = jsons.compactMap { try? shrunk(JSONValue(parsing: $0)) } + components.documents
    private static let pool = bases.flatMap { base in
        ["normalizer", "pre_tokenizer", "post_processor", "decoder", "added_tokens"].flatMap {
            JSONEdits.nodes(base[$0] ?? .null)
        }
    }

    /// Returns a tokenizer file with a vocabulary small enough to load quickly.
    private static func shrunk(_ document: JSONValue) -> JSONValue {
        guard let root = document.object, let model = root["model"]?.object else { return document }
        let kept = model["vocab"]?.object?.members.filter { ($0.value.int ?? 0) < 320 } ?? []
        let spellings = Set(kept.map(\.key))
        var small = JSONObject()
        for (key, value) in model.members {
            switch (key, value) {
            case ("vocab", .array(let pieces)): small.append(key, .array(Array(pieces.prefix(120))))
            case ("vocab", _):
                var vocabulary = JSONObject()
                for (spelling, id) in kept { vocabulary.append(spelling, id) }
                small.append(key, .object(vocabulary))
            case ("merges", .array(let merges)):
                let possible = merges.filter { merge in
                    let parts =
                        merge.array?.compactMap(\.string) ?? merge.string?.split(separator: " ").map(String.init) ?? []
                    return parts.allSatisfy(spellings.contains) && spellings.contains(parts.joined())
                }
                small.append(key, .array(possible))
            default: small.append(key, value)
            }
        }
        var result = JSONObject()
        for (key, value) in root.members { result.append(key, key == "model" ? .object(small) : value) }
        return .object(result)
    }

    /// Tokenizer files and texts of Tests/Reference/data/tokenizers_components.json.
    private static let components: (documents: [JSONValue], texts: [String]) = {
        guard let data = FileManager.default.contents(atPath: Folder.reference + "/tokenizers_components.json"),
            let root = try? JSONValue(parsing: [UInt8](data))
        else { return ([], []) }
        let documents = (root["cases"]?.array ?? []).compactMap { row -> JSONValue? in
            guard let members = row["tokenizer"]?.object?.members else { return nil }
            var document = JSONObject()
            for (key, value) in members {
                var model = value.object ?? [:]
                if key == "model", let vocabulary = root["vocab"] { model.append("vocab", vocabulary) }
                document.append(key, key == "model" ? .object(model) : value)
            }
            return .object(document)
        }
        return (documents, (root["texts"]?.array ?? []).compactMap(\.string))
    }()

    /// Loads a tokenizer.json, then encodes and decodes a text with it.
    ///
    /// The input selects a file and its edits; the rest is the text. If the first byte is 0xFF, the file itself follows,
    /// then NUL and the text.
    private static func files(_ input: UnsafeRawBufferPointer) throws {
        var choices = Choices(input)
        try check(bases.count >= 60, "\(bases.count) files in \(Folder.reference)")
        var json: [UInt8]
        var (text, pair): (String, String?)
        if input.first == 0xFF {
            let rest = UnsafeRawBufferPointer(rebasing: input[1...])
            let end = rest.firstIndex(of: 0) ?? rest.count
            json = Array(rest[..<end])
            (text, pair) = halves(UnsafeRawBufferPointer(rebasing: rest[min(end + 1, rest.count)...]))
        } else {
            let base = bases[choices.byte() % bases.count]
            json = JSONEdits.text(JSONEdits.apply(base, &choices, pool: pool))
            (text, pair) = halves(choices.rest)
        }
        guard let tokenizer = try? PipelineTokenizer(json: json) else { return }
        _ = tokenizer.encode(text, pair: pair, maxLength: nil)
        let encoding = tokenizer.encode(
            components.texts.isEmpty ? "" : components.texts[text.utf8.count % components.texts.count], pair: text,
            maxLength: 7)
        _ = tokenizer.decode(encoding.tokens.map(\.id), skipSpecialTokens: false)
        _ = tokenizer.decode(text.unicodeScalars.map { Int32(bitPattern: $0.value) }, skipSpecialTokens: true)
    }

    // MARK: SentencePiece

    private static let classes = TokenizerClasses.classes.filter { $0.file.hasSuffix(".model") }
    /// Default settings, from a directory that does not exist.
    private static let settings = try? TokenizerSettings(directory: Folder.tests + "/none")

    /// Loads a SentencePiece model and tokenizes a text with it.
    ///
    /// The first byte of the input selects the tokenizer class. The rest is the model as protobuf.
    private static func sentencePiece(_ input: UnsafeRawBufferPointer) throws {
        guard let first = input.first, let settings else { return }
        let file = TokenizerFile(name: "file.model")
        let files = VocabularyFiles(directory: "", file: file, bytes: Array(input[1...]), settings: settings)
        do {
            let tokenizer = try classes[Int(first) % classes.count].make(files).tokenizer(settings, file: file)
            try encode(
                tokenizer, "Ein Ăpfel, ▁two 東京 \u{0} <s>x", String(decoding: input.suffix(16), as: UTF8.self), cut: 5)
        } catch is FileError {}
    }
}
