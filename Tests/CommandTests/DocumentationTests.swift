import Foundation
import JSON
import Testing

/// Tests of README.md and docs/. Every command that they show is run, and its output compared with the one shown. Their
/// tables must list exactly the options, fields, error codes and metrics of the program.
@Suite(.serialized) struct DocumentationTests {
    static let documents = ["README.md", "docs/api.md"]

    static let examples: [DocumentedExample] = documents.flatMap {
        (try? DocumentedExample.read($0, root: Program.root)) ?? []
    }

    /// The server of all examples, started once and ended with the test process.
    static let shared = Result { try RunningServer(ServeTests.models) }

    // MARK: Examples

    @Test(arguments: documents) func everyBlockIsKnown(_ document: String) throws {
        #expect(try !DocumentedExample.read(document, root: Program.root).isEmpty)
    }

    @Test(arguments: examples) func exampleIsTrue(_ example: DocumentedExample) throws {
        let workspace = try Workspace()
        var script = ""
        var requests = 0
        switch example.language {
        case .python: script = example.commands
        case .sh:
            for line in example.commandLines {
                if let check = UnrunCommand.all[line] {
                    try check.check()
                } else if line.hasPrefix("encoderd serve ") {
                    try serves(line)
                } else {
                    for program in DocumentedExample.programs(line) {
                        if program == "curl" { requests += 1 }
                        try #require(Workspace.programs.contains(program), "no test knows how to check '\(line)'")
                    }
                    script += line + "\n"
                }
            }
        }
        guard !script.isEmpty else {
            #expect(example.output == nil, "output is shown of commands that are not run")
            return
        }
        let port = try Self.shared.get().port
        script = script.replacingOccurrences(of: "localhost:8080", with: "127.0.0.1:\(port)")
        let outcome = try workspace.run(script, example.language)
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.statuses.count == requests)
        for status in outcome.statuses {
            #expect(ExpectedOutput.isStatusExpected(status, for: example.output), "HTTP status \(status)")
        }
        if let output = example.output {
            let differences = ExpectedOutput.differences(output, outcome.output)
            #expect(differences.isEmpty, "\(example): \(differences.prefix(5).joined(separator: "; "))")
        }
        try workspace.checkFiles(Document(example.document))
    }

    /// Checks that the command listens, and ends with 0 on SIGTERM. It gets a free port instead of the one shown.
    private func serves(_ line: String) throws {
        var arguments = line.split(separator: " ").dropFirst(2).map(String.init)
        if let port = arguments.firstIndex(of: "--port") { arguments[port + 1] = "0" }
        arguments = arguments.map { $0.replacingOccurrences(of: "=models/", with: "=\(Program.root)/models/") }
        let server = try RunningServer(arguments)
        #expect(try server.get("/ready").status == 200)
        kill(server.process.processIdentifier, SIGTERM)
        server.process.waitUntilExit()
        #expect(server.process.terminationStatus == 0)
    }

    // MARK: Tables

    /// Checks that the table of errors has every status and code of the sources.
    @Test func everyErrorIsDocumented() throws {
        var used: Set<String> = []
        let folder = URL(fileURLWithPath: "\(Program.root)/Sources").resolvingSymlinksInPath().path
        let sources = try #require(FileManager.default.enumerator(atPath: folder))
        for case let path as String in sources where path.hasSuffix(".swift") {
            let text = try String(contentsOfFile: "\(folder)/\(path)", encoding: .utf8)
            for match in text.matches(of: /\b([45]\d\d),\s*(?:code:\s*)?"([a-z]+(?:_[a-z]+)*)"/) {
                used.insert("\(match.1) \(match.2)")
            }
        }
        let documented = try Document("docs/api.md").rows("## Errors").compactMap { row -> String? in
            guard row.count == 3, Int(row[0]) != nil else { return nil }
            return "\(row[0]) \(row[1].filter { $0 != "`" })"
        }
        // Codes that do not stand beside their status.
        used.formUnion(["400 wrong_feature_width", "401 missing_key", "401 wrong_key"])
        #expect(Set(documented) == used, "\(Set(documented).symmetricDifference(used).sorted())")
        #expect(documented.count == Set(documented).count)
    }

    @Test func everyRouteIsDocumented() throws {
        let openAPI = try Self.shared.get().get("/openapi.json").json()
        let paths = try #require(openAPI["paths"] as? [String: Any])
        let document = try Document("docs/api.md")
        for path in paths.keys { #expect(document.text.contains("\(path)`"), "\(path) is not in docs/api.md") }
    }

    @Test(arguments: [
        ("/v1/encode", "## POST /v1/encode"), ("/v1/attention", "## GET and POST /v1/attention"),
    ]) func everyRequestFieldIsDocumented(_ path: String, _ heading: String) throws {
        let openAPI = try Self.shared.get().get("/openapi.json").json()
        func resolved(_ value: Any?) -> [String: Any]? {
            guard let object = value as? [String: Any] else { return nil }
            guard let reference = object["$ref"] as? String else { return object }
            var place: Any? = openAPI
            for part in reference.split(separator: "/").dropFirst() { place = (place as? [String: Any])?[String(part)] }
            return resolved(place)
        }
        var schema = openAPI
        for part in ["paths", path, "post", "requestBody", "content", "application/json", "schema", "properties"] {
            schema = try #require(resolved(schema[part]), "\(part)")
        }
        let documented = try Document("docs/api.md").rows(heading, table: 0).flatMap { Document.names($0[0]) }
        #expect(Set(documented) == Set(schema.keys))
    }

    @Test func everyModelFieldIsDocumented() throws {
        var fields: Set<String> = []
        for model in ["minilm", "g2p", "resemblyzer"] {
            fields.formUnion(try Self.shared.get().get("/v1/models/\(model)").json().keys)
        }
        let documented = try Document("docs/api.md").rows("## GET /v1/models").flatMap { Document.names($0[0]) }
        #expect(Set(documented) == fields)
    }

    @Test func everyMetricIsDocumented() throws {
        let page = String(decoding: try Self.shared.get().get("/metrics").body, as: UTF8.self)
        let metrics = page.split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }.map {
            $0.split(separator: " ")[2...3].joined(separator: " ")
        }
        let documented = try Document("docs/operations.md").rows("## Metrics").map { row in
            "\(Document.names(row[0]).joined()) \(row[1])"
        }
        #expect(Set(documented) == Set(metrics))
    }

    /// Checks that every option of `encoderd serve --help` has one row, with the same default.
    @Test func everyOptionIsDocumented() throws {
        let help = try Program.run(["serve", "--help"]).output
        let text = help.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        var defaults: [String: String] = [:]
        let starts = text.matches(of: /(?:^| )(--[a-z-]+) <[^>]*>/)
        for (index, match) in starts.enumerated() {
            let end = index + 1 < starts.count ? starts[index + 1].range.lowerBound : text.endIndex
            let part = text[match.range.upperBound..<end]
            defaults[String(match.1)] = part.firstMatch(of: /default: ([^\s);]+)\)/).map { String($0.1) } ?? ""
        }
        #expect(defaults.count > 30)
        var documented: [String: String] = [:]
        for row in try Document("docs/operations.md").rows("") {
            for name in Document.names(row[0]) where name.hasPrefix("--") {
                #expect(documented[name] == nil, "\(name) has two rows")
                documented[name] = row[1]
            }
        }
        #expect(
            Set(documented.keys) == Set(defaults.keys),
            "\(Set(documented.keys).symmetricDifference(defaults.keys).sorted())")
        for (name, value) in defaults where !value.isEmpty {
            let shown = documented[name]?.split(separator: " ").first.map(String.init) ?? ""
            #expect(shown == value || Double(shown) == Double(value) && Double(value) != nil, "\(name): \(shown)")
        }
    }

    /// Checks that every link inside the repository leads to a file, and to a heading of it.
    @Test func everyLinkLeadsSomewhere() throws {
        let folders = ["", "docs", "docs/design", "Benchmarks"]
        for folder in folders {
            let files = try FileManager.default.contentsOfDirectory(atPath: "\(Program.root)/\(folder)")
            for file in files where file.hasSuffix(".md") {
                let document = try Document(folder.isEmpty ? file : "\(folder)/\(file)")
                for link in document.links where !link.contains("://") {
                    let parts = link.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
                    let path = parts[0].isEmpty ? document.path : (folder.isEmpty ? "" : folder + "/") + parts[0]
                    let exists = FileManager.default.fileExists(atPath: "\(Program.root)/\(path)")
                    #expect(exists, "\(document.path): \(link)")
                    guard exists, parts.count == 2, path.hasSuffix(".md") else { continue }
                    #expect(try Document(path).anchors.contains(String(parts[1])), "\(document.path): \(link)")
                }
            }
        }
    }

    // MARK: The comparison itself

    @Test(arguments: [
        (#"{"a": [1, 2.5], "b": "x"}"#, #"{"b":"x","a":[1,2.50001]}"#, true),
        (#"{"a": [1, 2.5], "b": "x"}"#, #"{"b":"x","a":[1,2.51]}"#, false),
        (#"{"a": 1}"#, #"{"a":2}"#, false),
        (#"{"a": 1}"#, #"{"a":1,"b":2}"#, false),
        (#"{"a": 1, "b": 2}"#, #"{"a":1}"#, false),
        (#"{"a": 1, …}"#, #"{"a":1,"b":2}"#, true),
        (#"{"a": …}"#, #"{"a":[1]}"#, true),
        (#"[0.5, … (2 more)]"#, "[0.5,1,2]", true),
        (#"[0.5, … (3 more)]"#, "[0.5,1,2]", false),
        (#"[0.5, …, 2]"#, "[0.5,1,2]", true),
        (#"[0.5, …, 3]"#, "[0.5,1,2]", false),
        (#"["a … c"]"#, #"["a b c"]"#, true),
        (#"["a … d"]"#, #"["a b c"]"#, false),
        (#"{"kernel": "avx512"}"#, #"{"kernel":"avx2-vnni"}"#, true),
        (#"{"kernel": "avx512"}"#, #"{"kernel":"fpga"}"#, false),
        (#"{"row_sum_max_error": 1e-7}"#, #"{"row_sum_max_error":3e-7}"#, true),
        (#"{"row_sum_max_error": 1e-7}"#, #"{"row_sum_max_error":0.1}"#, false),
        (#"{"embedding": "AACAPwAAAEA="}"#, #"{"embedding":"AQCAPwAAAEA="}"#, true),
        (#"{"embedding": "AACAPwAAAEA="}"#, #"{"embedding":"AACAPwAAgEA="}"#, false),
    ]) func comparesJSON(_ expected: String, _ actual: String, _ isSame: Bool) {
        #expect(ExpectedOutput.jsonDifferences(expected, actual).isEmpty == isSame)
    }

    @Test(arguments: [
        (["a", "b"], ["a", "b"], true), (["a", "b"], ["a"], false), (["a"], ["a", "b"], false),
        (["a", "…"], ["a", "b", "c"], true), (["a", "…", "c"], ["a", "b", "c"], true),
        (["a", "…", "d"], ["a", "b", "c"], false), (["…", "b", "…"], ["a", "b", "c"], true),
        (["…", "d", "…"], ["a", "b", "c"], false), (["a … c"], ["a b c"], true),
    ]) func comparesLines(_ expected: [String], _ actual: [String], _ isSame: Bool) {
        #expect(ExpectedOutput.lineDifferences(expected, actual).isEmpty == isSame)
    }

    @Test func comparesHeads() {
        func isSame(_ expected: String) -> Bool {
            let actual = "HTTP/1.1 200 OK\r\nX-A: 1\r\nDate: Sat, 28 Nov 2026 21:09:00 GMT\r\n\r\n{\"a\":1}"
            return ExpectedOutput.differences(.init(format: .http, text: expected), actual).isEmpty
        }
        #expect(isSame("HTTP/1.1 200 OK\nx-a: 1\nDate: …\n\n{\"a\": 1}\n"))
        #expect(isSame("HTTP/1.1 200 OK\nx-a: 1\n…\n\n{\"a\": 1}\n"))
        #expect(!isSame("HTTP/1.1 200 OK\nx-a: 1\n\n{\"a\": 1}\n"))
        #expect(!isSame("HTTP/1.1 200 OK\nx-a: 2\n…\n\n{\"a\": 1}\n"))
        #expect(!isSame("HTTP/1.1 404 Not Found\n…\n\n{\"a\": 1}\n"))
        #expect(!isSame("HTTP/1.1 200 OK\n…\n\n{\"a\": 2}\n"))
    }

    @Test func readsCommands() throws {
        let example = DocumentedExample(
            document: "", line: 1, language: .sh,
            commands: "make run   # a comment\na 'b # c' |\n  d -e \\\n  'f | g'\n")
        #expect(example.commandLines == ["make run", "a 'b # c' | d -e 'f | g'"])
        #expect(DocumentedExample.programs("a 'b | c' | d -e \"f; g\"") == ["a", "d"])
        #expect(throws: DocumentedExample.UnknownBlock.self) {
            let folder = try TemporaryFolder()
            try folder.write("a.md", Array("```ruby\nputs 1\n```\n".utf8))
            _ = try DocumentedExample.read("a.md", root: folder.path)
        }
    }
}
