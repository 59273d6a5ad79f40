import Foundation
import JSON
import KernelSelection

@testable import Models

/// Fuzz target for configurations that do not match their weights.
///
/// Loading such a model must fail, or its network must stay within its memory.
enum ModelTargets {
    static let all = [FuzzTarget(name: "configurations", maxLength: 128, run: configurations)]

    /// A model of the reference data, to be loaded with an edited configuration.
    private struct Base {
        /// A temporary directory with links to all files of the model except config.json.
        let directory: String
        let configuration: JSONValue
    }

    private static let names = [
        "families/albert", "families/albert-groups", "families/bert", "families/bert-classes", "families/bert-masked",
        "families/deberta-v1", "families/deberta-v2-conv", "families/deberta-v2-answers", "families/distilbert",
        "families/electra-classes", "families/gemma3", "families/llama-3", "families/llama-longrope",
        "families/modernbert", "families/modernbert-older", "families/mpnet", "families/nomic", "families/nomic-own",
        "families/qwen2-window", "families/qwen3-yarn", "families/roberta-tokens", "families/t5", "families/t5-gated",
        "families/t5-umt5", "families/xlm-roberta-xl", "recurrent/lstm-proj", "recurrent/gru-ids", "recurrent/rnn-head",
        "transformer/plain", "transformer/post-gelu-learned-ids", "transformer/self-cosine", "forms/bitsandbytes",
        "forms/compressed-channel",
    ]

    private static let bases = names.compactMap { name -> Base? in
        let manager = FileManager.default
        let source = Folder.reference + "/" + name
        let root = manager.fileExists(atPath: "/dev/shm") ? "/dev/shm" : NSTemporaryDirectory()
        let directory = "\(root)/encoderd-fuzz-\(getpid())/" + name.replacing("/", with: "-")
        guard let bytes = manager.contents(atPath: source + "/config.json"),
            let configuration = try? JSONValue(parsing: [UInt8](bytes)),
            (try? manager.createDirectory(atPath: directory, withIntermediateDirectories: true)) != nil
        else { return nil }
        for file in (try? manager.contentsOfDirectory(atPath: source)) ?? [] where file != "config.json" {
            try? manager.createSymbolicLink(atPath: directory + "/" + file, withDestinationPath: source + "/" + file)
        }
        return Base(directory: directory, configuration: configuration)
    }

    /// The values in all configurations, for edits that replace one value by another.
    private static let pool = bases.flatMap { JSONEdits.nodes($0.configuration) }
    /// The top-level members of all configurations, for edits that add a member.
    private static let members = bases.flatMap { $0.configuration.object?.members ?? [] }

    /// Loads a model with an edited configuration, runs its network, and checks the shapes of the results.
    ///
    /// The input selects the model, members of other configurations to add, and the edits.
    private static func configurations(_ input: UnsafeRawBufferPointer) throws {
        try check(bases.count == names.count, "\(bases.count) of \(names.count) models in \(Folder.reference)")
        var choices = Choices(input)
        let base = bases[choices.byte() % bases.count]
        var configuration = base.configuration
        if var object = configuration.object {
            for _ in 0..<(choices.byte() % 3) {
                let member = members[choices.below(members.count)]
                object.append(member.key, member.value)
            }
            configuration = .object(object)
        }
        let text = JSONEdits.text(JSONEdits.apply(configuration, &choices, pool: pool))
        let isWritten = FileManager.default.createFile(
            atPath: base.directory + "/config.json", contents: Data(text))
        try check(isWritten, "config.json cannot be written")
        guard
            let model = try? Model.load(directory: base.directory, name: "m", kernels: KernelSelection.select(nil))
        else { return }
        let d = model.description
        let length = min(3, d.architecture.positions ?? 3)
        let sequence = d.architecture.input.sequence(
            length: length, id: { position, size in position % max(size, 1) }, feature: { _ in 0.5 })
        var outputs = OutputSelection()
        outputs.stateLayers = Array(0..<d.architecture.stateSizes.count)
        outputs.logits = d.outputs.logitsSize != nil
        outputs.pooling = d.outputs.pooling
        outputs.embeddingLayer = d.architecture.stateSizes.count - 1
        outputs.sparse = d.outputs.sparse
        outputs.finalState = d.architecture.stateShape != nil
        if let method = d.attribution.methods.first {
            outputs.attention = AttentionSelection(
                method: method, layers: Array(0..<d.architecture.layers),
                heads: method.hasHeads ? Array(0..<d.architecture.heads) : [0], queries: nil)
        }
        let results = model.network.forward([SequenceRequest(input: sequence, outputs: outputs)], scratch: Scratch())
        try check(
            results.count == 1 && results[0].states.count == d.architecture.stateSizes.count, "\(results.count) results"
        )
        for (states, size) in zip(results[0].states, d.architecture.stateSizes) {
            try check(states.rows == length && states.columns == size, "states [\(states.rows), \(states.columns)]")
        }
    }
}
