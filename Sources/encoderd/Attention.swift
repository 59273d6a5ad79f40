import ArgumentParser
import KernelSelection
import Models
import Server

/// Shows attention and attribution maps without a server.
struct Attention: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print a map of which token attends to which, as a picture or as numbers, without a server.",
        discussion: """
            Prints an SVG picture unless --format says otherwise. Examples:

              encoderd attention --model models/minilm "a map" > map.svg
              encoderd attention --model models/minilm --layers -1 \\
                --head-reduce mean --format png "a map" > map.png
              encoderd attention --model models/g2p --method jacobian word > map.svg
            """)

    @Option(help: modelHelp, completion: .directory)
    var model: String
    @Option(help: precisionHelp)
    var precision: Precision?
    @Option(help: ArgumentHelp("Threads (default: one per processor).", valueName: "count"))
    var threads: Int?
    @Flag(help: "The sequence is JSON: token ids, feature vectors or a text pair, as in /v1/attention.")
    var json = false
    @Flag(help: "Fail if the sequence is too long for the model, instead of cutting it.")
    var noTruncate = false

    @OptionGroup(title: "What is shown") var shown: AttentionOptions

    @Argument(help: "The sequence; - reads it from standard input.")
    var input: String

    func validate() throws {
        try Check.threads(threads)
        _ = try shown.options()
    }

    func run() throws {
        let options = try shown.options()
        let isBinary = [.png, .npy, .safetensors].contains(options.format)
        guard !isBinary || !StandardOutput.isTerminal else {
            throw CommandError(
                "\(options.format.rawValue) is binary: send it to a file, as in > map.\(options.format.rawValue)")
        }
        let loaded = try ModelArgument(option: model, of: Self.self).load(precision)
        let text = input == "-" ? try InputOptions.standardInput() : input
        var call = AttentionCall(json ? .json(try InputOptions.parse(text)) : .text(text))
        call.truncate = !noTruncate
        call.options = options
        let limits = CallLimits.unbounded
        let content: ResponseContent
        let helpers = HelperThreads(count: (threads ?? AvailableProcessors.count) - 1)
        helpers.team.open()
        defer { helpers.team.close() }
        do throws(APIError) {
            let results = try call.run(on: loaded, limits: limits, scratch: Scratch(team: helpers.team))
            if results.isTruncated {
                StandardError.line(
                    "Warning: The sequence is cut to the \(results.tokens.count) \(loaded.description.inputUnit) that the model takes; --no-truncate makes that an error."
                )
            }
            content = try AttentionResponse(results, limits: limits.attention).content()
        } catch {
            throw CommandError(OptionMessage.of(error))
        }
        try StandardOutput.write(content.segments)
        if options.format == .json { try StandardOutput.write([UInt8(ascii: "\n")]) }
    }
}

/// The fields of `/v1/attention` that choose what is shown.
struct AttentionOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("How weights are computed (default: the first that inspect lists).", valueName: "method"))
    var method: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "all, one index or several: 5, -1 or 0,1. Negative ones count from the end.", valueName: "indices"))
    var layers = IndexChoice.all
    @Option(parsing: .unconditional, help: ArgumentHelp("Heads or directions, likewise.", valueName: "indices"))
    var heads = IndexChoice.all
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Rows, likewise: positions of tokens or steps.", valueName: "indices"))
    var queries = IndexChoice.all
    @Option(help: "How the heads become one map.")
    var headReduce = HeadReduction.none
    @Option(help: "Whether rows and columns of special tokens are kept, hidden, or hidden with rows that sum to 1.")
    var specialTokens = SpecialTokenPolicy.keep
    @Option(help: ArgumentHelp("Keep only the largest weights of each row.", valueName: "count"))
    var topK: Int?
    @Option(
        help: ArgumentHelp(
            "Keep only the largest weights of each row that reach this share of its sum.", valueName: "share"))
    var mass: Double?
    @Option(help: "Format of the output.")
    var format = AttentionFormat.svg
    @Option(help: "Type of the weights in npy and safetensors.")
    var dtype = BinaryFloat.f32

    func options() throws -> AttentionCall.Options {
        var options = AttentionCall.Options()
        options.method = method
        options.layers = layers
        options.heads = heads
        options.queries = queries
        options.headReduce = headReduce
        options.specialTokens = specialTokens
        options.format = format
        options.dtype = dtype
        switch (topK, mass) {
        case (let count?, nil):
            guard count >= 1 else { throw ValidationError("--top-k takes 1 or more, not \(count).") }
            options.select = .topK(count)
        case (nil, let share?):
            guard share > 0, share <= 1 else {
                throw ValidationError("--mass takes a number above 0 and at most 1, not \(share).")
            }
            options.select = .mass(share)
        case (.some, .some): throw ValidationError("Give one of --top-k and --mass.")
        case (nil, nil): break
        }
        return options
    }
}

extension HeadReduction: ExpressibleByArgument {}
extension SpecialTokenPolicy: ExpressibleByArgument {}
extension AttentionFormat: ExpressibleByArgument {}
extension BinaryFloat: ExpressibleByArgument {}

extension IndexChoice: ExpressibleByArgument {
    /// Reads `all`, `5`, `0,1` or `[0,1]`.
    public init?(argument: String) {
        if argument == "all" {
            self = .all
            return
        }
        let text =
            argument.hasPrefix("[") && argument.hasSuffix("]") ? String(argument.dropFirst().dropLast()) : argument
        let words = text.split(separator: ",", omittingEmptySubsequences: false)
        let indices = words.compactMap { Int($0.filter { $0 != " " }) }
        guard !indices.isEmpty, indices.count == words.count else { return nil }
        self = .some(indices)
    }

    public var defaultValueDescription: String {
        switch self {
        case .all: "all"
        case .some(let indices): indices.map { "\($0)" }.joined(separator: ",")
        }
    }
}
