import JSON
import ModelFiles
import Testing

@testable import Models

/// Tests of the configurations that NomicBERT, ModernBERT, T5, Llama and its relatives, and Gemma 3 refuse by name, and
/// of those that they read as transformers does.
@Suite struct ModernFamilyTests {
    private static func names(_ all: String...) -> JSONValue { .array(all.map { .string($0) }) }

    @Test(
        arguments: [
            ("nomic-own", "prenorm", .bool(true), "'prenorm' is true"),
            ("nomic-own", "parallel_block", .bool(true), "'parallel_block' is true"),
            ("nomic-own", "use_rms_norm", .bool(true), "'use_rms_norm' is true"),
            ("nomic-own", "causal", .bool(true), "'causal' is true"),
            ("nomic-own", "num_experts", .integer(8), "mixtures of experts"),
            ("nomic-own", "moe_every_n_layers", .integer(2), "mixtures of experts"),
            ("nomic-own", "num_heads_kv", .integer(2), "'num_heads_kv' should be"),
            ("nomic-own", "activation_function", .string("mish"), "'activation_function' is 'mish'"),
            ("nomic-own", "rotary_emb_fraction", .number(0.4), "turn in pairs"),
            ("nomic-own", "rotary_emb_scale_base", .integer(512), "'rotary_emb_scale_base' is not null"),
            ("nomic-own", "n_inner", .integer(300), "is [256, 32] but should be [512, 32]"),
            ("nomic", "hidden_act", .string("cube"), "'hidden_act' is 'cube'"),
            ("nomic", "rope_parameters", .object(["rope_type": .string("mrope")]), "'rope_type' is 'mrope'"),
            ("modernbert", "layer_types", names("full_attention"), "an array of 4 names"),
            (
                "modernbert", "layer_types", names("full_attention", "chunked_attention", "x", "y"),
                "'chunked_attention'"
            ),
            ("modernbert", "rope_parameters", .object(["rope_theta": .integer(100)]), "'sliding_attention'"),
            ("modernbert-mean", "classifier_pooling", .string("max"), "'classifier_pooling' is 'max'"),
            ("modernbert", "hidden_activation", .string("cube"), "'hidden_activation' is 'cube'"),
            ("t5", "feed_forward_proj", .string("gated-cube"), "'feed_forward_proj' is 'cube'"),
            ("t5", "feed_forward_proj", .string("double-gelu"), "'feed_forward_proj' is 'double-gelu'"),
            ("t5", "relative_attention_num_buckets", .integer(31), "should be even"),
            ("t5", "relative_attention_max_distance", .integer(8), "above a quarter"),
            ("t5", "is_decoder", .bool(true), "only encoders"),
            ("llama", "rope_parameters", .object(["type": .string("su")]), "'type' is 'su'"),
            ("llama", "head_dim", .integer(7), "turn pairs"),
            ("qwen2", "num_key_value_heads", .integer(3), "'num_key_value_heads', 3, does not divide"),
            ("qwen2-both-ways", "use_sliding_window", .bool(false), "no 'sliding_window' in use"),
            ("qwen3", "head_dim", .integer(8), "but should be"),
            ("gemma3", "sliding_window", .null, "'sliding_window' is null"),
            ("gemma3", "hidden_activation", .string("cube"), "'hidden_activation' is 'cube'"),
        ] as [(String, String, JSONValue, String)])
    func refuses(_ name: String, _ key: String, _ value: JSONValue, _ message: String) throws {
        let error = #expect(throws: FileError.self) { try FamilyConfigurationTests.make(name, [key: value]) }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "none")")
    }

    /// Published files name a limit that scaling stretches, or two of them.
    @Test(
        arguments: [
            ("nomic-own", ["n_positions": .integer(8192), "max_position_embeddings": .integer(2048)], 8192),
            ("nomic-own", ["n_positions": .integer(-1)], 2048),
            ("qwen2-dynamic", [:], 132),
            ("qwen3-yarn", [:], 132),
            ("llama", ["rope_parameters": .object(["rope_type": .string("linear"), "factor": .integer(4)])], 132),
        ] as [(String, [String: JSONValue], Int)])
    func positions(_ name: String, _ changes: [String: JSONValue], _ positions: Int) throws {
        let network = try FamilyConfigurationTests.make(name, changes.mapValues { $0 }).network
        #expect(network.description.architecture.positions == positions)
    }

    /// Causal models pool their last token where no file says how, others the mean.
    @Test(arguments: [
        ("qwen3", Pooling.last), ("gemma3", .mean), ("gemma3-causal", .last), ("t5", .mean), ("nomic", .mean),
    ])
    func pooling(_ name: String, _ pooling: Pooling) throws {
        #expect(try FamilyConfigurationTests.make(name).network.description.outputs.pooling == [pooling])
    }
}
