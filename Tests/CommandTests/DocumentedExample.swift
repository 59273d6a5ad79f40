import Foundation

/// A fenced block of a Markdown document.
struct FencedBlock {
    var language: String
    var text: String
    /// The line of its opening fence, from 1.
    var line: Int
}

/// Commands that a document shows, and the output that it shows for them.
///
/// A block ```` ```sh ```` or ```` ```python ```` holds commands. If a block ```` ```json ````, ```` ```text ```` or
/// ```` ```http ```` follows directly, it is their expected output: see `ExpectedOutput`. Other blocks are errors.
struct DocumentedExample: Sendable, CustomStringConvertible {
    enum Language: String { case sh, python }
    enum OutputFormat: String { case json, text, http }
    struct Output {
        var format: OutputFormat
        var text: String
    }
    struct UnknownBlock: Error { let place: String }

    /// The document's path from the root of the repository.
    var document: String
    var line: Int
    var language: Language
    var commands: String
    /// `nil` if only success is expected.
    var output: Output?

    var description: String { "\(document):\(line)" }

    /// The examples of a document, in its order.
    static func read(_ document: String, root: String) throws -> [DocumentedExample] {
        let text = try String(contentsOfFile: "\(root)/\(document)", encoding: .utf8)
        var examples: [DocumentedExample] = []
        for (block, followsBlock) in blocks(text) {
            let place = "\(document):\(block.line)"
            if let language = Language(rawValue: block.language) {
                examples.append(
                    DocumentedExample(document: document, line: block.line, language: language, commands: block.text))
            } else if let format = OutputFormat(rawValue: block.language) {
                guard followsBlock, let last = examples.indices.last, examples[last].output == nil else {
                    throw UnknownBlock(place: "\(place): an output without commands directly before it")
                }
                examples[last].output = Output(format: format, text: block.text)
            } else {
                throw UnknownBlock(place: "\(place): a block tagged '\(block.language)'")
            }
        }
        return examples
    }

    /// The fenced blocks of a text. `followsBlock`: only blank lines stand between the block and the one before.
    static func blocks(_ text: String) -> [(block: FencedBlock, followsBlock: Bool)] {
        var blocks: [(block: FencedBlock, followsBlock: Bool)] = []
        var open: FencedBlock?
        var isDirectlyAfter = false
        for (index, line) in text.components(separatedBy: "\n").enumerated() {
            if var block = open {
                if line == "```" {
                    blocks.append((block, isDirectlyAfter))
                    open = nil
                    isDirectlyAfter = true
                } else {
                    block.text += line + "\n"
                    open = block
                }
            } else if line.hasPrefix("```") {
                open = FencedBlock(language: String(line.dropFirst(3)), text: "", line: index + 1)
            } else if !line.isEmpty {
                isDirectlyAfter = false
            }
        }
        if let open { blocks.append((open, false)) }
        return blocks
    }

    // MARK: Commands

    /// The command lines of a shell script without their comments; a line that ends in `\` or `|` goes on in the next.
    var commandLines: [String] {
        var lines: [String] = []
        var rest = ""
        for line in commands.components(separatedBy: "\n") {
            let code = DocumentedExample.withoutComment(line)
            rest += rest.isEmpty ? code : " " + code.trimmingCharacters(in: .whitespaces)
            if rest.hasSuffix("\\") {
                rest = rest.dropLast().trimmingCharacters(in: .whitespaces)
            } else if !rest.hasSuffix("|"), !rest.isEmpty {
                lines.append(rest)
                rest = ""
            }
        }
        if !rest.isEmpty { lines.append(rest) }
        return lines
    }

    /// The program of each command of a pipeline.
    static func programs(_ commandLine: String) -> [String] {
        var commands = [""]
        var quote: Character?
        for character in commandLine {
            if let open = quote {
                if character == open { quote = nil }
            } else if character == "'" || character == "\"" {
                quote = character
            } else if character == "|" || character == ";" || character == "&" {
                commands.append("")
                continue
            }
            commands[commands.count - 1].append(character)
        }
        return commands.compactMap { $0.split(separator: " ").first.map(String.init) }
    }

    private static func withoutComment(_ line: String) -> String {
        var quote: Character?
        var previous: Character = " "
        var code = ""
        for character in line {
            if let open = quote {
                if character == open { quote = nil }
            } else if character == "'" || character == "\"" {
                quote = character
            } else if character == "#", previous == " " {
                break
            }
            code.append(character)
            previous = character
        }
        while code.last?.isWhitespace == true { code.removeLast() }
        return code
    }
}
