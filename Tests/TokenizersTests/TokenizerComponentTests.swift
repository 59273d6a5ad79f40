import JSON
import TestSupport
import Testing

@testable import ModelFiles
@testable import Tokenizers

/// Components and flags MiniLM does not use, in small tokenizers; expected values by
/// Tests/Reference/tokenizers_components.py.
@Suite struct TokenizerComponentTests {
    @Test func smallTokenizersAnswerAsTheLibrary() throws {
        let root = try TokenizerTests.json("tokenizers_components.json")
        let vocab = try #require(root["vocab"])
        let texts = try #require(root["texts"]?.array).compactMap(\.string)
        let pairs = try #require(root["pairs"]?.array).map { ($0.array ?? []).compactMap(\.string) }
        let cases = try #require(root["cases"]?.array)
        #expect(cases.count >= 45 && texts.count >= 35)
        for json in cases {
            let name = try #require(json["name"]?.string)
            let tokenizer = try PipelineTokenizer(json: Self.document(json["tokenizer"], vocab: vocab))
            let singles = try Self.rows(json["single"])
            let doubles = try Self.rows(json["pair"])
            let cut = try Self.rows(json["cut"])
            #expect(
                singles.count == texts.count && doubles.count == pairs.count && cut.count == texts.count + pairs.count)
            for (text, expected) in zip(texts, singles) {
                let got = Self.row(tokenizer.encode(text, pair: nil, maxLength: nil))
                #expect(got == expected, "\(name): \(text.debugDescription)")
            }
            for (pair, expected) in zip(pairs, doubles) {
                let got = Self.row(tokenizer.encode(pair[0], pair: pair[1], maxLength: nil))
                #expect(got == expected, "\(name): \(pair)")
            }
            for ((text, pair), expected) in zip(texts.map { ($0, nil) } + pairs.map { ($0[0], $0[1]) }, cut) {
                let got = Self.row(tokenizer.encode(text, pair: pair, maxLength: 9))
                #expect(got == expected, "\(name), cut to 9: \(text.debugDescription) \(pair ?? "")")
            }
        }
    }

    private static func rows(_ json: JSONValue?) throws -> [[[Int]]] {
        try #require(json?.array).map { row in (row.array ?? []).map { ($0.array ?? []).compactMap(\.int) } }
    }

    private static func row(_ encoding: Encoding) -> [[Int]] {
        encoding.tokens.map { [Int($0.id), $0.start, $0.end, Int($0.typeID), $0.special ? 1 : 0] }
    }

    /// The tokenizer.json with its vocabulary put back.
    private static func document(_ value: JSONValue?, vocab: JSONValue) throws -> [UInt8] {
        var document = JSONObject()
        for (key, value) in try #require(value?.object).members {
            guard key == "model" else {
                document.append(key, value)
                continue
            }
            var model = try #require(value.object)
            model.append("vocab", vocab)
            document.append(key, .object(model))
        }
        var writer = JSONWriter()
        writer.value(.object(document))
        return writer.bytes
    }

    // MARK: Damaged files

    private static let sound = """
        {"version": "1.0", "added_tokens": [{"id": 1, "content": "[CLS]", "single_word": false, "lstrip": false,
        "rstrip": false, "normalized": false, "special": true}], "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": {"type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [1], "tokens": ["[CLS]"]}}},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100, "vocab": {"[UNK]": 0, "[CLS]": 1, "a": 2, "##b": 3}}}
        """

    /// A member to replace, its replacement, and a part of the expected error.
    @Test(arguments: [
        ("\"WordPiece\"", "\"WordSalad\"", "model is of type \"WordSalad\", which is not supported"),
        ("\"Lowercase\"", "\"Precompile\"", "normalizer is of type \"Precompile\""),
        (
            "{\"type\": \"Lowercase\"}", "{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"X\"}]}",
            "normalizer.normalizers[0] is of type \"X\""
        ),
        ("{\"type\": \"Lowercase\"}", "[]", "normalizer is an array; an object is expected"),
        ("\"Lowercase\"", "7", "normalizer.type is 7; a string is expected"),
        ("\"Whitespace\"", "\"Metaspaces\"", "pre_tokenizer is of type \"Metaspaces\""),
        ("\"TemplateProcessing\"", "\"RobertaProcessing\"", "post_processor.cls is missing"),
        (
            "\"unk_token\": \"[UNK]\"", "\"unk_token\": \"<unk>\"",
            "the unknown token \"<unk>\" is not in the vocabulary"
        ),
        ("\"unk_token\": \"[UNK]\"", "\"unk_token\": null", "model.unk_token is null; a string is expected"),
        ("\"a\": 2", "\"a\": 3", "share the id 3"),
        ("\"a\": 2", "\"a\": \"2\"", "model.vocab.a is \"2\""),
        ("\"a\": 2", "\"a\": -2", "model.vocab.a is -2"),
        ("\"a\": 2", "\"a\": 4000000000", "out of proportion"),
        ("\"a\": 2", "\"a\": 2.5", "model.vocab.a is 2.5"),
        ("\"a\": 2", "\"a\": 2, \"a\": 4", "is there twice"),
        ("\"##b\": 3}", "\"##b\": 3", "not valid JSON"),
        ("\"max_input_chars_per_word\": 100", "\"max_input_chars_per_word\": -1", "a whole number from 0"),
        ("{\"id\": 1, \"content\"", "{\"id\": 2, \"content\"", "has the id 2, but by the vocabulary it is 1"),
        ("\"content\": \"[CLS]\"", "\"content\": \"[X]\"", "has the id 1, but by the vocabulary it is 4"),
        ("\"lstrip\": false,", "", "added_tokens[0].lstrip is missing"),
        ("\"rstrip\": false", "\"rstrip\": 0", "added_tokens[0].rstrip is 0; true or false is expected"),
        ("\"ids\": [1]", "\"ids\": [1, 2]", "has 2 ids, but 1 tokens"),
        ("\"ids\": [1]", "\"ids\": [9]", "an id the vocabulary does not have"),
        (
            "\"special_tokens\": {\"[CLS]\"", "\"special_tokens\": {\"[SEP]\"",
            "post_processor.special_tokens.[CLS] is missing"
        ),
        (
            "{\"Sequence\": {\"id\": \"B\"", "{\"Sequence\": {\"id\": \"A\"",
            "post_processor.pair[1] is the sequence \"A\""
        ),
        (", {\"Sequence\": {\"id\": \"B\", \"type_id\": 1}}", "", "post_processor.pair lacks a sequence"),
        ("{\"Sequence\": {\"id\": \"B\"", "{\"Other\": {\"id\": \"B\"", "either a Sequence or a SpecialToken"),
        ("\"version\": \"1.0\"", "\"version\": \"2.0\"", "version is not \"1.0\""),
        ("\"model\": {", "\"modell\": {", "model is missing"),
    ])
    func damagedFilesAreRefused(part: String, replacement: String, message: String) throws {
        #expect(throws: Never.self) { try PipelineTokenizer(json: Array(Self.sound.utf8)) }
        let places = Self.sound.components(around: part)
        #expect(places.count == 2, "\(part) should occur once")
        let damaged = places.joined(separator: replacement)
        let error = #expect(throws: FileError.self) { try PipelineTokenizer(json: Array(damaged.utf8)) }
        #expect(error?.file == "tokenizer.json")
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "no error")")
    }

    // MARK: Characters

    @Test func characters() throws {
        let bytes = try WholeFile.read("characters.json", in: Folders.g2pTemplate)
        let tokenizer = try CharacterTokenizer(json: try #require(bytes))
        #expect(tokenizer.summary == "characters, 29 tokens" && tokenizer.vocabularySize == 29)
        #expect(tokenizer.token(2) == "</s>" && tokenizer.token(29) == nil && tokenizer.token(-1) == nil)
        #expect(tokenizer.isSpecial(0) && tokenizer.isSpecial(2) && !tokenizer.isSpecial(3))
        // By the list of graphemes: a is 3, z is 28; what is not a letter is <unk>, 1; </s>, 2, ends a word.
        for (text, limit, ids, truncated) in [
            ("Activation", nil, [3, 5, 22, 11, 24, 3, 22, 11, 17, 16, 2], false), ("", nil, [2], false),
            ("é-z", nil, [1, 1, 28, 2], false), ("</s>", nil, [1, 1, 21, 1, 2], false),
            ("abcdef", 4, [3, 4, 5, 2], true),
            ("abcdef", 7, [3, 4, 5, 6, 7, 8, 2], false), ("abc", 0, [2], true), ("A\u{301}", nil, [3, 1, 2], false),
        ] as [(String, Int?, [Int32], Bool)] {
            let encoding = tokenizer.encode(text, pair: nil, maxLength: limit)
            #expect(encoding.tokens.map(\.id) == ids, "\(text)")
            #expect(encoding.truncated == truncated && encoding.untruncatedCount == text.unicodeScalars.count + 1)
        }
        let tokens = tokenizer.encode("aİ", pair: nil, maxLength: nil).tokens
        // İ becomes i and a dot above: two tokens of one code point.
        #expect(
            tokens.map(\.id) == [3, 11, 1, 2] && tokens.map(\.start) == [0, 1, 1, 0]
                && tokens.map(\.end) == [1, 2, 2, 0])
        #expect(tokens.map(\.special) == [false, false, false, true])
        #expect(tokenizer.encode("ab", pair: "c", maxLength: nil).tokens.map(\.id) == [3, 4, 2, 5, 2])
    }

    @Test(arguments: [
        (#"{"vocab": {"a": 0}}"#, "unknown should name"),
        (#"{"vocab": {"a": 0}, "unknown": "b"}"#, "unknown should name"),
        (#"{"vocab": [], "unknown": "b"}"#, "vocab should be an object"),
        (#"{"vocab": {"a": 0, "b": 0}, "unknown": "a"}"#, "share the id 0"),
        (#"{"vocab": {"a": 0}, "unknown": "a", "suffix": ["</s>"]}"#, "suffix has an element"),
        (#"[]"#, "an object is expected"),
        (#"{"vocab": {"a": 0}, "unknown": "a", "lower": true}"#, "unknown member \"lower\""),
        (#"{"vocab": {"": 0}, "unknown": ""}"#, "empty token"),
        (#"{"vocab": {"a": 1e99}, "unknown": "a"}"#, "a whole number"),
        (#"{"vocab": {"a": 0}, "unknown": "a", "lowercase": 1}"#, "true or false"),
    ])
    func damagedCharactersAreRefused(text: String, message: String) {
        let error = #expect(throws: FileError.self) { try CharacterTokenizer(json: Array(text.utf8)) }
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "no error")")
    }

    @Test func directories() throws {
        #expect(try TokenizerLoader.load(directory: Folders.miniLM)?.summary == "WordPiece, 30522 tokens")
        #expect(try TokenizerLoader.load(directory: Folders.reference) == nil)
        #expect(try TokenizerLoader.load(directory: "/nowhere") == nil)
    }
}

extension String {
    fileprivate func components(around part: String) -> [String] {
        split(separator: part, omittingEmptySubsequences: false).map { String($0) }
    }
}
