import Foundation
import Testing

/// A command that the documents show and that a test cannot run, and what is checked instead.
struct UnrunCommand {
    let reason: String
    let check: () throws -> Void

    /// The commands by their line in the documents, without its comment.
    static var all: [String: UnrunCommand] {
        [
            "make run": target("run", "it serves until it is stopped"),
            "make test": target("test", "this test is part of it"),
            "make install PREFIX=~/.local": target("install", "it writes to the home directory"),
            "make image": target("image", "it needs a container tool and the network"),
            "docker run -p 8080:8080 -v \"$PWD/models:/models:ro\" encoderd": UnrunCommand(
                reason: "it needs docker and the image"
            ) {
                let dockerfile = try Document("Dockerfile").text
                for part in ["EXPOSE 8080", "ENCODERD_PORT=8080", "ENCODERD_MODELS=/models", "CMD [\"serve\"]"] {
                    #expect(dockerfile.contains(part))
                }
                #expect(try Document("scripts/image.sh").text.contains("encoderd:latest"))
            },
        ]
    }

    /// Checks that make knows the target, and how to build it.
    private static func target(_ name: String, _ reason: String) -> UnrunCommand {
        UnrunCommand(reason: reason) {
            let outcome = try Workspace().run("make -C '\(Program.root)' -n \(name) PREFIX=\"$PWD\"", .sh)
            #expect(outcome.code == 0, "make \(name), not run since \(reason): \(outcome.errors)")
        }
    }
}

/// A new directory in which commands of the documents run. It has the models, and the program where a release build puts
/// it; the program is also on the path.
struct Workspace {
    static let programs: Set<String> = ["curl", "encoderd", ".build/release/encoderd", "python3", "gzip", "printf"]

    struct Outcome {
        var code: Int32
        var output: String
        var errors: String
        /// HTTP statuses of the calls of curl, in their order.
        var statuses: [Int]
    }

    private let folder: TemporaryFolder
    private static let given: Set<String> = ["models", "bin", ".build"]

    init() throws {
        folder = try TemporaryFolder()
        for name in ["bin", ".build/release"] {
            try FileManager.default.createDirectory(
                atPath: "\(folder.path)/\(name)", withIntermediateDirectories: true)
            try folder.link("\(name)/encoderd", to: Program.path)
        }
        try folder.link("models", to: "\(Program.root)/models")
    }

    func run(_ script: String, _ language: DocumentedExample.Language) throws -> Outcome {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        switch language {
        case .sh:
            let curl = #"curl() { command curl -q --max-time 300 -w '%{stderr}HTTP status %{http_code}\n' "$@"; }"#
            process.arguments = ["sh", "-e", "-c", "\(curl)\n\(script)"]
        case .python: process.arguments = ["python3", "-c", script]
        }
        process.currentDirectoryURL = folder.url
        var environment = ProcessInfo.processInfo.environment.filter {
            !$0.key.hasPrefix("ENCODERD_") && !$0.key.hasPrefix("MAKE") && $0.key != "MFLAGS"
                && !$0.key.lowercased().hasSuffix("_proxy")
        }
        environment["PATH"] = "\(folder.path)/bin:\(environment["PATH"] ?? "/usr/bin:/bin")"
        environment["SWIFT_BACKTRACE"] = "enable=no"
        process.environment = environment
        let outcome = try Program.finish(process)
        return Outcome(
            code: outcome.code, output: outcome.output, errors: outcome.errors,
            statuses: outcome.errors.matches(of: /HTTP status (\d+)/).compactMap { Int($0.1) })
    }

    /// Checks that each file the commands wrote is of the type its name says. A picture must be the one the document shows.
    func checkFiles(_ document: Document) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) where !Self.given.contains(name) {
            let url = folder.url.appendingPathComponent(name)
            switch url.pathExtension {
            case "svg":
                let text = try String(contentsOf: url, encoding: .utf8)
                #expect(text.hasPrefix("<?xml") && text.contains("<svg"), "\(name)")
                for link in document.links where link.hasSuffix("/\(name)") {
                    let shown = Self.labels(try Document(link).text)
                    let labels = Self.labels(text)
                    #expect(
                        shown.count == labels.count && zip(shown, labels).allSatisfy(Self.isSameLabel),
                        "\(link) is not what the command writes")
                }
            case "png": #expect(try Data(contentsOf: url).starts(with: [0x89, 0x50, 0x4E, 0x47]), "\(name)")
            case "npy": #expect(try Data(contentsOf: url).starts(with: [0x93] + Array("NUMPY".utf8)), "\(name)")
            case "safetensors":
                let data = try Data(contentsOf: url)
                let length = data.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
                let header = try JSONSerialization.jsonObject(with: data.dropFirst(8).prefix(length))
                #expect((header as? [String: Any])?.isEmpty == false, "\(name)")
            case "html": #expect(try String(contentsOf: url, encoding: .utf8).contains("<!doctype html>"), "\(name)")
            case "":
                let files = try FileManager.default.contentsOfDirectory(atPath: url.path)
                #expect(files.contains("config.json") && files.contains("model.safetensors"), "\(name)")
            default: Issue.record("no test knows how to check the file \(name)")
            }
        }
    }

    /// The texts of an SVG.
    private static func labels(_ svg: String) -> [String] {
        svg.matches(of: /<text[^>]*>([^<]*)</).map { String($0.1) }
    }

    /// Whether two labels have the same words, and numbers within 1 %.
    private static func isSameLabel(_ a: String, _ b: String) -> Bool {
        let (words, others) = (a.split(separator: " "), b.split(separator: " "))
        return words.count == others.count
            && zip(words, others).allSatisfy { word, other in
                guard let x = Double(word.filter { $0 != "," }), let y = Double(other.filter { $0 != "," }) else {
                    return word == other
                }
                return abs(x - y) <= 0.01 * abs(x)
            }
    }
}

/// A document of the repository.
struct Document {
    let path: String
    let text: String

    init(_ path: String) throws {
        self.path = path
        text = try String(contentsOfFile: "\(Program.root)/\(path)", encoding: .utf8)
    }

    /// Returns the cells of each table row below a heading of the second level, up to the next one, without table heads.
    /// - Parameters:
    ///   - heading: the line of the heading; empty for the whole document.
    ///   - table: the number of a table below the heading, from 0; `nil` if all are read.
    func rows(_ heading: String, table: Int? = nil) -> [[String]] {
        var rows: [[String]] = []
        var isInside = heading.isEmpty
        var tables = -1
        var isInTable = false
        for line in text.components(separatedBy: "\n") {
            if line.hasPrefix("## "), !heading.isEmpty { isInside = line == heading }
            guard isInside, line.hasPrefix("|") else {
                isInTable = false
                continue
            }
            if !isInTable { tables += 1 }
            // The head, then the line below it.
            let isHead = !isInTable || line.hasPrefix("|---")
            isInTable = true
            if isHead || (table != nil && table != tables) { continue }
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast()
            rows.append(cells.map { $0.trimmingCharacters(in: .whitespaces) })
        }
        return rows
    }

    /// The words in backquotes.
    static func names(_ cell: String) -> [String] { cell.matches(of: /`([^`]+)`/).map { String($0.1) } }

    var links: [String] {
        var isCode = false
        return text.components(separatedBy: "\n").flatMap { line -> [String] in
            if line.hasPrefix("```") { isCode.toggle() }
            return isCode ? [] : line.matches(of: /\]\(([^)\s]+)\)/).map { String($0.1) }
        }
    }

    /// The names by which links reach its headings, as GitHub makes them.
    var anchors: Set<String> {
        Set(
            text.components(separatedBy: "\n").filter { $0.hasPrefix("#") }.map { line in
                let heading = line.drop { $0 == "#" }.dropFirst().lowercased()
                return String(
                    heading.compactMap { character in
                        if character == " " { return "-" }
                        return character.isLetter || character.isNumber || character == "-" || character == "_"
                            ? character : nil
                    })
            })
    }
}
