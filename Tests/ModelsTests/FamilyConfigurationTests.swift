import JSON
import Kernels
import ModelFiles
import Testing

@testable import Models

/// Tests that every family refuses a wrong directory by a sentence, without a trap and without a guess.
@Suite struct FamilyConfigurationTests {
    /// Makes a directory's network with other values in config.json, or other names for its tensors.
    /// - Parameter changes: The values by key. `nil` removes the key.
    static func make(
        _ name: String, _ changes: [String: JSONValue?] = [:], tensors: [String: String] = [:]
    ) throws(FileError) -> (network: any Network, reader: WeightReader) {
        let directory = FamilyTests.folder + "/" + name
        guard let written = try ConfigurationFile.read("config.json", in: directory) else {
            throw FileError(file: name, "holds no config.json")
        }
        var object = JSONObject()
        for (key, value) in written.object.members where changes[key] == nil { object.append(key, value) }
        for (key, value) in changes { if let value { object.append(key, value) } }
        let reader = WeightReader(
            file: try WeightFiles.open(directory: directory, configured: nil), names: tensors,
            kernels: Table.all[0].kernels)
        let source = Checkpoint(
            configuration: ConfigurationFile(file: "config.json", object: object), weights: reader)
        return (try ModelRegistry.make(source, SentenceTransformersConfiguration()), reader)
    }

    /// A directory of every family, and one with a convolution.
    private static let representatives: [String] = {
        var seen = Set<String>()
        return FamilyTests.names.filter {
            let file = try? ConfigurationFile.read("config.json", in: FamilyTests.folder + "/" + $0)
            return seen.insert(file?.object["model_type"]?.string ?? "").inserted || $0.hasSuffix("-conv")
        }
    }()

    /// Every key of every family in turn holds what it should not: the model loads and computes, or says what is wrong.
    @Test(arguments: representatives) func noConfigurationTraps(_ name: String) throws {
        let values: [JSONValue] = [
            .null, .bool(true), .integer(0), .integer(-1), .integer(3), .integer(1 << 20), .integer(.max),
            .integer(.min), .number(0.5), .number(1e300), .string(""), .array([.integer(0)]), .object(JSONObject()),
        ]
        let written = try #require(try ConfigurationFile.read("config.json", in: FamilyTests.folder + "/" + name))
        var refused = 0
        for (key, _) in written.object.members {
            for value in values {
                do throws(FileError) {
                    let network = try Self.make(name, [key: value]).network
                    let request = SequenceRequest(input: .tokens(ids: [0, 3, 1, 2], typeIDs: []), outputs: .init())
                    guard network.description.architecture.positions ?? 4 >= 4 else { continue }
                    #expect(network.forward([request], scratch: Scratch()).count == 1)
                } catch {
                    refused += 1
                    #expect(!error.description.isEmpty)
                }
            }
        }
        #expect(refused > 40)
    }

    /// Every tensor that a model reads is one it cannot do without, and the error names it and its shape.
    @Test(arguments: FamilyTests.names) func missingTensorsAreFatal(_ name: String) throws {
        let reader = try Self.make(name).reader
        #expect(reader.uses.count > 10)
        for tensor in reader.uses.keys {
            let error = #expect(throws: FileError.self) { try Self.make(name, tensors: [tensor: "gone"]) }
            let message = error?.description ?? ""
            #expect(message.contains("should be [") || message.contains("no tensor"), "\(tensor): \(message)")
        }
    }

    @Test(
        arguments: [
            ("distilbert", "n_heads", .integer(0), "'n_heads' is 0"),
            ("distilbert", "n_heads", .integer(5), "'n_heads', 5, does not divide"),
            ("distilbert-classes", "dim", nil, "'dim' or 'hidden_size' is missing"),
            ("distilbert", "activation", .string("mish2"), "'activation' is 'mish2'"),
            ("roberta", "pad_token_id", .integer(131), "leaves none for tokens"),
            ("roberta", "position_embedding_type", .string("relative_key_query"), "only 'absolute'"),
            ("xlm-roberta-xl", "is_decoder", .bool(true), "only encoders"),
            ("electra-classes", "embedding_size", .integer(17), "is [64, 16] but should be [64, 17]"),
            ("albert-groups", "num_hidden_groups", .integer(3), "albert_layer_groups.2"),
            ("albert", "inner_group_num", .integer(2), "albert_layers.1"),
            ("mpnet", "relative_attention_num_buckets", .integer(16), "from 32 to"),
            ("deberta-v2", "pos_att_type", .string("c2p|p2p"), "'c2p' and 'p2c'"),
            ("deberta-v2", "position_buckets", .integer(1), "at least 2"),
            ("deberta-v2", "max_relative_positions", .integer(9), "less than 'max_relative_positions', 9"),
            ("deberta-v2", "norm_rel_ebd", .string("rms"), "'none' or 'layer_norm'"),
            ("deberta-v2", "attention_head_size", .integer(4), "'attention_head_size' is 4"),
            ("deberta-v2", "pooler_hidden_size", .integer(4), "'pooler_hidden_size' is 4"),
            ("deberta-v2-conv", "conv_kernel_size", .integer(4), "should be odd"),
            ("deberta-v2-conv", "conv_groups", .integer(3), "'conv_groups', 3, does not divide"),
            ("deberta-v2-conv", "conv_act", .string("cube"), "'conv_act' is 'cube'"),
            ("deberta-v1", "talking_head", .bool(true), "'talking_head' is true"),
        ] as [(String, String, JSONValue?, String)])
    func refuses(_ name: String, _ key: String, _ value: JSONValue?, _ message: String) throws {
        let error = #expect(throws: FileError.self) { try Self.make(name, [key: value]) }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "none")")
    }
}
