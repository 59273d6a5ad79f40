import ArgumentParser
import CResources
import Foundation

@main
struct Encoderd: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "encoderd",
        abstract: "An inference server for the models that read sequences: RNN, LSTM, GRU, self-attention, BERT.",
        discussion: """
            Start with: encoderd serve --model NAME=DIRECTORY

            Every option can also be set in the environment: --max-batch-tokens is ENCODERD_MAX_BATCH_TOKENS. The command \
            line wins. ENCODERD_ISA=baseline, avx2 or avx512 forces the best table of kernels of that instruction set, \
            ENCODERD_ISA==avx512-vnni (or another name behind the second =) that very table.
            """,
        version: ENCODERD_VERSION,
        subcommands: [Serve.self, Encode.self, Inspect.self, Quantize.self, Bench.self])

    static func main() {
        let arguments = EnvironmentOptions.merge(
            Array(CommandLine.arguments.dropFirst()), environment: ProcessInfo.processInfo.environment)
        main(arguments)
    }
}
