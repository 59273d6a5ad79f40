import Foundation
import Testing

/// Completion scripts, run by the shells themselves where they are installed.
@Suite struct CompletionTests {
    private static func shell(_ name: String) -> String? {
        ["/bin/", "/usr/bin/", "/usr/local/bin/"].map { $0 + name }.first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
    }

    private func script(_ shell: String) throws -> TemporaryFile {
        let outcome = try Program.run(["--generate-completion-script", shell])
        #expect(outcome.code == 0 && outcome.errors.isEmpty)
        return try TemporaryFile(outcome.output)
    }

    private func run(_ shell: String, _ arguments: [String], in folder: TemporaryFolder) throws -> [String] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: shell)
        process.arguments = arguments
        process.currentDirectoryURL = folder.url
        let outcome = try Program.finish(process)
        #expect(outcome.code == 0, "\(outcome.errors)")
        return outcome.output.split(separator: "\n").map(String.init)
    }

    @Test(
        .enabled(if: shell("bash") != nil),
        arguments: [
            (["encoderd", "inspect", "mo"], ["models"]),
            (["encoderd", "inspect", "--model", "mo"], ["models"]),
            (["encoderd", "encode", "--model", "mo"], ["models"]),
            (["encoderd", "quantize", "--output", "models/"], ["models/a", "models/b"]),
            (["encoderd", "serve", "--model", "models/"], ["models/a/", "models/b/"]),
            (["encoderd", "serve", "models/"], ["models/a/", "models/b/"]),
            // Bash cuts words at an equals sign.
            (["encoderd", "serve", "--model", "name", "=", "models/"], ["models/a", "models/b"]),
            (["encoderd", "serve", "--model", "name", "="], ["models"]),
            (["encoderd", "serve", "--models", "=", "mo"], ["models"]),
            (["encoderd", "serve", "--tls-cert", "=", "cer"], ["cert.pem"]),
            (["encoderd", "serve", "--api-key-file", "cer"], ["cert.pem"]),
            (["encoderd", "bench", "--tokenizer", "m"], ["models"]),
            (["encoderd", "encode", "--precision", "b"], ["bf16"]),
            (["encoderd", "serve", "--compress", "al"], ["always"]),
            (["encoderd", "serve", "--log-level", "no"], ["notice"]),
            (["encoderd", "ins"], ["inspect"]),
        ] as [([String], [String])])
    func completesInBash(_ words: [String], _ expected: [String]) throws {
        let folder = try TemporaryFolder()
        for name in ["models/a", "models/b"] {
            try FileManager.default.createDirectory(
                at: folder.url.appendingPathComponent(name), withIntermediateDirectories: true)
        }
        try folder.write("cert.pem", [])
        let script = try script("bash")
        let quoted = words.map { "'\($0)'" }.joined(separator: " ")
        let command = """
            encoderd() { '\(Program.path)' "$@"; }
            source '\(script.url.path)'
            COMP_WORDS=(\(quoted)); COMP_CWORD=\(words.count - 1)
            COMP_LINE="${COMP_WORDS[*]}"; COMP_LINE="${COMP_LINE// = /=}"; COMP_LINE="${COMP_LINE/% =/=}"
            COMP_POINT=${#COMP_LINE}
            entry=$(complete -p encoderd); entry=${entry##*-F }; entry=${entry%% *}
            "$entry" encoderd "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
            printf '%s\\n' "${COMPREPLY[@]}"
            """
        let found = try run(try #require(Self.shell("bash")), ["--norc", "-c", command], in: folder)
        #expect(found.sorted() == expected, "\(words)")
    }

    @Test func completesNamedDirectories() throws {
        let folder = try TemporaryFolder()
        for name in ["models/a", "models/.hidden", "other"] {
            try FileManager.default.createDirectory(
                at: folder.url.appendingPathComponent(name), withIntermediateDirectories: true)
        }
        for (prefix, expected) in [
            ("m=models/", ["m=models/a/"]), ("models/.", ["models/.hidden/"]), ("m=", ["m=models/", "m=other/"]),
            ("x", []),
        ] {
            let outcome = try Program.run(
                [
                    "---completion", "serve", "--", "--model", "2", "\(prefix.count)", "encoderd", "serve", "--model",
                    prefix,
                ],
                directory: folder.path)
            #expect(outcome.output.split(separator: "\n").map(String.init) == expected)
        }
    }

    @Test(
        .enabled(if: shell("fish") != nil),
        arguments: [
            // `serve --model` asks for the cursor's place, which fish knows at a terminal only: completesNamedDirectories.
            ("encoderd inspect mo", ["models/"]), ("encoderd bench --model mo", ["models/"]),
            ("encoderd serve --api-key-file cer", ["cert.pem"]),
            ("encoderd serve --compress al", ["always"]),
        ])
    func completesInFish(_ line: String, _ expected: [String]) throws {
        let folder = try TemporaryFolder()
        try FileManager.default.createDirectory(
            at: folder.url.appendingPathComponent("models"), withIntermediateDirectories: true)
        try folder.write("cert.pem", [])
        try folder.link("encoderd", to: Program.path)
        let script = try script("fish")
        let command = "set -x PATH \(folder.path) $PATH; source \(script.url.path); complete -C '\(line)'"
        let found = try run(try #require(Self.shell("fish")), ["--no-config", "-c", command], in: folder)
        #expect(found.map { String($0.split(separator: "\t")[0]) } == expected)
    }

    @Test(.enabled(if: shell("zsh") != nil)) func isReadByZsh() throws {
        let script = try script("zsh")
        let folder = try TemporaryFolder()
        _ = try run(try #require(Self.shell("zsh")), ["-n", script.url.path], in: folder)
        let text = try script.text()
        #expect(
            text.contains("--tls-cert[") && text.contains(":file:_files'") && text.contains(":directory:_files -/'"))
    }
}
