import ArgumentParser
import Glibc

@main
struct Encoderd: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "encoderd",
        abstract: "A CPU inference server for models that encode sequences.",
        discussion: """
            It serves BERT-like and Llama-like embedding models, classifiers, rerankers, RNNs, LSTMs and GRUs. Start with:

              encoderd serve --model NAME=DIRECTORY

            Every option that takes a value can also be set in the environment, except --output of quantize: ENCODERD_MAX_BATCH_TOKENS sets --max-batch-tokens. The \
            command line wins. ENCODERD_ISA chooses the kernels: baseline, avx2 or avx512 takes the best table of that \
            instruction set, and =NAME the table of that name, one of those that --version lists.

            Shell completions: encoderd --generate-completion-script bash, zsh or fish.
            """,
        version: Version.text,
        subcommands: [Serve.self, Encode.self, Attention.self, Inspect.self, Quantize.self, Bench.self])

    static func main() {
        var arguments = Array(CommandLine.arguments.dropFirst())
        if arguments.first == "-V" { arguments[0] = "--version" }
        let options = EnvironmentOptions(arguments, environment: ProcessEnvironment.variables)
        do {
            try CommandLineMistakes.checkCommand(arguments)
            var command = try parse(arguments, options)
            warn(options)
            try command.run()
            try StandardOutput.close()
        } catch {
            end(with: error, options)
        }
    }

    private static func parse(_ arguments: [String], _ options: EnvironmentOptions) throws -> any ParsableCommand {
        do { return try parseAsRoot(options.arguments) } catch {
            guard exitCode(for: error) == .validationFailure else { throw error }
            warn(options)
            throw CommandLineMistakes.unknownOption(arguments) ?? error
        }
    }

    private static func warn(_ options: EnvironmentOptions) {
        for warning in options.warnings { StandardError.line("Warning: \(warning)") }
    }

    /// Prints what an error says, or the help that was asked for, and ends the process.
    private static func end(with error: any Error, _ options: EnvironmentOptions) -> Never {
        if let error = error as? UsageError {
            StandardError.line(UsageError(options.attributed(error.message), error.command).text)
            Glibc.exit(ExitCode.validationFailure.rawValue)
        }
        let code = exitCode(for: error)
        var text = fullMessage(for: error)
        if code == .success {
            do throws(CommandError) {
                if !text.isEmpty { try StandardOutput.line(Completions.script(text)) }
                try StandardOutput.close()
            } catch {
                StandardError.line("Error: \(error)")
                Glibc.exit(ExitCode.failure.rawValue)
            }
            Glibc.exit(code.rawValue)
        }
        if code == .validationFailure {
            let said = message(for: error)
            if let range = text.firstRange(of: said) { text.replaceSubrange(range, with: options.attributed(said)) }
        }
        if !text.isEmpty { StandardError.line(text) }
        Glibc.exit(code.rawValue)
    }
}
