import Foundation
import JSON
import KernelSelection
import Models
import Testing

@testable import Server

/// The project's own families with sentence-transformers' modules beside them, against Tests/Reference/native_modules.py.
@Suite struct NativeModuleTests {
    private static let references = ReferenceModels("native_modules")

    private static let names = [
        "attention", "gru-output", "gru-poolings", "lstm-prompts", "rnn-dense", "rnn-output-ids",
        "transformer-features", "transformer-prompts",
    ]

    private static func load(_ name: String, table: Int = 0) throws -> Model {
        try Model.load(
            directory: references.directory(name), name: name, kernels: KernelSelection.available[table])
    }

    @Test(arguments: names, KernelSelection.available.indices)
    func poolsAndNormalizesAsItSays(_ name: String, _ table: Int) throws {
        let model = try Self.load(name, table: table)
        let cases = try Self.references.cases(name)
        #expect(cases.count == (model.tokenizer == nil ? 4 : 16))
        for item in cases {
            let found = try firstItem(item["request"], model)["embedding"]
            let wanted = try #require(item["embedding"]?.array).compactMap(\.double)
            #expect(wanted.count == model.description.outputs.embeddingSize)
            let largest = wanted.map(abs).max() ?? 1
            #expect(
                try largestDifference(found, item["embedding"]) < 1e-5 * largest, "\(item["request"] ?? .null)")
        }
    }

    @Test func describesTheModules() throws {
        let lstm = try Self.load("lstm-prompts").description
        #expect(lstm.outputs.pooling == [.last, .weightedMean] && lstm.outputs.modulesWidth == 16)
        #expect(lstm.outputs.normalize && lstm.architecture.maxLength == 9 && lstm.architecture.positions == nil)
        #expect(lstm.prompts.defaultName == "query" && !lstm.prompts.arePooled)
        let encoder = try Self.load("transformer-prompts").description
        #expect(encoder.architecture.maxLength == 10 && encoder.architecture.positions == 24)
        #expect(try !Self.load("rnn-output-ids").description.prompts.arePooled)
    }

    /// A request for another pooling than the modules were trained with is refused, and one for another layer is not.
    @Test func modulesKeepTheirWidth() throws {
        let model = try Self.load("lstm-prompts")
        func error(_ request: String) throws -> String? {
            let value = try JSONValue(parsing: Array(request.utf8))
            do throws(APIError) { _ = try encode(value, on: model) } catch { return error.message }
            return nil
        }
        #expect(try error(#"{"input": "a", "pooling": "mean"}"#)?.contains("takes 16 values") == true)
        #expect(try error(#"{"input": "a", "pooling": "mean", "layer": 1}"#) == nil)
    }

    /// Changes files of a directory and expects a refusal.
    @Test(arguments: [
        ("gru-poolings", "1_Pooling/config.json", #"{"pooling_mode": "lasttoken"}"#, "reads in both directions"),
        ("rnn-dense", "1_Pooling/config.json", #"{"pooling_mode": ["mean", "max"]}"#, "'in_features' is 9"),
        (
            "rnn-dense", "config_sentence_transformers.json", #"{"prompts": {"query": "a"}}"#,
            "has the prompt 'query', but the model reads feature vectors"
        ),
        (
            "attention", "modules.json",
            #"[{"type": "x.MLMTransformer", "path": ""}, {"type": "x.SpladePooling", "path": "1_Pooling"}]"#,
            "names SpladePooling, but the model has no head of a masked language model"
        ),
        (
            "attention", "config.json",
            #"{"model_type": "self_attention", "input_size": 5, "key_size": 4, "value_size": 6, "pooling": "mean"}"#,
            "'pooling' is 'mean', but modules.json asks for 'mean_sqrt_len'"
        ),
        (
            "attention", "config.json",
            #"{"model_type": "self_attention", "input_size": 5, "key_size": 4, "value_size": 6, "normalize": false}"#,
            "'normalize' is false, but modules.json ends with a Normalize module"
        ),
    ])
    func refusesWhatDoesNotFit(_ name: String, _ file: String, _ json: String, _ message: String) throws {
        let copy = FileManager.default.temporaryDirectory.appendingPathComponent("encoderd-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: copy) }
        try FileManager.default.copyItem(at: URL(fileURLWithPath: Self.references.directory(name)), to: copy)
        try Data(json.utf8).write(to: copy.appendingPathComponent(file))
        let error = #expect(throws: (any Error).self) {
            try Model.load(directory: copy.path, name: name, kernels: KernelSelection.available[0])
        }
        let text = error.map { "\($0)" } ?? "loaded"
        #expect(text.contains(message), "\(text)")
    }
}
