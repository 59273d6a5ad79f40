import Foundation
import Testing

/// `scripts/install.sh`, which `make install` runs, and `scripts/build.sh`, which `make build` does.
@Suite struct InstallTests {
    private static let generator = Program.root + "/.build/manual/debug/generate-manual"

    private static let files = [
        "bin/encoderd", "share/bash-completion/completions/encoderd", "share/zsh/site-functions/_encoderd",
        "share/fish/vendor_completions.d/encoderd.fish", "share/man/man1/encoderd.1",
    ]

    private func sh(_ arguments: [String], environment: [String: String] = [:]) throws -> Program.Outcome {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: Program.root)
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        return try Program.finish(process)
    }

    /// `make test` builds the generator of man pages first.
    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: generator)), arguments: ["", "~"])
    func installsAndUninstalls(_ home: String) throws {
        let folder = try TemporaryFolder()
        let environment = ["DESTDIR": folder.path, "PROGRAM": Program.path, "HOME": "/home/someone"]
        let prefix = home.isEmpty ? "/opt/tools" : "~/.local"
        let root = folder.path + (home.isEmpty ? "/opt/tools" : "/home/someone/.local")
        let installed = try sh(["scripts/install.sh", "install", prefix], environment: environment)
        #expect(installed.code == 0, "\(installed)")
        for file in Self.files { #expect(FileManager.default.fileExists(atPath: "\(root)/\(file)"), "\(file)") }
        let size = { try FileManager.default.attributesOfItem(atPath: $0)[.size] as? Int ?? 0 }
        #expect(try size("\(root)/bin/encoderd") < size(Program.path), "stripped")

        // The debug build finds the libraries of the toolchain by its own path.
        let version = try sh(["-c", "'\(root)/bin/encoderd' --version"])
        #expect(version.code == 0 && version.output.hasPrefix("encoderd "), "\(version)")
        let manual = try String(contentsOfFile: "\(root)/share/man/man1/encoderd.1", encoding: .utf8)
        #expect(manual.contains(".Dt ENCODERD 1") && manual.contains("-max-batch-tokens"))
        #expect(!manual.split(separator: "\n", omittingEmptySubsequences: false).dropLast().contains(""))
        for renderer in ["mandoc -T utf8 -W error", "groff -mdoc -T utf8"] {
            guard try sh(["-c", "command -v \(renderer.split(separator: " ")[0])"]).code == 0 else { continue }
            let page = try sh(["-c", "\(renderer) '\(root)/share/man/man1/encoderd.1'"])
            // Bold letters are printed twice, or between escape sequences.
            let text = page.output.replacing(#/.\x08/#, with: "").replacing(#/\x1B\[[0-9;]*m/#, with: "")
            #expect(page.code == 0 && text.contains("--tls-client-ca"), "\(renderer): \(page.errors)")
        }

        let removed = try sh(["scripts/install.sh", "uninstall", prefix], environment: environment)
        #expect(removed.code == 0, "\(removed)")
        for file in Self.files { #expect(!FileManager.default.fileExists(atPath: "\(root)/\(file)"), "\(file)") }
    }

    @Test func aBuildIsNeverSilentAndKeepsItsExitCode() throws {
        let command = "echo first; sleep 4; echo second >&2; exit 3"
        let outcome = try sh(["scripts/build.sh", "sh", "-c", command], environment: ["BUILD_SILENCE": "2"])
        #expect(outcome.code == 3)
        let lines = outcome.output.split(separator: "\n")
        #expect(lines.first == "first" && lines.last == "second" && lines.count >= 3, "\(outcome)")
        #expect(lines.dropFirst().first?.hasPrefix("… ") == true && lines[1].contains(" s: "), "\(outcome)")
        #expect(try sh(["scripts/build.sh", "true"]).code == 0)
        #expect(try sh(["scripts/build.sh", "no-such-command"]).code == 127)
    }
}
