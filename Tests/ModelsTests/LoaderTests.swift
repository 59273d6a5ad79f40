import Foundation
import JSON
import KernelSelection
import ModelFiles
import TestSupport
import Testing

@testable import Models

@Suite struct LoaderTests {
    /// A directory of small files, gone after `body`.
    static func withDirectory<R>(_ files: [String: String], _ body: (String) throws -> R) throws -> R {
        let scratch = try ScratchDirectory()
        for (name, text) in files {
            let folder = URL(fileURLWithPath: scratch.path + "/" + name).deletingLastPathComponent()
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try scratch.write(name, Array(text.utf8))
        }
        return try body(scratch.path)
    }

    // What the keys mean: sentence_transformers/sentence_transformer/modules/pooling.py and base/modules/transformer.py
    // of sentence-transformers 6.2.
    @Test func readsSentenceTransformersFiles() throws {
        let miniLM = try ModelDirectory(Folders.miniLM).sentence()
        #expect(miniLM.pooling == [.mean] && miniLM.normalize == true && miniLM.maxLength == 256)
        #expect(miniLM.modules.isEmpty && miniLM.prompts.texts.isEmpty && miniLM.sparse == nil && !miniLM.lowercases)

        let modules = """
            [{"idx": 0, "name": "0", "path": "0_Transformer", "type": "sentence_transformers.models.Transformer"},
             {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.x.modules.pooling.Pooling"}]
            """
        let files = [
            "modules.json": modules, "1_Pooling/config.json": #"{"pooling_mode": "lasttoken"}"#,
            "0_Transformer/tokenizer_config.json": #"{"model_max_length": 77}"#,
        ]
        let settings = try Self.withDirectory(files) { try ModelDirectory($0).sentence() }
        #expect(settings.pooling == [.last] && settings.normalize == false && settings.maxLength == 77)
        #expect(settings.folder == "0_Transformer")

        let unlimited = #"{"model_max_length": 1000000000000000019884624838656}"#
        let plain = try Self.withDirectory(["tokenizer_config.json": unlimited]) {
            try ModelDirectory($0).sentence()
        }
        #expect(plain.pooling.isEmpty && plain.normalize == nil && plain.maxLength == nil && plain.folder.isEmpty)
    }

    /// A modules.json that names a Transformer alone makes no embedding in sentence-transformers, so config.json decides.
    @Test(
        arguments: [
            ("", true, true), ("", false, false), (#", {"type": "a.Dropout"}"#, true, true),
            (#", {"type": "a.Normalize"}"#, true, true), (#", {"type": "a.Normalize"}"#, false, nil),
            (#", {"type": "a.Pooling", "path": "1_Pooling"}"#, true, nil),
            (#", {"type": "a.Pooling", "path": "1_Pooling"}"#, false, false),
        ] as [(String, Bool, Bool?)])
    func readsModulesWithoutPooling(others: String, normalize: Bool, expected: Bool?) throws {
        let scratch = try ScratchDirectory()
        let configuration = #"{"model_type": "self_attention", "input_size": 5, "key_size": 4, "value_size": 6"#
        try scratch.write("config.json", Array("\(configuration), \"normalize\": \(normalize)}".utf8))
        try scratch.write("modules.json", Array(#"[{"type": "a.Transformer"}\#(others)]"#.utf8))
        for name in ["model.safetensors", "1_Pooling"] {
            try FileManager.default.copyItem(
                atPath: Folders.reference + "/native_modules/attention/" + name, toPath: scratch.path + "/" + name)
        }
        let table = try KernelSelection.select(nil)
        let model = try? Model.load(directory: scratch.path, name: "m", kernels: table)
        #expect(model?.description.outputs.normalize == expected)
    }

    @Test(arguments: [
        ("modules.json", "{", "not valid JSON"),
        ("modules.json", "{}", "is an object; it should be an array"),
        ("modules.json", "[3]", "[0] should be an object"),
        ("modules.json", #"[{"type": "a.Transformer", "path": "../x"}]"#, "a folder of the directory"),
        ("modules.json", #"[{"type": "a.Transformer"}, {"type": "a.CNN", "path": "2_CNN"}]"#, "'a.CNN'"),
        ("modules.json", #"[{"type": "a.Transformer"}, {"type": "a.Pooling", "path": "1_P"}]"#, "no 1_P/config.json"),
        ("sentence_bert_config.json", #"{"max_seq_length": "9"}"#, "'max_seq_length' is '9'"),
        ("sentence_bert_config.json", #"{"config_args": 3}"#, "'config_args' is 3; it should be an object"),
        ("sentence_bert_config.json", #"{"model_args": {"x": 1}}"#, "'model_args.x' is not supported"),
        (
            "sentence_bert_config.json", #"{"processor_kwargs": {"truncation_side": "left"}}"#,
            "'processor_kwargs.truncation_side' is not supported"
        ),
        (
            "sentence_bert_config.json", #"{"processing_kwargs": {"text": {"max_length": 9}}}"#,
            "'processing_kwargs.text.max_length'"
        ),
        ("sentence_bert_config.json", #"{"query_length": 32}"#, "'query_length' is 32; it should be null"),
        (
            "sentence_bert_config.json", #"{"transformer_task": "text-generation"}"#,
            "'transformer_task' is 'text-generation'"
        ),
        (
            "sentence_bert_config.json", #"{"modality_config": {"text": {"method_output_name": "pooler_output"}}}"#,
            "'modality_config' should give 'text'"
        ),
    ])
    func refusesSentenceTransformersFiles(file: String, text: String, message: String) throws {
        let error = #expect(throws: FileError.self) {
            try Self.withDirectory([file: text]) { _ = try ModelDirectory($0).sentence() }
        }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "none")")
    }

    @Test(arguments: [
        (#"{"pooling_mode": []}"#, "should be one or more of cls, lasttoken"),
        (#"{"pooling_mode": ["mean", "attention"]}"#, "by 'attention'"),
        (#"{"pooling_mode": ["mean", 3]}"#, "by 'a number'"),
        (#"{"pooling_mode": "attention"}"#, "attention"),
        (#"{"pooling_mode": 3}"#, "'pooling_mode' is 3"),
        (#"{"pooling_mode_cls_token": 1}"#, "true or false"),
    ])
    func refusesPoolings(text: String, message: String) throws {
        let modules = #"[{"type": "a.Transformer"}, {"type": "a.Pooling", "path": "1_Pooling"}]"#
        let error = #expect(throws: FileError.self) {
            try Self.withDirectory(["modules.json": modules, "1_Pooling/config.json": text]) {
                _ = try ModelDirectory($0).sentence()
            }
        }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "none")")
    }

    @Test func readsKeys() throws {
        let text = #"{"a": 3, "b": 2.0, "c": null, "d": true, "e": "last", "f": {"x": "y"}, "g": 1e-5}"#
        let configuration = try Self.withDirectory(["config.json": text]) {
            try #require(try ConfigurationFile.read("config.json", in: $0))
        }
        #expect(try configuration.int("missing", "a", in: 0...3) == 3)
        #expect(try configuration.int("b", in: 0...3) == 2)
        #expect(try configuration.int("c", in: 0...3, default: 1) == 1)
        #expect(try configuration.bool("d", default: false))
        #expect(try configuration.choice("e", default: Pooling.mean) == .last)
        #expect(try configuration.strings("f") == ["x": "y"])
        #expect(try configuration.double("g", in: 0...1, default: 0) == 1e-5)
        #expect(try configuration.string("c") == nil)

        let refusals: [(() throws -> Any?, String)] = [
            ({ try configuration.int("c", "missing", in: 0...9) }, "'c' or 'missing' is missing"),
            ({ try configuration.int("a", in: 0...2) }, "'a' is 3; it should be a whole number from 0 to 2"),
            ({ try configuration.int("g", in: 0...2) }, "'g' is 1e-05"),
            ({ try configuration.bool("a", default: true) }, "'a' is 3; it should be true or false"),
            ({ try configuration.choice("a", default: Pooling.mean) }, "'a' is 3; it should be one of 'mean', 'cls'"),
            ({ try configuration.strings("e") }, "'e' is 'last'; it should be an object of strings"),
            (
                { try configuration.double("a", in: 0...1, default: 0) },
                "'a' is 3; it should be a number from 0.0 to 1.0"
            ),
            ({ try configuration.string("f") }, "'f' is an object; it should be a string"),
        ]
        for (read, message) in refusals {
            let error = #expect(throws: FileError.self) { _ = try read() }
            #expect(error?.message.contains(message) == true, "\(error?.message ?? "none")")
        }
    }

    @Test(
        arguments: [
            ([:], "holds no config.json"),
            (["config.json": "{\"model_type\": \"bert\","], "not valid JSON"),
            (["config.json": "[]"], "config.json: is an array"),
            (["config.json": "{}"], "holds no weights"),
            (["config.json": #"{"weights": "../secret"}"#], "plain file name"),
            (["config.json": #"{"weights": "gone.npz"}"#], "gone.npz"),
        ] as [([String: String], String)])
    func refusesDirectories(files: [String: String], message: String) throws {
        let table = try KernelSelection.select(nil)
        let error = #expect(throws: FileError.self) {
            try Self.withDirectory(files) { _ = try Model.load(directory: $0, name: "m", kernels: table) }
        }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "none")")
    }

    @Test func refusesWhatIsNoDirectory() throws {
        let table = try KernelSelection.select(nil)
        for (path, message) in [("/nowhere/at-all", "No such file"), ("/etc/passwd", "is not a directory")] {
            let error = #expect(throws: FileError.self) {
                _ = try Model.load(directory: path, name: "m", kernels: table)
            }
            #expect(error?.description.contains(message) == true, "\(error?.description ?? "none")")
        }
    }
}
