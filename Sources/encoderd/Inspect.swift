import ArgumentParser
import Glibc
import JSON
import KernelSelection
import ModelFiles
import Models
import Server

/// Prints what a model directory holds.
struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the family, sizes, tensors, tokenizer and memory of a model.",
        discussion: "Example: encoderd inspect --model models/minilm")

    @Argument(help: "The model directory, instead of --model.", completion: .directory)
    var directory: String?
    @Option(help: modelHelp, completion: .directory)
    var model: String?
    @Option(help: precisionHelp)
    var precision: Precision?
    @Flag(help: "List no tensors.")
    var brief = false
    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        guard directory != nil || model != nil else { throw ValidationError("Give a model directory.") }
        if directory != nil, model != nil { throw ValidationError("Give the model directory once.") }
    }

    func run() throws {
        let argument = try ModelArgument(option: directory ?? model ?? "", of: Self.self)
        let before = residentBytes()
        let start = ContinuousClock.now
        let files = ModelDirectory(argument.directory)
        let model = try argument.load(files, precision)
        let time = start.duration(to: .now)
        let cost = LoadingCost(milliseconds: time / .milliseconds(1), residentBytes: residentBytes() - before)
        let weights = brief ? nil : try files.openWeights()
        if json {
            try StandardOutput.write(ModelFacts(model).json(cost, weights) + [UInt8(ascii: "\n")])
        } else {
            try StandardOutput.line(ModelFacts(model).text(cost, weights))
        }
    }
}

/// The time and memory for loading a model.
struct LoadingCost {
    var milliseconds: Double
    var residentBytes: Int
}

/// The facts about a model, as text and as JSON.
struct ModelFacts {
    let model: Model

    init(_ model: Model) { self.model = model }

    // MARK: Text

    /// Returns the facts, one per line, then the tensors.
    /// - Parameter weights: `nil` if tensors are not listed.
    func text(_ cost: LoadingCost, _ weights: (any WeightFile)?) -> String {
        var facts = lines
        facts.append(("loaded in", "\(fixed(cost.milliseconds, digits: 0)) ms"))
        facts.append(
            (
                "memory",
                "\(megabytes(cost.residentBytes)) resident for \(megabytes(4 * model.description.architecture.parameters)) of f32 weights"
            ))
        let width = facts.map(\.name.count).max() ?? 0
        var text = facts.map { "\($0.name.padded(to: width)) \($0.value)" }
        guard let weights else { return text.joined(separator: "\n") }
        let tensors = weights.names.compactMap { weights.tensor($0) }
        let bytes = tensors.reduce(0) { $0 + $1.bytes.count }
        text.append("\n\(weights.path): \(weights.format), \(tensors.count) tensors, \(megabytes(bytes))")
        let unused = Set(model.unusedTensors)
        let column = tensors.map(\.name.count).max() ?? 0
        for tensor in tensors {
            let mark = unused.contains(tensor.name) ? "  not used" : ""
            text.append("  \(tensor.name.padded(to: column))  \(tensor.dataType.rawValue)  \(tensor.shape)\(mark)")
        }
        return text.joined(separator: "\n")
    }

    private var lines: [(name: String, value: String)] {
        var lines: [(name: String, value: String)] = []
        func add(_ name: String, _ value: String) { lines.append((name, value)) }
        let d = model.description
        let (architecture, outputs) = (d.architecture, d.outputs)
        add("family", architecture.family)
        switch architecture.input {
        case .tokens(let size): add("input", "token ids below \(size)" + (model.tokenizer == nil ? "" : ", or text"))
        case .features(let size): add("input", "feature vectors, \(size) wide")
        }
        add("tokenizer", model.tokenizer?.summary ?? "none")
        add("longest input", architecture.maxLength.map { "\($0) tokens" } ?? "unlimited")
        add("layers", "\(architecture.layers)" + (architecture.directions == 2 ? ", both directions" : ""))
        if architecture.heads > 0 { add("heads", "\(architecture.heads)") }
        add("hidden size", "\(architecture.hiddenSize)")
        add(
            "embedding",
            "\(outputs.embeddingSize) values, "
                + outputs.pooling.map(\.rawValue).joined(separator: " and ")
                + " pooling\(outputs.normalize ? ", unit length" : "")")
        if let size = outputs.logitsSize {
            add("logits", "\(size) per \(outputs.logitsPerToken ? "token or step" : "sequence")")
        }
        if let sparse = outputs.sparse {
            add(
                "sparse",
                "\(sparse.strategy.rawValue) of \(sparse.activation.rawValue)\(outputs.defaultOutput == .sparse ? "" : ", on request")"
            )
        }
        if let labels = outputs.labels {
            add("labels", labels.prefix(12).joined(separator: ", ") + (labels.count > 12 ? ", …" : ""))
        }
        if !d.prompts.texts.isEmpty {
            let names = d.prompts.texts.map { $0.name + ($0.name == d.prompts.defaultName ? " (default)" : "") }
            add("prompts", names.joined(separator: ", "))
        }
        for note in d.notes { add("note", note) }
        if !model.unusedTensors.isEmpty {
            add("not used", "\(counted(model.unusedTensors.count, "tensor")) of the file")
        }
        add("attention", d.attribution.methods.map(\.rawValue).joined(separator: ", "))
        add("parameters", readable(architecture.parameters))
        add("precision", "\(d.runtime.precision), \(d.runtime.instructionSet.rawValue) kernels")
        return lines
    }

    // MARK: JSON

    /// Returns the object of /v1/models with notes, the cost of loading and the tensors as `weights`.
    /// - Parameter weights: `nil` if tensors are not listed.
    func json(_ cost: LoadingCost, _ weights: (any WeightFile)?) -> [UInt8] {
        var members = ModelList.members(of: model)
        members.append("notes", .array(model.description.notes.map { .string($0) }))
        members.append("load_ms", .number((cost.milliseconds * 10).rounded() / 10))
        members.append("resident_bytes", .integer(cost.residentBytes))
        if let weights { members.append("weights", .object(list(weights))) }
        var json = JSONWriter(capacity: 1024)
        json.value(.object(members))
        return json.bytes
    }

    private func list(_ weights: any WeightFile) -> JSONObject {
        let unused = Set(model.unusedTensors)
        let tensors = weights.names.compactMap { weights.tensor($0) }
        return [
            "path": .string(weights.path), "format": .string(weights.format),
            "tensors": .array(
                tensors.map { tensor in
                    .object([
                        "name": .string(tensor.name), "data_type": .string(tensor.dataType.rawValue),
                        "shape": .array(tensor.shape.map { .integer($0) }), "bytes": .integer(tensor.bytes.count),
                        "used": .bool(!unused.contains(tensor.name)),
                    ])
                }),
        ]
    }
}

/// Returns the resident memory of this process in bytes (proc(5), /proc/self/statm).
func residentBytes() -> Int {
    let text = Paths.contents(of: "/proc/self/statm") ?? []
    let fields = String(decoding: text, as: UTF8.self).split(separator: " ")
    return fields.count > 1 ? (Int(fields[1]) ?? 0) * sysconf(Int32(_SC_PAGESIZE)) : 0
}
