import ArgumentParser
import Diagnostics

/// Options from the environment. They become arguments before parsing, so that a bad value is reported as on the command
/// line.
struct EnvironmentOptions {
    static let prefix = "ENCODERD_"

    /// An option that has its value from the environment.
    struct Entry {
        var option: String
        var variable: String
    }

    /// The command line with an `--option=value` for every variable that sets an option of the command. The command line
    /// wins.
    private(set) var arguments: [String]
    private(set) var entries: [Entry] = []
    /// Sentences about variables that are ignored.
    private(set) var warnings: [String] = []

    /// Options that name what a command loads. If the command line names it, the environment sets none of them.
    private static let sources: Set = ["--model", "--models", "--tokenizer"]

    /// Returns whether only the command line sets an option. `ENCODERD_OUTPUT` is the output of `encode`, not the directory
    /// that `quantize` writes.
    private static func isOfCommandLineOnly(_ option: String, _ command: any ParsableCommand.Type) -> Bool {
        command == Quantize.self && option == "--output"
    }

    /// The variable of an option that may be repeated can hold several values, separated by commas.
    init(_ arguments: [String], environment: [String: String]) {
        self.arguments = arguments
        guard let name = arguments.first, let command = CommandLineMistakes.command(named: name) else { return }
        let names = OptionNames(of: command)
        let (given, operands) = names.parts(of: arguments.dropFirst())
        let takesDirectory = command == Serve.self || command == Inspect.self
        let isLoading = !Self.sources.isDisjoint(with: given) || (takesDirectory && !operands.isEmpty)
        var added: [String] = []
        for option in names.withValue where !given.contains(option) {
            let variable = Self.variable(option)
            guard let value = environment[variable], !value.isEmpty, !Self.isOfCommandLineOnly(option, command),
                !(isLoading && Self.sources.contains(option))
            else { continue }
            if option == "--port", value.contains("://") {
                warnings.append(
                    "\(variable) is \(quoted(value)), which Kubernetes sets for a Service named encoderd; it is ignored."
                )
                continue
            }
            entries.append(Entry(option: option, variable: variable))
            let values = names.repeatable.contains(option) ? value.split(separator: ",").map(String.init) : [value]
            added += values.map { "\(option)=\($0)" }
        }
        self.arguments = [name] + added + arguments.dropFirst()
        warnings += Self.unknown(in: environment)
    }

    private static func variable(_ option: String) -> String {
        prefix + option.dropFirst(2).uppercased().replacing("-", with: "_")
    }

    /// Returns a sentence about every variable that begins with `prefix` and sets no option of any command.
    private static func unknown(in environment: [String: String]) -> [String] {
        let candidates = environment.filter { $0.key.hasPrefix(prefix) && !isServiceLink($0.key, $0.value) }.map(\.key)
        if candidates.isEmpty { return [] }
        let options = Encoderd.configuration.subcommands.flatMap { OptionNames(of: $0).withValue }
        let known = Set(options.map(variable)).union([prefix + "ISA"])
        let endings = known.sorted().map { $0.dropFirst(prefix.count).lowercased() }
        return candidates.filter { !known.contains($0) }.sorted().map { name in
            let similar = SimilarNames.nearest(to: String(name.dropFirst(prefix.count)), among: endings)
            return "The environment variable \(quoted(name)) sets no option"
                + (similar.map { "; did you mean \(prefix)\($0.uppercased())?" } ?? ".")
        }
    }

    /// Returns whether Kubernetes sets such a variable for a Service whose name begins with encoderd.
    private static func isServiceLink(_ name: String, _ value: String) -> Bool {
        if name.hasSuffix("_SERVICE_HOST") || name.contains("_SERVICE_PORT") { return true }
        let words = name.split(separator: "_")
        guard let port = words.lastIndex(of: "PORT"), port > 0 else { return false }
        // ENCODERD_CANARY_PORT; ENCODERD_PORT_8080_TCP and those that end in _ADDR, _PORT or _PROTO.
        if words.count > 2, port == words.count - 1, value.contains("://") { return true }
        return words.contains { ["TCP", "UDP", "SCTP"].contains($0) } && words.contains { Int($0) != nil }
    }

    /// Adds to a message about an option that its value came from the environment.
    func attributed(_ message: String) -> String {
        for entry in entries {
            for range in message.ranges(of: entry.option) {
                let next = message[range.upperBound...].first
                if let next, next.isLetter || next == "-" { continue }
                return message + " (\(entry.option) is set by the environment variable \(entry.variable))"
            }
        }
        return message
    }
}
