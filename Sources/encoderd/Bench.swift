import ArgumentParser
import KernelSelection
import Models

/// Measures the model alone on the grid that the peers' benchmark uses: (batch, tokens) of random ids, pooled, and one
/// ragged batch. Recurrent models read 160 steps at batch 1, 8 and 32.
struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure a model's or a tokenizer's speed on this machine, without the server.",
        discussion: """
            Prints the best and the median of five repeats of about 0.25 s each, after a warm-up. All threads share each \
            pass, as the server's workers do. A tokenizer is measured on one thread, on the lines of a text and on \
            documents of 50 kB.
            """)

    @Option(help: modelHelp, completion: .directory)
    var model: String?
    @Option(
        help: ArgumentHelp("Measure a tokenizer instead: its file or directory.", valueName: "path"),
        completion: .file())
    var tokenizer: String?
    @Option(
        help: ArgumentHelp("The text for --tokenizer (default: a few sentences).", valueName: "file"),
        completion: .file())
    var text: String?
    @Option(help: "Threads that share each pass.")
    var threads: Int = 1
    @Option(help: precisionHelp)
    var precision: Precision?
    @Option(
        help: ArgumentHelp(
            "Measure only this cell, such as 32x128 or ragged; may be repeated.", valueName: "batchxtokens"))
    var cell: [String] = []
    @Flag(help: "Print JSON lines instead of a table.")
    var json = false

    /// The lengths of the ragged batch in tokens, log-normal around 40: those that `numpy.random.default_rng(7)` makes in the
    /// benchmark of the peers.
    private static let raggedLengths = [
        13, 128, 12, 20, 28, 36, 68, 70, 28, 26, 37, 70, 63, 24, 7, 203, 78, 45, 48, 24, 16, 28, 30, 22, 11, 28, 58, 24,
        37, 6, 30, 33,
    ]
    /// The batches of recurrent models, and the steps of each of their sequences.
    private static let batches = [1, 8, 32]
    private static let steps = 160
    private static let grid = [(1, 16), (1, 128), (1, 512), (32, 16), (32, 64), (32, 128), (8, 512)]

    func validate() throws {
        try Check.threads(threads)
        guard (model == nil) != (tokenizer == nil) else {
            throw ValidationError("Give either --model or --tokenizer.")
        }
        guard tokenizer != nil || text == nil else { throw ValidationError("--text goes with --tokenizer.") }
        if tokenizer != nil, let name = cell.first(where: { !TokenizerBench.cellNames.contains($0) }) {
            throw ValidationError("--cell \(name): a tokenizer's cells are sentences and documents.")
        }
    }

    func run() throws {
        if let tokenizer { return try TokenizerBench(path: tokenizer, text: text, cells: cell, json: json).run() }
        let loaded = try ModelArgument(option: model ?? "", of: Self.self).load(precision)
        let description = loaded.description
        try checkCells(description)
        let team = BenchTeam(network: loaded.network, threads: threads)
        if !json {
            try StandardOutput.line(
                "\(loaded.name), \(description.architecture.family), \(description.runtime.precision), \(description.runtime.instructionSet) kernels, \(counted(threads, "thread"))"
            )
        }
        if description.architecture.stateShape != nil {
            for batch in Bench.batches where wants("\(batch)x\(Bench.steps)") {
                try recurrentCell(batch: batch, steps: Bench.steps, description, team)
            }
        } else {
            let positions = description.architecture.positions ?? 512
            for (batch, tokens) in Bench.grid where tokens <= positions && wants("\(batch)x\(tokens)") {
                try transformerCell(Array(repeating: tokens, count: batch), label: "\(tokens)", description, team)
            }
            if wants("ragged") {
                try transformerCell(
                    Bench.raggedLengths.map { min($0, positions) }, label: "\"ragged\"", description, team)
            }
        }
    }

    /// Refuses cells that this model does not have.
    private func checkCells(_ description: ModelDescription) throws {
        let names: [String]
        if description.architecture.stateShape != nil {
            names = Bench.batches.map { "\($0)x\(Bench.steps)" }
        } else {
            let positions = description.architecture.positions ?? 512
            names = Bench.grid.filter { $0.1 <= positions }.map { "\($0.0)x\($0.1)" } + ["ragged"]
        }
        if let unknown = cell.first(where: { !names.contains($0) }) {
            throw UsageError(
                "--cell \(unknown): this model's cells are \(names.joined(separator: ", ")).", Self.self)
        }
    }

    private func wants(_ name: String) -> Bool { cell.isEmpty || cell.contains(name) }

    private func transformerCell(
        _ lengths: [Int], label: String, _ description: ModelDescription, _ team: BenchTeam
    ) throws {
        let tokens = lengths.reduce(0, +)
        let times = team.measure(lengths.map { BenchTeam.request(length: $0, description) })
        let best = Int((Double(tokens) / times[0]).rounded())
        let median = Int((Double(tokens) / times[times.count / 2]).rounded())
        let milliseconds = (times[0] * 1e6).rounded() / 1e3
        let real = label == "\"ragged\"" ? ", \"real_tokens\": \(tokens)" : ""
        if json {
            try StandardOutput.line(
                "{\"engine\": \"encoderd-\(description.runtime.precision)\", \"threads\": \(threads), \"batch\": \(lengths.count), \"tokens\": \(label)\(real), "
                    + "\"best_tok_s\": \(best), \"median_tok_s\": \(median), \"best_ms\": \(milliseconds)}")
        } else {
            try StandardOutput.line(
                "\(lengths.count) × \(label): best \(best) tokens/s, median \(median), \(milliseconds) ms")
        }
    }

    private func recurrentCell(batch: Int, steps: Int, _ description: ModelDescription, _ team: BenchTeam) throws {
        let request = BenchTeam.request(length: steps, description)
        let times = team.measure(Array(repeating: request, count: batch))
        let best = Int((Double(batch * steps) / times[0]).rounded())
        let milliseconds = (times[0] * 1e6).rounded() / 1e3
        if json {
            try StandardOutput.line(
                "{\"engine\": \"encoderd-\(description.runtime.precision)\", \"threads\": \(threads), \"cell\": \"\(description.architecture.family)\", \"batch\": \(batch), "
                    + "\"steps\": \(steps), \"best_steps_s\": \(best), \"best_ms\": \(milliseconds)}")
        } else {
            try StandardOutput.line("\(batch) × \(steps): best \(best) steps/s, \(milliseconds) ms")
        }
    }
}

/// Threads that share the passes over a batch, and the clock around them.
private final class BenchTeam {
    private let network: any Network
    private let helpers: HelperThreads
    private let scratch: Scratch
    /// Recurrent networks: the members' own scratch and shares, as the server's workers take them.
    private let scratches: [Scratch]
    private var shares: [[SequenceRequest]] = []

    init(network: any Network, threads: Int) {
        self.network = network
        helpers = HelperThreads(count: threads - 1)
        scratch = Scratch(team: helpers.team)
        scratches = (0..<threads).map { _ in Scratch() }
    }

    static func request(length: Int, _ description: ModelDescription) -> SequenceRequest {
        var outputs = OutputSelection()
        outputs.pooling = description.outputs.pooling
        outputs.embeddingLayer = description.architecture.layers
        let input = description.architecture.input.sequence(
            length: length, id: { _, vocabulary in Int.random(in: vocabulary / 30..<vocabulary) },
            feature: { _ in Float.random(in: -1...1) })
        return SequenceRequest(input: input, outputs: outputs)
    }

    /// Returns the seconds that a pass over the batch takes, best first.
    func measure(_ batch: [SequenceRequest]) -> [Double] {
        shares = split(batch)
        pass(batch)
        pass(batch)
        let once = seconds { pass(batch) }
        let count = max(1, Int(0.25 / once))
        return (0..<5).map { _ in seconds { for _ in 0..<count { pass(batch) } } / Double(count) }.sorted()
    }

    /// Divides a batch into shares: the longest request first, each to the share with the fewest tokens so far.
    private func split(_ batch: [SequenceRequest]) -> [[SequenceRequest]] {
        var shares = [[SequenceRequest]](repeating: [], count: scratches.count)
        var loads = [Int](repeating: 0, count: scratches.count)
        for request in batch.sorted(by: { $0.length > $1.length }) {
            let lightest = loads.indices.min { loads[$0] < loads[$1] } ?? 0
            shares[lightest].append(request)
            loads[lightest] += request.length
        }
        return shares
    }

    private func pass(_ batch: [SequenceRequest]) {
        helpers.team.open()
        if network.description.architecture.stateShape != nil, scratches.count > 1 {
            helpers.team.run(scratches.count, SequenceShares(network: network, shares: shares, scratches: scratches))
        } else {
            _ = network.forward(batch, scratch: scratch)
        }
        helpers.team.close()
    }

    private func seconds(_ body: () -> Void) -> Double {
        ContinuousClock().measure(body) / .seconds(1)
    }
}

/// A batch whose sequences are split into shares, each a pass of its own.
private struct SequenceShares: ParallelWork {
    let network: any Network
    let shares: [[SequenceRequest]]
    let scratches: [Scratch]

    static let runChunk: ThreadTeam.ChunkFunction = { work, part, member in
        let all = work.assumingMemoryBound(to: SequenceShares.self).pointee
        if !all.shares[part].isEmpty { _ = all.network.forward(all.shares[part], scratch: all.scratches[member]) }
    }
}
