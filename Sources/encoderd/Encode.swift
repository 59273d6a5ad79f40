import ArgumentParser
import KernelSelection
import Models
import Server

/// Computes vectors without a server.
struct Encode: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the vectors of texts, token ids or feature vectors, without a server.",
        discussion: """
            Prints one JSON array per embedding, or one JSON object per sequence if there are other outputs. Examples:

              encoderd encode --model models/minilm "a text" "another"
              encoderd encode --model models/minilm --lines < texts > vectors.jsonl
              encoderd encode --model models/minilm --lines --output-format npy texts > vectors.npy
              encoderd encode --model models/g2p --json '[5, 3, 20, 2]' --output states
            """)

    /// The format of the output.
    enum Format: String, ExpressibleByArgument, CaseIterable { case json, npy, safetensors }

    @Option(help: modelHelp, completion: .directory)
    var model: String
    @Option(help: precisionHelp)
    var precision: Precision?
    @Option(help: ArgumentHelp("Threads (default: one per processor).", valueName: "count"))
    var threads: Int?

    @OptionGroup(title: "Input") var source: InputOptions
    @OptionGroup(title: "What is computed") var values: EncodeOptions

    @Option(help: "JSON lines, one npy array, or safetensors with one tensor per output.")
    var outputFormat = Format.json
    @Flag(
        help:
            "Print the whole answer of /v1/encode as one JSON object; without --output, in the model's default form.")
    var full = false

    @Argument(
        help: "The sequences, or with --lines the files; - is standard input.", completion: .file())
    var input: [String] = []

    func validate() throws {
        try Check.threads(threads)
        if full, outputFormat != .json { throw ValidationError("--full is for --output-format json.") }
        if values.returnState, outputFormat == .npy {
            throw ValidationError("npy holds one array: --return-state needs --output-format json or safetensors.")
        }
        if values.prompt != nil, values.promptName != nil {
            throw ValidationError("Give one of --prompt and --prompt-name.")
        }
        guard source.lines || !input.isEmpty else {
            throw ValidationError("Give a text, or - to read one from standard input, or --lines.")
        }
        _ = try values.call(.text(""), isFull: full)
    }

    func run() throws {
        let loaded = try ModelArgument(option: model, of: Self.self).load(precision)
        let call = try values.call(.text(""), isFull: full)
        let sink: any EncodeSink =
            switch outputFormat {
            case .json:
                full
                    ? FullJSONSink(model: loaded.name)
                    : JSONLinesSink(isEmbeddings: call.outputs == [.embedding] && !call.returnState)
            case .npy: TensorSink(model: loaded.name, isNPY: true)
            case .safetensors: TensorSink(model: loaded.name, isNPY: false)
            }
        let threads = threads ?? AvailableProcessors.count
        let job = EncodeJob(
            model: loaded, call: call, source: try source.source(input, model: loaded, threads: threads), sink: sink)
        try job.run(threads: threads)
    }
}

/// The fields of `/v1/encode` that choose what is computed.
struct EncodeOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "embedding, states, logits or sparse; may be repeated (default: embedding).", valueName: "output"),
        completion: .list(EncodeOutput.allCases.map(\.rawValue)))
    var output: [EncodeOutput] = []
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Layer of the states: 0 (the embeddings) to the last; -1 is the last.", valueName: "index"))
    var layer = -1
    @Option(help: "How states become one embedding (default: as the model says).")
    var pooling: Pooling?
    @Flag(inversion: .prefixedNo, help: "Scale embeddings to unit length (default: as the model says).")
    var normalize: Bool?
    @Option(help: ArgumentHelp("Values of an embedding to keep (default: all).", valueName: "count"))
    var dimensions: Int?
    @Option(help: ArgumentHelp("Text in front of every text.", valueName: "text"))
    var prompt: String?
    @Option(help: ArgumentHelp("Prompt stored with the model, used instead of --prompt.", valueName: "name"))
    var promptName: String?
    @Flag(help: "Fail if a sequence is too long for the model, instead of cutting it.")
    var noTruncate = false
    @Flag(help: "Also write the final state of recurrent models, in json and safetensors.")
    var returnState = false

    /// - Parameter isFull: Whether the model's default output is meant if none is named.
    func call(_ input: CallInput, isFull: Bool) throws -> EncodeCall {
        var call = EncodeCall(input)
        call.outputs = output.isEmpty && !isFull ? [.embedding] : output
        guard Set(call.outputs).count == call.outputs.count else {
            throw ValidationError("--output names the same output twice.")
        }
        call.layer = layer
        call.pooling = pooling
        call.normalize = normalize
        call.dimensions = dimensions
        if let prompt { call.prompt = .text(prompt) }
        if let promptName { call.prompt = .named(promptName) }
        call.truncate = !noTruncate
        call.returnState = returnState
        return call
    }
}

extension EncodeOutput: ExpressibleByArgument {}
extension Pooling: ExpressibleByArgument {}
