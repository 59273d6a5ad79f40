import Foundation
import JSON
import TestSupport
import Testing

@testable import ModelFiles
@testable import Tokenizers

/// Damaged SentencePiece models, and directories of which nothing says how they are read.
@Suite struct VocabularyFileTests {
    private static let file = TokenizerFile(name: "spm.model")

    private static func vocabulary(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: TokenizerFilesTests.folder.appendingPathComponent("vocabularies/\(name)")))
    }

    /// Wire formats by https://protobuf.dev/programming-guides/encoding: a key is number << 3 | type.
    @Test func malformedMessagesAreRefused() {
        let piece: [UInt8] = [0x0A, 3, 0x0A, 1, 0x61]
        let rows: [(bytes: [UInt8], says: String)] = [
            ([], "it has no pieces"),
            ([0x0A], "it ends within a number"),
            ([0x0A, 5, 0x0A], "5 bytes wanted, 1 left"),
            ([0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], "a length out of range"),
            ([0x0A] + [UInt8](repeating: 0xFF, count: 9) + [0x02], "a number of more than 64 bits"),
            ([0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F], "bytes wanted"),
            (piece + [0x03], "a field of number 0"),
            (piece + [0x1B], "a field of wire type 3"),
            (piece + [0x25, 1, 2], "4 bytes wanted, 2 left"),
            (piece + [0x21, 1, 2], "8 bytes wanted, 2 left"),
            ([0x0A, 3, 0x0A, 1, 0xFF], "piece 0 is not valid UTF-8"),
            (piece + [0x0A, 5, 0x15, 0, 0, 0xC0, 0x7F], "the score of piece 1 is not a number"),
            (piece + [0x0A, 0x84, 0x10, 0x0A, 0x81, 0x10] + [UInt8](repeating: 0x61, count: 2049), "has 2049 bytes"),
            (piece + [0x12, 4, 0xEA, 0x02, 1, 0xFF], "a name in trainer_spec is not valid UTF-8"),
        ]
        for (bytes, says) in rows {
            let error = #expect(throws: FileError.self) { try SentencePieceModel(bytes, file: Self.file) }
            #expect(error?.message.contains(says) == true, "\(bytes.prefix(16)): \(error?.message ?? "no error")")
        }
    }

    @Test func absentFieldsHaveTheProtosDefaults() throws {
        let model = try SentencePieceModel([0x0A, 3, 0x0A, 1, 0x61, 0x98, 0x06, 7], file: Self.file)
        #expect(model.pieces.count == 1 && model.pieces[0].score == 0 && model.pieces[0].kind == .normal)
        #expect(model.isUnigram && !model.byteFallback && model.charsmap.isEmpty)
        #expect(model.unknownID == 0 && model.bosID == 1 && model.eosID == 2)
        // trainer_spec.bos_id of -1 takes ten bytes.
        let without = try SentencePieceModel(
            [0x0A, 3, 0x0A, 1, 0x61, 0x12, 12, 0xC8, 0x02] + [UInt8](repeating: 0xFF, count: 9) + [1], file: Self.file)
        #expect(without.bosID == -1)
    }

    /// Cut short or with random bytes, every model is read or refused; none traps, whatever class reads it.
    @Test func damageNeverCrashes() throws {
        let scratch = try ScratchDirectory()
        let settings = try TokenizerSettings(directory: scratch.path)
        var random = SplitMix(state: 7)
        for name in ["deberta", "gemma", "fairseq-identity"] {
            let good = try Self.vocabulary("\(name).model")
            for round in 0..<18 {
                var bytes = good
                if round % 3 == 0 { bytes.removeLast(Int(random.next() % UInt64(good.count))) }
                for _ in 0...Int(random.next() % 4) where !bytes.isEmpty {
                    // The numbers that say the most stand at the end, in trainer_spec.
                    let end = round % 2 == 0 ? bytes.count : min(400, bytes.count)
                    bytes[bytes.count - 1 - Int(random.next() % UInt64(end))] = UInt8(truncatingIfNeeded: random.next())
                }
                let files = VocabularyFiles(
                    directory: scratch.path, file: Self.file, bytes: bytes, settings: settings)
                for (_, file, make) in TokenizerClasses.classes where file.hasSuffix(".model") {
                    guard let tokenizer = try? make(files).tokenizer(settings, file: Self.file) else { continue }
                    let encoding = tokenizer.encode("Some words, 3 é ▁ 한", pair: nil, maxLength: nil)
                    _ = tokenizer.decode(encoding.tokens.map(\.id), skipSpecialTokens: false)
                }
            }
        }
    }

    /// The files beside a vocabulary, and a part of the expected error.
    @Test func directoriesThatNothingExplainsAreRefused() throws {
        let rows: [(vocabulary: String, name: String, others: [String: String], says: String)] = [
            ("deberta.model", "spm.model", [:], "no tokenizer_class or known model_type says how to read spm.model"),
            (
                "deberta.model", "spm.model", ["tokenizer_config.json": #"{"tokenizer_class": "XLNetTokenizer"}"#],
                "'XLNetTokenizer' does not say how to read spm.model: tokenizer.json"
            ),
            (
                "deberta.model", "spm.model", ["config.json": #"{"model_type": "t5"}"#],
                "T5Tokenizer reads spiece.model, which is not there (but spm.model)"
            ),
            ("bytes.json", "vocab.json", ["config.json": #"{"model_type": "roberta"}"#], "merges.txt"),
            (
                "bytes.json", "vocab.json",
                ["config.json": #"{"model_type": "roberta"}"#, "merges.txt": "#version: 0.2\na b c\n"],
                "line 2, \"a b c\", is not two tokens"
            ),
            (
                "bytes.json", "vocab.json", ["config.json": #"{"model_type": "roberta"}"#, "merges.txt": "q zzzz\n"],
                "\"zzzz\", of the merge of"
            ),
            (
                "wordpiece.txt", "vocab.txt", ["tokenizer_config.json": #"{"unk_token": "<none>"}"#],
                "the unknown token \"<none>\" is not in the vocabulary"
            ),
            (
                "wordpiece.txt", "vocab.txt", ["tokenizer_config.json": #"{"cls_token": null}"#],
                "cls_token is null, but texts are framed with it"
            ),
            (
                "wordpiece.txt", "vocab.txt", ["tokenizer_config.json": #"{"do_lower_case": "yes"}"#],
                "do_lower_case is \"yes\"; true or false is expected"
            ),
            (
                "wordpiece.txt", "vocab.txt", ["tokenizer_config.json": #"{"added_tokens_decoder": {"x": {}}}"#],
                "added_tokens_decoder[\"x\"] is not an id with its token"
            ),
            (
                "wordpiece.txt", "vocab.txt", ["added_tokens.json": #"{"<x>": -1}"#],
                "\"<x>\" has no id"
            ),
            (
                "deberta.model", "tokenizer.model",
                [
                    "config.json": #"{"model_type": "mistral"}"#,
                    "tokenizer_config.json": #"{"split_special_tokens": true}"#,
                ],
                "split_special_tokens is true, which is not supported"
            ),
        ]
        for row in rows {
            let scratch = try ScratchDirectory()
            try scratch.write(row.name, Self.vocabulary(row.vocabulary))
            for (name, text) in row.others { try scratch.write(name, Array(text.utf8)) }
            let error = #expect(throws: FileError.self) {
                try withExtendedLifetime(scratch) { _ = try TokenizerLoader.load(directory: scratch.path) }
            }
            let message = error.map { "\($0)" } ?? "no error"
            #expect(message.contains(row.says), "\(message)")
        }
    }

    /// A family's class must be one of those listed.
    @Test func everyFamilyHasAClass() {
        for (family, name) in TokenizerClasses.families {
            #expect(TokenizerClasses.classes.contains { $0.name == name }, "\(family)")
        }
    }
}
