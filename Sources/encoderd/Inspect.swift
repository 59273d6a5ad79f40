import ArgumentParser
import Foundation
import KernelSelection
import ModelFiles
import Models

/// What a model directory holds.
struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print a model's family, sizes, tensors, tokenizer and memory.")

    @Argument(help: "The model directory.")
    var directory: String
    @Option(help: precisionHelp)
    var precision: Precision?
    @Flag(help: "List no tensors.")
    var brief = false

    func run() throws {
        guard let argument = ModelArgument(directory) else { throw ValidationError("A directory is expected.") }
        let before = residentBytes()
        let start = ContinuousClock.now
        let model = try argument.load(precision)
        let time = start.duration(to: .now)
        let memory = residentBytes() - before
        let facts = ModelFacts(model)
        let width = facts.lines.map(\.name.count).max() ?? 0
        for (name, value) in facts.lines { print(name.padding(toLength: width, withPad: " ", startingAt: 0), value) }
        let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) / 1e18
        print(
            "loaded in".padding(toLength: width, withPad: " ", startingAt: 0), String(format: "%.0f ms", seconds * 1e3))
        print(
            "memory".padding(toLength: width, withPad: " ", startingAt: 0),
            "\(megabytes(memory)) resident for \(megabytes(4 * model.description.parameters)) of f32 weights")
        if brief { return }

        let weights = try WeightFiles.open(model)
        let tensors = weights.names.compactMap { weights.tensor($0) }
        let bytes = tensors.reduce(0) { $0 + $1.bytes.count }
        print("\n\(weights.path): \(weights.format), \(tensors.count) tensors, \(megabytes(bytes))")
        let unused = Set(model.unusedTensors)
        let column = tensors.map(\.name.count).max() ?? 0
        for tensor in tensors {
            let name = tensor.name.padding(toLength: column, withPad: " ", startingAt: 0)
            let mark = unused.contains(tensor.name) ? "  not used" : ""
            print("  \(name)  \(tensor.dataType.rawValue)  \(tensor.shape)\(mark)")
        }
    }
}

/// A model's facts as words, one a line.
struct ModelFacts {
    private(set) var lines: [(name: String, value: String)] = []

    init(_ model: Model) {
        let d = model.description
        add("family", d.family)
        switch d.input {
        case .tokens(let size): add("input", "token ids below \(size)" + (model.tokenizer == nil ? "" : ", or text"))
        case .features(let size): add("input", "feature vectors, \(size) wide")
        }
        add("tokenizer", model.tokenizer?.summary ?? "none")
        add("longest input", d.maxLength.map { "\($0) tokens" } ?? "no limit of its own")
        add("layers", "\(d.layers)" + (d.directions == 2 ? ", both directions" : ""))
        if d.heads > 0 { add("heads", "\(d.heads)") }
        add("hidden size", "\(d.hiddenSize)")
        add(
            "embedding",
            "\(d.embeddingSize) values, "
                + ([d.pooling] + d.morePooling).map(\.rawValue).joined(separator: " and ")
                + " pooling\(d.normalize ? ", unit length" : "")")
        if let size = d.logitsSize { add("logits", "\(size) \(d.logitsPerToken ? "a step" : "a sequence")") }
        if let sparse = d.sparse {
            add(
                "sparse",
                "\(sparse.strategy.rawValue) of \(sparse.activation.rawValue)\(d.answersSparse ? "" : ", when asked for")"
            )
        }
        if let labels = d.labels {
            add("labels", labels.prefix(12).joined(separator: ", ") + (labels.count > 12 ? ", …" : ""))
        }
        if !d.prompts.isEmpty {
            let names = d.prompts.map { $0.name + ($0.name == d.defaultPrompt ? " (default)" : "") }
            add("prompts", names.joined(separator: ", "))
        }
        for note in d.notes { add("note", note) }
        if !model.unusedTensors.isEmpty { add("not used", "\(model.unusedTensors.count) tensors of the file") }
        add("attention", d.attentionMethods.map(\.rawValue).joined(separator: ", "))
        add("parameters", "\(d.parameters)")
        add("precision", "\(d.precision), \(d.instructionSet.rawValue) kernels")
    }

    private mutating func add(_ name: String, _ value: String) { lines.append((name, value)) }
}

func megabytes(_ bytes: Int) -> String { String(format: "%.1f MB", Double(bytes) / 1e6) }

/// This process's resident memory (proc(5), /proc/self/statm).
func residentBytes() -> Int {
    let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
    let fields = text.split(separator: " ")
    return fields.count > 1 ? (Int(fields[1]) ?? 0) * sysconf(Int32(_SC_PAGESIZE)) : 0
}
