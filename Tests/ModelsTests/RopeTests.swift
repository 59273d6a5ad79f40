import Foundation
import JSON
import ModelFiles
import TestSupport
import Testing

@testable import Models

/// Rotary embeddings in every spelling of config.json, against transformers' classes; by Tests/Reference/rope.py.
@Suite struct RopeTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let file: JSONValue
        let number: Int
        var testDescription: String {
            "\(number): \(file["config"]?.object?.keys ?? []) \(file["layer"]?.string ?? "")"
        }
    }

    static let cases: [Case] = {
        let path = Folders.reference + "/rope.json"
        guard let data = FileManager.default.contents(atPath: path),
            let all = try? JSONValue(parsing: Array(data)).array
        else { return [] }
        return all.enumerated().map { Case(file: $1, number: $0) }
    }()

    @Test func casesAreThere() { #expect(Self.cases.count >= 40) }

    @Test(arguments: cases) func equalsTransformers(_ test: Case) throws {
        let c = ConfigurationFile(file: "config.json", object: try #require(test.file["config"]?.object))
        let headDim = try #require(test.file["head_dim"]?.int)
        let maximum = try #require(test.file["maximum"]?.int)
        let layer = test.file["layer"]?.string
        let rope =
            switch (try #require(test.file["family"]?.string), layer) {
            case ("modernbert", let layer?):
                try RopeConfiguration(
                    c, type: layer, thetaKey: layer == "full_attention" ? "global_rope_theta" : "local_rope_theta",
                    theta: layer == "full_attention" ? 160_000 : 10_000, scaled: true, headDim: headDim,
                    maximum: maximum)
            case ("gemma3_text", let layer?):
                try RopeConfiguration(
                    c, type: layer, thetaKey: layer == "full_attention" ? "rope_theta" : "rope_local_base_freq",
                    theta: layer == "full_attention" ? 1_000_000 : 10_000, scaled: layer == "full_attention",
                    headDim: headDim, maximum: maximum)
            default: try RopeConfiguration(c, headDim: headDim, maximum: maximum)
            }
        let found = rope.frequencies(length: try #require(test.file["length"]?.int))
        let expected = try #require(test.file["frequencies"]?.array).compactMap(\.double)
        try #require(found.count == expected.count)
        for (a, b) in zip(found, expected) {
            #expect(abs(Double(a) - b) <= 3e-7 * b, "\(a) for \(b)")
        }
        let factor = try #require(test.file["attention_factor"]?.double)
        #expect(abs(Double(rope.attentionFactor) - factor) < 1e-6)
    }

    @Test(arguments: [
        (#"{"rope_scaling": {"rope_type": "mrope"}}"#, "mrope"),
        (#"{"rope_scaling": {"type": "linear"}}"#, "factor"),
        (#"{"rope_scaling": 8}"#, "rope_scaling"),
        (#"{"rope_parameters": {"full_attention": {"rope_theta": 10}}}"#, "rope_parameters.full_attention"),
        (#"{"partial_rotary_factor": 0.5}"#, "partial_rotary_factor"),
        (#"{"rope_parameters": {"rope_type": "longrope", "short_factor": [1]}}"#, "short_factor"),
        (#"{"rope_theta": "many"}"#, "rope_theta"),
    ]) func refusesByName(_ json: String, _ name: String) throws {
        let object = try #require(try JSONValue(parsing: Array(json.utf8)).object)
        let error = #expect(throws: FileError.self) {
            _ = try RopeConfiguration(ConfigurationFile(file: "config.json", object: object), headDim: 8, maximum: 100)
        }
        let message = "\(try #require(error))"
        #expect(message.contains("'\(name)") || message.contains("\"\(name)"), "\(message)")
    }
}
