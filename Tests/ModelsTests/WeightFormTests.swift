import Foundation
import KernelSelection
import ModelFiles
import TestSupport
import Testing

@testable import Models

/// Tests of the forms in which weights are published: in shards, wrapped in other objects, quantized by other tools.
/// The files are one classifier, written by Tests/Reference/weights_forms.py.
@Suite struct WeightFormTests {
    static let folder = Folders.reference + "/forms"
    static let forms = directories(in: folder).filter { !$0.hasSuffix(".safetensors") }
    static let quantized = forms.filter { $0.hasPrefix("compressed") || $0 == "bitsandbytes" }

    private func result(_ name: String, precision: Precision? = nil) throws -> (Model, SequenceResult) {
        let model = try Model.load(
            directory: Self.folder + "/" + name, name: name, kernels: try KernelSelection.select(nil),
            precision: precision)
        var outputs = OutputSelection()
        outputs.stateLayers = [model.description.architecture.layers]
        outputs.logits = true
        let ids = try Expected(Self.folder).ids("ids")
        let request = SequenceRequest(input: .tokens(ids: ids, typeIDs: []), outputs: outputs)
        return (model, model.network.forward([request], scratch: Scratch())[0])
    }

    @Test(arguments: forms) func equalsTransformers(_ name: String) throws {
        #expect(Self.forms.count == 10)
        let (model, result) = try result(name)
        let expected = try Expected(Self.folder)
        #expect(model.description.runtime.precision == "f32")
        #expect(model.unusedTensors.allSatisfy { $0.hasPrefix("optimizer") || $0.hasSuffix("position_ids") })
        #expect(try relativeDifference(result.states[0].values, expected.floats(name + ".states")) < 1e-5)
        let logits = try #require(result.logits)
        #expect(try relativeDifference(logits.values, expected.floats(name + ".logits")) < 1e-5)
    }

    /// Bytes stay bytes in int8, whoever made them; from f32 they only differ by the rounding of activations.
    @Test(arguments: [Precision.bf16, .int8], quantized) func reducedPrecisionsStayNear(
        _ precision: Precision, _ name: String
    ) throws {
        let (model, result) = try result(name, precision: precision)
        #expect(model.description.runtime.precision == precision.rawValue)
        let expected = try Expected(Self.folder)
        let difference = try relativeDifference(result.states[0].values, expected.floats(name + ".states"))
        #expect(difference < (precision == .bf16 ? 0.02 : 0.05))
    }

    /// `quantization_config` says what cannot be read; the message names it.
    @Test(arguments: [
        (#"{"quant_method": "gptq", "bits": 4}"#, "'quantization_config.quant_method' is 'gptq'"),
        (#"{"quant_method": "awq"}"#, "'awq'"),
        (#"{"quant_method": "bitsandbytes", "load_in_4bit": true}"#, "weights of 8 bits"),
        (#"{"quant_method": "compressed-tensors", "format": "pack-quantized"}"#, "'pack-quantized'"),
        (
            #"{"quant_method": "compressed-tensors", "format": "int-quantized", "config_groups": {"group_0": {"weights": {"num_bits": 4}}}}"#,
            "int of 4 bits"
        ),
        (#"7"#, "should be an object"),
    ])
    func refusesOtherQuantization(_ settings: String, _ wanted: String) throws {
        try withCopy("compressed-channel") { directory in
            let path = directory + "/config.json"
            let text = try String(contentsOfFile: path, encoding: .utf8)
            let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
            var edited = object
            edited["quantization_config"] = try JSONSerialization.jsonObject(
                with: Data(settings.utf8), options: .fragmentsAllowed)
            try JSONSerialization.data(withJSONObject: edited).write(to: URL(fileURLWithPath: path))
            let error = #expect(throws: FileError.self) {
                try Model.load(directory: directory, name: "m", kernels: try KernelSelection.select(nil))
            }
            #expect(error?.description.contains(wanted) == true, "\(error?.description ?? "loaded")")
        }
    }

    /// A shard that is missing is named, and so is the index that asks for it.
    @Test(arguments: ["sharded", "sharded-bin"]) func namesMissingShards(_ name: String) throws {
        try withCopy(name) { directory in
            let shard = try #require(directories(in: directory).first { $0.contains("-00002-") })
            try FileManager.default.removeItem(atPath: directory + "/" + shard)
            let error = #expect(throws: FileError.self) {
                try Model.load(directory: directory, name: "m", kernels: try KernelSelection.select(nil))
            }
            #expect(error?.description.contains(shard) == true, "\(error?.description ?? "loaded")")
        }
    }

    private func withCopy(_ name: String, _ body: (String) throws -> Void) throws {
        let scratch = try ScratchDirectory()
        let copy = scratch.path + "/copy"
        try FileManager.default.copyItem(atPath: Self.folder + "/" + name, toPath: copy)
        try body(copy)
    }
}
