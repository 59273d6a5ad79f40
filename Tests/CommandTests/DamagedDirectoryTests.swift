import Foundation
import Testing

@testable import Server

/// `encoderd inspect` on directories that cannot be a model: a sentence that names the fault, exit code 1, no trap, at
/// once, and nothing in a file is ever run.
@Suite struct DamagedDirectoryTests {
    /// A model directory to be damaged: file names and their bytes; nil: a FIFO.
    typealias Files = [String: [UInt8]?]

    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        /// The parts that the sentence must contain.
        let says: [String]
        let files: @Sendable () throws -> Files
        var testDescription: String { name }
    }

    private static let configuration = #"{"model_type": "rnn", "input_size": 3, "hidden_size": 4}"#

    /// A tanh RNN, 3 → 4.
    private static func tensors() -> [BinaryTensor] {
        [
            BinaryTensor(name: "rnn.weight_ih_l0", shape: [4, 3], floats: Array(repeating: 0.5, count: 12)),
            BinaryTensor(name: "rnn.weight_hh_l0", shape: [4, 4], floats: Array(repeating: 0.25, count: 16)),
            BinaryTensor(name: "rnn.bias_ih_l0", shape: [4], floats: Array(repeating: 0, count: 4)),
            BinaryTensor(name: "rnn.bias_hh_l0", shape: [4], floats: Array(repeating: 0, count: 4)),
        ]
    }

    private static func weights(_ tensors: [BinaryTensor] = tensors()) -> [UInt8] {
        var bytes: [UInt8] = []
        for segment in SafetensorsWriter.segments(tensors) { segment.withBytes { bytes += $0 } }
        return bytes
    }

    /// The header's JSON changed as text, its length written anew, the values as they were.
    private static func weights(replacing old: String, with new: String) throws -> [UInt8] {
        let bytes = weights()
        let length = bytes[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
        let header = String(decoding: bytes[8..<(8 + length)], as: UTF8.self)
        try #require(header.contains(old), "\(header)")
        let changed = Array(header.replacingOccurrences(of: old, with: new).utf8)
        return lengthPrefix(changed.count) + changed + bytes[(8 + length)...]
    }

    private static func lengthPrefix(_ length: Int) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
    }

    private static func small(_ configuration: String = configuration, _ weights: [UInt8]? = nil) -> Files {
        ["config.json": Array(configuration.utf8), "model.safetensors": weights ?? Self.weights()]
    }

    private static func config(_ json: String) -> @Sendable () throws -> Files { { small(json) } }

    private static func header(_ old: String, _ new: String) -> @Sendable () throws -> Files {
        { small(configuration, try weights(replacing: old, with: new)) }
    }

    private static func reference(_ file: String, as name: String? = nil) -> @Sendable () throws -> Files {
        {
            let bytes = try Data(
                contentsOf: URL(fileURLWithPath: "\(Program.root)/Tests/Reference/data/weights/\(file)"))
            let json = #"{"model_type": "rnn", "input_size": 3, "hidden_size": 4, "weights": "\#(name ?? file)"}"#
            return ["config.json": Array(json.utf8), name ?? file: Array(bytes)]
        }
    }

    /// MiniLM's files with some replaced.
    private static func miniLM(
        _ change: @escaping @Sendable (inout Files) throws -> Void
    ) -> @Sendable () throws -> Files {
        {
            var files: Files = [:]
            for name in ["config.json", "tokenizer.json", "model.safetensors", "sentence_bert_config.json"] {
                files[name] = Array(try Data(contentsOf: URL(fileURLWithPath: Program.model("minilm") + "/" + name)))
            }
            try change(&files)
            return files
        }
    }

    private static func replace(_ files: inout Files, _ name: String, _ old: String, _ new: String) throws {
        let text = String(decoding: try #require(files[name] ?? nil), as: UTF8.self)
        try #require(text.contains(old))
        files[name] = Array(text.replacingOccurrences(of: old, with: new).utf8)
    }

    static let marker = FileManager.default.temporaryDirectory.appendingPathComponent("encoderd-pickle-was-run").path

    /// The bytes of `pickle.dumps` for an object whose `__reduce__` returns (os.system, (command,)).
    private static var osSystem: [UInt8] {
        [0x80, 2] + Array("cposix\nsystem\nX".utf8) + [UInt8("touch \(marker)".utf8.count), 0, 0, 0]
            + Array("touch \(marker)".utf8) + [0x85] + Array("R.".utf8)
    }

    static let cases: [Case] = [
        Case(name: "empty directory", says: ["config.json"]) { [:] },
        Case(name: "config cut", says: ["config.json", "not valid JSON"], files: config(#"{"model_type": "rnn", "#)),
        Case(name: "config an array", says: ["config.json", "an object"], files: config("[1]")),
        Case(name: "config binary", says: ["config.json", "not valid JSON"]) {
            ["config.json": [0xFF, 0xD8, 0, 1], "model.safetensors": weights()]
        },
        Case(
            name: "config deep", says: ["config.json", "not valid JSON"],
            files: config(String(repeating: "[", count: 200_000))),
        Case(
            name: "config twice a key", says: ["config.json", "hidden_size"],
            files: config(#"{"model_type": "rnn", "input_size": 3, "hidden_size": 4, "hidden_size": 5}"#)),
        Case(name: "no model_type", says: ["'model_type' is missing", "lstm"], files: config(#"{"hidden_size": 4}"#)),
        Case(
            name: "unknown model_type", says: ["'model_type' is 'mamba'", "bert"],
            files: config(#"{"model_type": "mamba"}"#)),
        Case(
            name: "no hidden_size", says: ["'hidden_size' is missing"],
            files: config(#"{"model_type": "rnn", "input_size": 3}"#)),
        Case(
            name: "hidden_size text", says: ["'hidden_size' is '4'", "whole number"],
            files: config(#"{"model_type": "rnn", "input_size": 3, "hidden_size": "4"}"#)),
        Case(
            name: "hidden_size negative", says: ["'hidden_size' is -4"],
            files: config(#"{"model_type": "rnn", "input_size": 3, "hidden_size": -4}"#)),
        Case(
            name: "hidden_size absurd", says: ["'hidden_size' is"],
            files: config(#"{"model_type": "gru", "input_size": 3, "hidden_size": 9000000000000000000}"#)),
        Case(
            name: "hidden_size another", says: ["rnn.weight_ih_l0", "[4, 3]", "[5, 3]"],
            files: config(#"{"model_type": "rnn", "input_size": 3, "hidden_size": 5}"#)),
        Case(
            name: "a layer too many", says: ["rnn.weight_ih_l1"],
            files: config(#"{"model_type": "rnn", "input_size": 3, "hidden_size": 4, "num_layers": 2}"#)),
        Case(
            name: "a direction too many", says: ["rnn.weight_ih_l0_reverse"],
            files: config(#"{"model_type": "rnn", "input_size": 3, "hidden_size": 4, "bidirectional": true}"#)),
        Case(
            name: "unknown nonlinearity", says: ["'nonlinearity' is 'swish'", "tanh"],
            files: config(#"{"model_type": "rnn", "input_size": 3, "hidden_size": 4, "nonlinearity": "swish"}"#)),
        Case(
            name: "tensor mapped to none", says: ["'absent'", "rnn.weight_ih_l0"],
            files: config(
                #"{"model_type": "rnn", "input_size": 3, "hidden_size": 4, "tensors": {"rnn.weight_ih_l0": "absent"}}"#)
        ),
        Case(
            name: "weights elsewhere", says: ["'weights' is '../../etc/passwd'"],
            files: config(#"{"model_type": "rnn", "input_size": 3, "hidden_size": 4, "weights": "../../etc/passwd"}"#)),
        Case(name: "no weights", says: ["no weights", "model.safetensors"]) {
            ["config.json": Array(configuration.utf8)]
        },
        Case(name: "weights empty", says: ["model.safetensors", "empty"]) { small(configuration, []) },
        Case(name: "weights a FIFO", says: ["model.safetensors", "regular file"]) {
            ["config.json": Array(configuration.utf8), "model.safetensors": nil]
        },
        Case(name: "weights cut in the header", says: ["model.safetensors"]) {
            small(configuration, Array(weights().prefix(60)))
        },
        Case(name: "weights cut in the values", says: ["model.safetensors"]) {
            small(configuration, Array(weights().dropLast(9)))
        },
        Case(name: "bytes after the values", says: ["model.safetensors"]) {
            small(configuration, weights() + [1, 2, 3])
        },
        Case(name: "a Git LFS pointer", says: ["model.safetensors: is a Git LFS pointer", "'git lfs pull'"]) {
            small(
                configuration,
                Array("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935\nsize 90868376\n".utf8))
        },
        Case(name: "header length absurd", says: ["model.safetensors"]) {
            small(configuration, [UInt8](repeating: 0xFF, count: 8) + weights().dropFirst(8))
        },
        Case(name: "header no JSON", says: ["model.safetensors"]) {
            small(configuration, lengthPrefix(8) + Array("{\"rnn\": ".utf8) + Array(repeating: 0, count: 64))
        },
        Case(name: "overlapping tensors", says: ["model.safetensors"], files: header("[48,112]", "[44,112]")),
        Case(name: "hole between tensors", says: ["model.safetensors"], files: header("[48,112]", "[52,112]")),
        Case(name: "offsets reversed", says: ["model.safetensors"], files: header("[48,112]", "[112,48]")),
        Case(
            name: "integer weights", says: ["rnn.weight_ih_l0", "i32"],
            files: header("\"F32\",\"shape\":[4,3]", "\"I32\",\"shape\":[4,3]")),
        Case(
            name: "unknown data type", says: ["model.safetensors", "F7"],
            files: header("\"F32\",\"shape\":[4,3]", "\"F7\",\"shape\":[4,3]")),
        Case(name: "wrong shape", says: ["rnn.weight_ih_l0", "[3, 4]", "[4, 3]"], files: header("[4,3]", "[3,4]")),
        Case(name: "shape beyond the bytes", says: ["model.safetensors"], files: header("[4,3]", "[4,300]")),
        Case(
            name: "shape overflows", says: ["model.safetensors"],
            files: header("[4,3]", "[9223372036854775807,9223372036854775807]")),
        Case(name: "shape negative", says: ["model.safetensors"], files: header("[4,3]", "[-4,-3]")),
        Case(name: "missing tensor", says: ["rnn.bias_hh_l0"]) { small(configuration, weights(tensors().dropLast())) },
        Case(name: "pickle that runs os.system", says: ["model.pt", "posix"]) {
            let json = #"{"model_type": "rnn", "input_size": 3, "hidden_size": 4, "weights": "model.pt"}"#
            return ["config.json": Array(json.utf8), "model.pt": osSystem]
        },
        Case(name: "pickle beyond its storage", says: ["beyond-storage.pt"], files: reference("beyond-storage.pt")),
        Case(
            name: "pickle with a negative stride", says: ["negative-stride.pt"], files: reference("negative-stride.pt")),
        Case(name: "pickle of a short storage", says: ["short-storage.pt"], files: reference("short-storage.pt")),
        Case(name: "zip bomb", says: ["bomb.npz"], files: reference("bomb.npz")),
        Case(name: "object array", says: ["object.npz"], files: reference("object.npz")),
        Case(
            name: "tokenizer cut", says: ["tokenizer.json", "JSON"],
            files: miniLM { files in
                files["tokenizer.json"] = (files["tokenizer.json"] ?? nil).map { Array($0.prefix(1000)) }
            }),
        Case(
            name: "unknown normalizer", says: ["tokenizer.json", "Hypothetical"],
            files: miniLM { files in
                try replace(&files, "tokenizer.json", #""type":"BertNormalizer""#, #""type":"Hypothetical""#)
            }),
        Case(
            name: "heads that do not divide", says: ["num_attention_heads", "7"],
            files: miniLM { files in
                try replace(&files, "config.json", #""num_attention_heads": 12"#, #""num_attention_heads": 7"#)
            }),
        Case(
            name: "unknown activation", says: ["hidden_act", "swiglu9"],
            files: miniLM { files in
                try replace(&files, "config.json", #""hidden_act": "gelu""#, #""hidden_act": "swiglu9""#)
            }),
        Case(
            name: "vocabulary smaller than the table", says: ["30000", "30522"],
            files: miniLM { files in
                try replace(&files, "config.json", #""vocab_size": 30522"#, #""vocab_size": 30000"#)
            }),
        Case(
            name: "MiniLM cut", says: ["model.safetensors"],
            files: miniLM { files in
                files["model.safetensors"] = (files["model.safetensors"] ?? nil).map { Array($0.prefix($0.count / 2)) }
            }),
    ]

    @Test(arguments: cases) func isRefused(_ damage: Case) throws {
        let folder = try TemporaryFolder()
        for (name, bytes) in try damage.files() {
            if let bytes {
                try folder.write(name, bytes)
            } else {
                mkfifo(folder.url.appendingPathComponent(name).path, 0o600)
            }
        }
        let start = ContinuousClock.now
        let outcome = try Program.run(["inspect", folder.path])
        let time = start.duration(to: .now)
        #expect(!outcome.crashed && outcome.code == 1, "\(outcome)")
        #expect(outcome.output.isEmpty)
        let lines = outcome.errors.split(separator: "\n")
        #expect(lines.count == 1 && outcome.errors.utf8.count < 1000, "\(outcome.errors)")
        for part in damage.says { #expect(outcome.errors.contains(part), "\(outcome.errors)") }
        // Generous: the machine may be busy. Alone each takes some 20 ms.
        #expect(time < .seconds(5))
        #expect(!FileManager.default.fileExists(atPath: Self.marker))
    }

    @Test func theUndamagedDirectoryLoads() throws {
        let folder = try TemporaryFolder()
        for (name, bytes) in Self.small() { try folder.write(name, bytes ?? []) }
        let outcome = try Program.run(["inspect", folder.path])
        #expect(outcome.code == 0 && outcome.output.contains("family"), "\(outcome)")
        #expect(Self.cases.count >= 25)
    }
}
