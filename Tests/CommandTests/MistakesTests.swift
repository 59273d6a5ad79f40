import Foundation
import Testing

/// Mistakes of users: the exit code, and what standard error says.
@Suite struct MistakesTests {
    private static let minilm = Program.model("minilm")

    private static let usageErrors: [([String], [String])] = [
        (["serv"], ["a similar command exists: 'serve'", "See 'encoderd --help'"]),
        (["list"], ["no command 'list'", "serve, encode,", "and bench"]),
        (["run", "minilm"], ["no command 'run'"]),
        (["embed"], ["no command 'embed'"]),
        (["version"], ["--version prints the version"]),
        (["help", "nonsense"], ["no command 'nonsense'"]),
        (["help", "quantizes"], ["'quantize'"]),
        (
            ["encode", "--modle", "x", "hi"],
            ["Unknown option '--modle'; did you mean '--model'?", "encoderd encode --help"]
        ),
        (["encode", "--model", "x", "--presicion", "int8", "hi"], ["did you mean '--precision'?"]),
        (["encode", "--model", "x", "--foo", "hi"], ["Unknown option '--foo'.\n"]),
        (["inspect", "--breif", "x"], ["did you mean '--brief'?"]),
        (["serve"], ["nothing to serve", "Usage: encoderd serve", "See 'encoderd serve --help'"]),
        (["serve", "--model", "="], ["--model takes NAME=DIRECTORY", "See 'encoderd serve --help'"]),
        (["serve", "m="], ["--model takes NAME=DIRECTORY or DIRECTORY, not 'm='", "See 'encoderd serve --help'"]),
        (["serve", "a=x", "--model", "a=y"], ["Two models are named 'a'"]),
        (
            ["serve", "--models", minilm],
            ["this is itself a model; give it to --model", "See 'encoderd serve --help'"]
        ),
        (["serve", "--models", Program.root + "/Sources"], ["has no folder with a config.json"]),
        (["bench", "--model", minilm, "--cell", "3"], ["--cell 3: this model's cells are 1x16,", "ragged"]),
        (["bench", "--model", Program.model("g2p"), "--cell", "1x16"], ["1x160, 8x160, 32x160"]),
        (["bench", "--tokenizer", minilm, "--cell", "3"], ["sentences and documents"]),
        (["quantize", "--model", "m", "--output", "o", "--precision", "f32"], ["'f32' is invalid", "int8", "bf16"]),
        (["inspect"], ["Give a model directory"]),
        (["inspect", "a", "--model", "b"], ["once"]),
    ]

    @Test(arguments: usageErrors) func areUsageErrors(_ arguments: [String], _ says: [String]) throws {
        let outcome = try Program.run(arguments)
        #expect(outcome.code == 64 && !outcome.crashed && outcome.output.isEmpty, "\(outcome)")
        for part in says { #expect(outcome.errors.contains(part), "\(outcome.errors)") }
    }

    @Test func suggestsNothingThatIsFarAway() throws {
        let outcome = try Program.run(["encode", "--model", "x", "--foo", "hi"])
        #expect(!outcome.errors.contains("did you mean"), "\(outcome.errors)")
    }

    @Test(
        arguments: [
            (["inspect", "minilm"], "minilm: there is no such directory; did you mean models/minilm?"),
            (
                ["encode", "--model", "sentence-transformers/all-MiniLM-L6-v2", "hi"],
                "hf download sentence-transformers/all-MiniLM-L6-v2 --local-dir models/all-MiniLM-L6-v2"
            ),
            (["inspect", "/nowhere/at/all"], "a model is a directory on this machine\n"),
            (["quantize", "--model", "nowhere/at/all", "--output", "o"], "a model is a directory on this machine\n"),
        ] as [([String], String)])
    func saysWhatAModelIs(_ arguments: [String], _ says: String) throws {
        let outcome = try Program.run(arguments, directory: Program.root)
        #expect(outcome.code == 1 && outcome.errors.contains(says), "\(outcome.errors)")
    }

    @Test func namesFormatsThatAreNotRead() throws {
        let folder = try TemporaryFolder()
        try folder.write("model.gguf", Array("GGUF".utf8))
        let outcome = try Program.run(["inspect", folder.path])
        #expect(
            outcome.code == 1 && outcome.errors.contains("the format of model.gguf is not read"), "\(outcome.errors)")
    }

    // MARK: The environment

    @Test(arguments: [
        (["ENCODERD_PORT": "abc"], "(--port is set by the environment variable ENCODERD_PORT)"),
        (["ENCODERD_PORT": "70000"], "--port takes 0 to 65535, not 70000. (--port is set by the environment"),
        (
            ["ENCODERD_MAX_BATCH_TOKEN": "1"],
            "'ENCODERD_MAX_BATCH_TOKEN' sets no option; did you mean ENCODERD_MAX_BATCH_TOKENS?"
        ),
        (["ENCODERD_ZZZZ": "1"], "'ENCODERD_ZZZZ' sets no option.\n"),
        (["ENCODERD_PORT": "tcp://10.96.0.12:8080"], "Kubernetes sets for a Service named encoderd; it is ignored"),
    ])
    func saysWhatIsWrongWithTheEnvironment(_ environment: [String: String], _ says: String) throws {
        // Nothing is served: the usage error ends the process.
        let outcome = try Program.run(["serve"], environment: environment)
        #expect(outcome.code == 64 && outcome.errors.contains(says), "\(outcome.errors)")
    }

    @Test func saysNothingOfServiceLinks() throws {
        let outcome = try Program.run(
            ["inspect", "--brief", Program.model("g2p")],
            environment: [
                "ENCODERD_SERVICE_HOST": "10.96.0.12", "ENCODERD_SERVICE_PORT": "8080",
                "ENCODERD_SERVICE_PORT_HTTP": "8080", "ENCODERD_PORT_8080_TCP": "tcp://10.96.0.12:8080",
                "ENCODERD_PORT_8080_TCP_PROTO": "tcp", "ENCODERD_PORT_8080_TCP_PORT": "8080",
                "ENCODERD_PORT_8080_TCP_ADDR": "10.96.0.12", "ENCODERD_CANARY_PORT": "tcp://10.96.0.13:8080",
                "ENCODERD_PORT": "tcp://10.96.0.12:8080", "ENCODERD_ISA": "baseline", "ENCODERD_THREADS": "1",
            ])
        #expect(outcome.code == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
    }

    /// A model on the command line leaves out those of the environment.
    @Test(arguments: [
        (["serve", "--model", "m=/none"], "/none: there is no such directory"),
        (["serve", "/none"], "/none: there is no such directory"),
        (["serve", "--models", "/none"], "/none: cannot be read"),
        (["inspect", "/none"], "/none: there is no such directory"),
        (["bench", "--tokenizer", "/none"], "/none: "),
    ])
    func prefersTheModelsOfTheCommandLine(_ arguments: [String], _ says: String) throws {
        let outcome = try Program.run(
            arguments,
            environment: [
                "ENCODERD_MODELS": "/nowhere", "ENCODERD_MODEL": "/nobody", "ENCODERD_TOKENIZER": "/nothing",
                "ENCODERD_PORT": "0",
            ])
        #expect(outcome.code == 1 && outcome.errors.contains("Error: \(says)"), "\(outcome.errors)")
        #expect(!outcome.errors.contains("/nowhere") && !outcome.errors.contains("/nobody"), "\(outcome.errors)")
    }

    /// A variable of an option that may be repeated holds several values. The directory that quantize writes has none.
    @Test func sharesTheEnvironmentAmongCommands() throws {
        let environment = ["ENCODERD_OUTPUT": "states,embedding", "ENCODERD_MODEL": Program.model("g2p")]
        let outcome = try Program.run(["encode", "--json", "[1, 2]"], environment: environment)
        #expect(outcome.code == 0 && outcome.output.contains("\"states\":"), "\(outcome.errors)")
        let refused = try Program.run(["quantize"], environment: environment)
        #expect(refused.code == 64 && refused.errors.contains("--output <directory>"), "\(refused.errors)")
    }

    @Test func servesBesideAServiceLink() throws {
        let server = try RunningServer(
            ["--model", "m=\(Program.model("g2p"))", "--port", "0"],
            environment: ["ENCODERD_PORT": "tcp://10.96.0.12:8080", "ENCODERD_HOST": "127.0.0.1"])
        #expect(try server.get("/health").status == 200)
    }

    // MARK: Writes

    /// Output that cannot be written is an error, not a success.
    @Test(arguments: [
        ["encode", "--model", Program.model("g2p"), "--json", "[1, 2]"], ["inspect", Program.model("g2p")],
        ["inspect", "--json", Program.model("g2p")], ["--version"], ["--help"], ["help", "serve"],
        ["--generate-completion-script", "bash"], ["bench", "--model", Program.model("g2p"), "--cell", "1x160"],
    ])
    func reportsOutputThatIsLost(_ arguments: [String]) throws {
        let outcome = try Program.finish(
            Program.process(arguments, environment: [:]), output: FileHandle(forWritingAtPath: "/dev/full"))
        #expect(!outcome.crashed && outcome.code == 1)
        #expect(outcome.errors == "Error: cannot write to standard output: No space left on device\n")
    }

    /// A reader that has gone ends the process by SIGPIPE, without a word.
    @Test func endsQuietlyWithItsReader() throws {
        let pipe = Pipe()
        let process = Program.process(["inspect", Program.model("minilm")], environment: [:])
        // A server among the tests of this process ignores the signal, which programs inherit.
        process.arguments = ["--default-signal=PIPE", Program.path] + (process.arguments ?? [])
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        try pipe.fileHandleForReading.close()
        let outcome = try Program.finish(process, output: pipe)
        #expect(outcome.crashed && outcome.code == SIGPIPE)
        #expect(outcome.errors.isEmpty)
    }
}
