import ArgumentParser

/// Options from the environment, turned into arguments before parsing, so that a bad value gets the same message as on
/// the command line.
enum EnvironmentOptions {
    static let prefix = "ENCODERD_"

    /// Appends `--name=value` for every `ENCODERD_NAME` that the command has an option for and that the command line does
    /// not set. `ENCODERD_MODEL`, `ENCODERD_LISTEN` and `ENCODERD_CORS_ORIGIN` may hold several values, separated by commas.
    static func merge(_ arguments: [String], environment: [String: String]) -> [String] {
        guard let name = arguments.first,
            let command = Encoderd.configuration.subcommands.first(where: { $0._commandName == name })
        else { return arguments }
        let given = arguments.prefix { $0 != "--" }
        var added: [String] = []
        for option in optionNames(of: command) {
            let variable = prefix + option.dropFirst(2).uppercased().replacing("-", with: "_")
            guard let value = environment[variable], !value.isEmpty,
                !given.contains(where: { $0 == option || $0.hasPrefix(option + "=") })
            else { continue }
            for part in ["--model", "--listen", "--cors-origin"].contains(option)
                ? value.split(separator: ",").map(String.init) : [value]
            {
                added.append("\(option)=\(part)")
            }
        }
        return [name] + added + arguments.dropFirst()
    }

    /// The long names of a command's options, from its properties: `_maxBatchTokens: Option<Int>` is
    /// `--max-batch-tokens`.
    static func optionNames(of arguments: any ParsableArguments.Type) -> [String] {
        Mirror(reflecting: arguments.init()).children.flatMap { child -> [String] in
            if let group = child.value as? any GroupOfOptions { return optionNames(of: group.kind) }
            guard let label = child.label, "\(type(of: child.value))".hasPrefix("Option<") else { return [] }
            let words = label.drop { $0 == "_" }.map { $0.isUppercase ? "-\($0.lowercased())" : String($0) }
            return ["--" + words.joined()]
        }
    }
}

/// What an option group has in common with others, so that its options are found.
private protocol GroupOfOptions {
    var kind: any ParsableArguments.Type { get }
}

extension OptionGroup: GroupOfOptions {
    var kind: any ParsableArguments.Type { Value.self }
}
