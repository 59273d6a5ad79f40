import ArgumentParser
import Diagnostics

/// A mistake in how a command was called. Ends the process with the usage of that command and exit code 64.
struct UsageError: Error {
    let message: String
    let command: any ParsableCommand.Type

    init(_ message: String, _ command: any ParsableCommand.Type = Encoderd.self) {
        self.message = message
        self.command = command
    }

    /// The message, the usage of the command, and where to find its help.
    var text: String {
        let isRoot = command is Encoderd.Type
        let name = isRoot ? "encoderd" : "encoderd \(command._commandName)"
        return """
            Error: \(message)
            Usage: \(Encoderd.usageString(for: command))
              See '\(name) --help' for more information.
            """
    }
}

/// Mistakes that the argument parser does not name, or not well.
enum CommandLineMistakes {
    private static var commands: [any ParsableCommand.Type] { Encoderd.configuration.subcommands }
    private static var commandNames: [String] { commands.map { $0._commandName } }

    static func command(named name: String) -> (any ParsableCommand.Type)? {
        commands.first { $0._commandName == name }
    }

    /// Refuses a command that does not exist.
    static func checkCommand(_ arguments: [String]) throws(UsageError) {
        guard let name = arguments.first, !name.hasPrefix("-") else { return }
        if name == "help" {
            for topic in arguments.dropFirst() where !topic.hasPrefix("-") && topic != "help" {
                guard command(named: topic) != nil else { throw noCommand(topic) }
            }
        } else if command(named: name) == nil {
            throw noCommand(name)
        }
    }

    private static func noCommand(_ name: String) -> UsageError {
        if name == "version" { return UsageError("There is no command 'version'; --version prints the version.") }
        if let similar = SimilarNames.nearest(to: name, among: commandNames) {
            return UsageError("There is no command \(quoted(name)); a similar command exists: '\(similar)'.")
        }
        let names = commandNames.dropLast().joined(separator: ", ") + " and \(commandNames.last ?? "")"
        return UsageError("There is no command \(quoted(name)); the commands are \(names).")
    }

    /// Returns an error about the first option of the command line that its command does not have. The argument parser would
    /// report missing options first, and suggests names that are not similar.
    static func unknownOption(_ arguments: [String]) -> UsageError? {
        guard let name = arguments.first, let command = command(named: name) else { return nil }
        let options = OptionNames(of: command)
        let known = options.withValue + options.flags + ["--help", "--version"]
        let hidden = ["-h", "-V", "--help-hidden", "--generate-completion-script", "--experimental-dump-help"]
        var isValue = false
        for argument in arguments.dropFirst() {
            if argument == "--" { return nil }
            defer { isValue = options.withValue.contains(argument) }
            guard argument.hasPrefix("-"), argument != "-", argument.hasPrefix("--") || !isValue else { continue }
            let option = String(argument.prefix { $0 != "=" })
            if known.contains(option) || hidden.contains(option) { continue }
            let similar = SimilarNames.nearest(to: option, among: known)
            return UsageError(
                "Unknown option \(quoted(option))\(similar.map { "; did you mean '\($0)'?" } ?? ".")", command)
        }
        return nil
    }
}

/// The long names of a command's options and flags, read from its properties: `_maxBatchTokens: Option<Int>` is
/// `--max-batch-tokens`.
struct OptionNames {
    private(set) var withValue: [String] = []
    /// The options with a value that may be given several times.
    private(set) var repeatable: Set<String> = []
    private(set) var flags: [String] = []

    init(of arguments: any ParsableArguments.Type) {
        for child in Mirror(reflecting: arguments.init()).children {
            if let group = child.value as? any GroupOfOptions {
                let names = OptionNames(of: group.kind)
                withValue += names.withValue
                repeatable.formUnion(names.repeatable)
                flags += names.flags
                continue
            }
            guard let label = child.label else { continue }
            let words = label.drop { $0 == "_" }.map { $0.isUppercase ? "-\($0.lowercased())" : String($0) }.joined()
            let type = "\(Swift.type(of: child.value))"
            if type.hasPrefix("Option<") {
                withValue.append("--" + words)
                if type.hasPrefix("Option<Array<") { repeatable.insert("--" + words) }
            } else if type == "Flag<Optional<Bool>>" {
                // Such a flag can be turned on and off.
                flags += ["--" + words, "--no-" + words]
            } else if type.hasPrefix("Flag<") {
                flags.append("--" + words)
            }
        }
    }

    /// Returns the options of a command line, without their values, and its other arguments.
    func parts(of arguments: some Sequence<String>) -> (options: Set<String>, operands: [String]) {
        var options: Set<String> = []
        var operands: [String] = []
        var isValue = false
        var isOver = false
        for argument in arguments {
            defer { isValue = !isOver && withValue.contains(argument) }
            if isOver || argument == "-" || !argument.hasPrefix("-") {
                if !isValue { operands.append(argument) }
            } else if argument == "--" {
                isOver = true
            } else {
                options.insert(String(argument.prefix { $0 != "=" }))
            }
        }
        return (options, operands)
    }
}

/// An option group of any type.
private protocol GroupOfOptions {
    var kind: any ParsableArguments.Type { get }
}

extension OptionGroup: GroupOfOptions {
    var kind: any ParsableArguments.Type { Value.self }
}
