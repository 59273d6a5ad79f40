import ArgumentParser

@main
struct Encoderd: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "encoderd")
}
