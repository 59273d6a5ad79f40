import Foundation
import Testing

/// `encoderd encode` and `encoderd attention`, beside the server's answers.
@Suite struct EncodeTests {
    private static let minilm = ["--model", Program.model("minilm")]
    private static let texts = (0..<100).map {
        "text number \($0) of a hundred" + String(repeating: " more", count: $0 % 7)
    }

    private func encode(_ arguments: [String], input: String = "") throws -> Program.Outcome {
        let outcome = try Program.run(["encode"] + Self.minilm + arguments, input: input)
        #expect(outcome.code == 0 && !outcome.crashed, "\(outcome.errors)")
        return outcome
    }

    private func vectors(_ output: String) throws -> [[Double]] {
        try output.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [Double])
        }
    }

    // MARK: Input

    /// Lines, arguments and JSON, on one thread and on several: the same vectors, in order.
    @Test func readsTextsInEveryForm() throws {
        let lines = try encode(["--lines"], input: Self.texts.joined(separator: "\n") + "\n")
        #expect(lines.errors.isEmpty && lines.output.split(separator: "\n").count == 100)
        let file = try TemporaryFile(Self.texts.joined(separator: "\r\n"))
        let json = String(decoding: try JSONSerialization.data(withJSONObject: Self.texts), as: UTF8.self)
        let quoted = Self.texts.map { "\"\($0)\"" }.joined(separator: "\n")
        for (arguments, input) in [
            (["--lines", file.url.path], ""), (["--lines", "--threads", "3", "-"], Self.texts.joined(separator: "\n")),
            (["--json", "-"], json), (["--lines", "--json", "--threads", "1"], quoted), (Self.texts, ""),
        ] {
            #expect(try encode(arguments, input: input).output == lines.output, "\(arguments.prefix(3))")
        }
        let halves = try [Self.texts.prefix(40), Self.texts.dropFirst(40)].map {
            try TemporaryFile($0.joined(separator: "\n"))
        }
        #expect(try encode(["--lines"] + halves.map(\.url.path)).output == lines.output)
    }

    @Test func readsMoreTextsThanARequestMay() throws {
        let outcome = try encode(["--lines", "--dimensions", "2"], input: String(repeating: "a b\n", count: 1100))
        #expect(outcome.output.split(separator: "\n").count == 1100)
    }

    @Test func warnsOfCutAndEmptyTexts() throws {
        let long = String(repeating: "word ", count: 400)
        let outcome = try encode(["--lines"], input: "short\n\(long)\n\nx\n\(long)\n")
        #expect(
            outcome.errors.contains(
                "Warning: 2 of 5 sequences are cut to the 256 tokens that the model takes (the first: line 2); --no-truncate makes"
            ),
            "\(outcome.errors)")
        #expect(outcome.errors.contains("Warning: 1 of 5 sequences is empty (the first: line 3)."))
        #expect(try encode([long]).errors.hasPrefix("Warning: The sequence is cut to the 256 tokens"))
        let refused = try Program.run(
            ["encode"] + Self.minilm + ["--lines", "--no-truncate"], input: "short\n\(long)\n")
        #expect(refused.code == 1 && refused.errors.hasPrefix("Error: line 2: "), "\(refused.errors)")
    }

    @Test(
        arguments: [
            (["--lines", "--json"], "\"a\"\n\"b\n", "line 2: the input is not JSON"),
            (["--lines", "--json"], "\"a\"\n[5, -1]\n", "line 2: 'input[1]' is -1, outside the vocabulary"),
            (["--lines", "/nowhere"], "", "/nowhere: cannot be opened: No such file or directory"),
            (["--layer", "99", "a"], "", "--layer is 99; this model has 0"),
            (["--dimensions", "9999", "a"], "", "--dimensions is 9999; this embedding has 384"),
            (["--prompt-name", "query", "a"], "", "--prompt-name is 'query'; this model has no prompts"),
            (["--output", "logits", "a"], "", "This model has no head"),
            (["--output-format", "npy", "--output", "states", "a", "b"], "", "npy holds one array"),
        ] as [([String], String, String)])
    func saysWhatIsWrong(_ arguments: [String], _ input: String, _ says: String) throws {
        let outcome = try Program.run(["encode"] + Self.minilm + arguments, input: input)
        #expect(outcome.code == 1 && outcome.errors.contains(says), "\(outcome.errors)")
    }

    @Test(
        arguments: [
            ([], "or - to read one from standard input"),
            (["--prompt", "a", "--prompt-name", "b", "c"], "Give one of"),
            (["--full", "--output-format", "npy", "a"], "--full is for"),
            (
                ["--return-state", "--output-format", "npy", "a"],
                "--return-state needs --output-format json or safetensors"
            ),
            (["--output", "state", "a"], "'state' is invalid"),
            (["--output", "states", "--output", "states", "a"], "twice"), (["--threads", "0", "a"], "1 to 1024"),
        ] as [([String], String)])
    func refusesOptions(_ arguments: [String], _ says: String) throws {
        let outcome = try Program.run(["encode"] + Self.minilm + arguments)
        #expect(outcome.code == 64 && outcome.errors.contains(says), "\(outcome.errors)")
    }

    /// The lines before a bad one are written, on any number of threads, then the error names it.
    @Test(arguments: ["1", "4"]) func writesTheLinesBeforeABadOne(_ threads: String) throws {
        let good = (0..<100).map { "[5, \($0 % 20)]" }
        for (bad, says) in [
            ("[5", "the input is not JSON"), ("[5, -1]", "'input[1]' is -1"), ("\"\u{7}", "the input is not JSON"),
        ] {
            for position in [0, 1, 40, 99] {
                var lines = good
                lines.insert(bad, at: position)
                let outcome = try Program.run(
                    ["encode", "--model", Program.model("g2p"), "--lines", "--json", "--threads", threads],
                    input: lines.joined(separator: "\n"))
                #expect(outcome.code == 1)
                #expect(outcome.errors.hasPrefix("Error: line \(position + 1): \(says)"), "\(outcome.errors)")
                #expect(outcome.output.split(separator: "\n").count == position, "\(bad) at \(position)")
            }
        }
    }

    /// A line is one sequence, however many lines there are.
    @Test(arguments: [0, 32]) func readsALineAsOneSequence(_ others: Int) throws {
        for (model, line, other, says) in [
            ("minilm", #"["a", "b"]"#, "\"x\"", "'input[0]' must be a token id, a whole number"),
            ("minilm", "[[5, 6], [7]]", "\"x\"", "'input[0]' must be a token id"),
            ("minilm", "5", "[5]", "'input' must be a text, a pair"),
            ("resemblyzer", "[0.5, 1]", "[0.5, 1]", "'input' is a single vector"),
        ] {
            let outcome = try Program.run(
                ["encode", "--model", Program.model(model), "--lines", "--json", "--threads", "2"],
                input: ([line] + Array(repeating: other, count: others)).joined(separator: "\n"))
            #expect(
                outcome.code == 1 && outcome.output.isEmpty && outcome.errors.hasPrefix("Error: line 1: \(says)"),
                "\(line): \(outcome.errors)")
        }
    }

    /// Threads that outnumber the sequences share the passes, with the same result.
    @Test func sharesALongSequenceAmongThreads() throws {
        let text = String(repeating: "a long text ", count: 70)
        let alone = try encode(["--threads", "1", text]).output
        #expect(try encode(["--threads", "3", text]).output == alone)
        #expect(try encode(["--lines", "--threads", "5"], input: text + "\n" + text).output == alone + alone)
    }

    // MARK: Output

    /// Every form has the numbers of JSON lines.
    @Test func writesNPYAndSafetensors() throws {
        let input = Self.texts.joined(separator: "\n")
        let rows = try vectors(try encode(["--lines"], input: input).output).map { $0.map { Float($0) } }
        for format in ["npy", "safetensors"] {
            let bytes = try encode(["--lines", "--output-format", format, "-"], input: input).bytes
            let header = String(decoding: bytes.prefix(400), as: UTF8.self)
            #expect(
                header.contains(
                    format == "npy" ? "'shape': (100, 384), " : #""embedding":{"dtype":"F32","shape":[100,384]"#))
            let values = bytes.suffix(4 * 100 * 384).withUnsafeBytes { bytes in
                (0..<100 * 384).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
            }
            #expect(values == rows.flatMap { $0 })
        }
    }

    @Test func writesOtherOutputsAsObjects() throws {
        let outcome = try encode(
            ["--output", "states", "--output", "embedding", "--lines"], input: Self.texts.joined(separator: "\n"))
        let objects = try outcome.output.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        #expect(objects.compactMap { $0["index"] as? Int } == Array(0..<100))
        for object in objects {
            #expect((object["states"] as? [[Double]])?.count == object["tokens"] as? Int)
            #expect((object["embedding"] as? [Double])?.count == 384)
        }
    }

    /// The numbers of a request with the same fields.
    @Test func takesTheFieldsOfTheServer() throws {
        let server = try ServeTests.server()
        for (fields, arguments) in [
            (
                #""pooling": "cls", "layer": -2, "normalize": false"#,
                ["--pooling", "cls", "--layer", "-2", "--no-normalize"]
            ),
            (#""dimensions": 7, "normalize": true"#, ["--dimensions", "7", "--normalize"]),
            (#""prompt": "query: ""#, ["--prompt", "query: "]),
            (#""output": ["states", "embedding"]"#, ["--output", "states", "--output", "embedding"]),
        ] {
            let answer = try server.post(
                "/v1/encode", #"{"model": "minilm", "input": ["one", "two words"], \#(fields)}"#)
            let full = try encode(["--full", "one", "two words"] + arguments)
            #expect(full.output == String(decoding: answer.body, as: UTF8.self) + "\n", "\(arguments)")
        }
    }

    /// The final state is in every format that can hold it, beside the embedding.
    @Test func writesTheState() throws {
        func run(_ arguments: [String]) throws -> Program.Outcome {
            let outcome = try Program.run(
                ["encode", "--model", Program.model("g2p"), "--lines", "--json", "--return-state"] + arguments,
                input: (0..<40).map { "[5, \($0 % 20)]\n" }.joined())
            #expect(outcome.code == 0, "\(outcome.errors)")
            return outcome
        }
        let lines = try run([]).output.split(separator: "\n")
        #expect(lines.count == 40)
        let full = try JSONSerialization.jsonObject(with: try run(["--full", "--output", "embedding"]).bytes)
        let items = try #require((full as? [String: Any])?["data"] as? [[String: Any]])
        for (line, item) in zip(lines, items) {
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            let hidden = (object?["state"] as? [String: Any])?["hidden"] as? [[Double]]
            #expect(hidden?.map(\.count) == [256])
            #expect(object as NSDictionary? == item as NSDictionary)
        }
        let file = try run(["--output-format", "safetensors"]).bytes
        let length = file.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        let header = try JSONSerialization.jsonObject(with: file.dropFirst(8).prefix(length)) as? [String: Any]
        let states = (header ?? [:]).keys.filter { $0.hasPrefix("state.hidden.") }
        #expect(Set(states) == Set((0..<40).map { "state.hidden.\($0)" }) && header?["embedding"] != nil)
    }

    /// A bar is drawn at a terminal, from the first to the last chunk of all files. `make test` installs `script`.
    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/script"), "script is not installed"))
    func drawsABarAtATerminal() throws {
        let text = Self.texts.joined(separator: "\n") + "\n"
        let files = try (0..<2).map { _ in try TemporaryFile(String(repeating: text, count: 4)) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/script")
        let names = files.map { "'\($0.url.path)'" }.joined(separator: " ")
        process.arguments = [
            "-qec",
            "ENCODERD_ISA=baseline exec '\(Program.path)' encode --threads 1 --lines \(names)"
                + " --model '\(Program.model("minilm"))' > /dev/null", "/dev/null",
        ]
        let outcome = try Program.finish(process)
        #expect(outcome.code == 0, "\(outcome.output)")
        // The last line that is drawn erases the bar.
        let drawn = outcome.output.components(separatedBy: "\r").filter { $0.contains(" per second") }
        #expect(outcome.output.hasSuffix("\r\u{1B}[K") && drawn.count > 1, "\(outcome.output)")
        let parts = drawn.compactMap { $0.firstMatch(of: #/^\[#*\.*\] (\d+) %, \d+ sequences/#).flatMap { Int($0.1) } }
        #expect(parts.count == drawn.count && parts == parts.sorted() && parts[0] < 50, "\(drawn)")
        #expect(parts.contains { $0 > 50 }, "\(drawn)")
    }

    /// Nothing is drawn where nobody looks.
    @Test func drawsNoBarWithoutATerminal() throws {
        #expect(try encode(["--lines"], input: Self.texts.joined(separator: "\n")).errors.isEmpty)
    }

    // MARK: Attention

    /// The bytes of the server's answer.
    @Test(
        arguments: [
            ("model=minilm&input=a+map&format=svg", ["minilm", "a map"]),
            ("model=minilm&input=a+map", ["minilm", "--format", "json", "a map"]),
            (
                "model=minilm&input=a+map&format=svg&layers=-1&head_reduce=mean&special_tokens=hide",
                ["minilm", "--layers", "-1", "--head-reduce", "mean", "--special-tokens", "hide", "a map"]
            ),
            (
                "model=minilm&input=a+map&layers=1,2&heads=0&queries=%5B0,-1%5D",
                ["minilm", "--format", "json", "--layers", "1,2", "--heads", "0", "--queries", "[0,-1]", "a map"]
            ),
            ("model=minilm&input=a+map&top_k=2", ["minilm", "--format", "json", "--top-k", "2", "a map"]),
            ("model=minilm&input=a+map&mass=0.5", ["minilm", "--format", "json", "--mass", "0.5", "a map"]),
            ("model=g2p&input=hello&format=svg&method=jacobian", ["g2p", "--method", "jacobian", "hello"]),
        ] as [(String, [String])])
    func showsAttention(_ query: String, _ arguments: [String]) throws {
        let answer = try ServeTests.server().get("/v1/attention?" + query)
        #expect(answer.status == 200)
        let outcome = try Program.run(["attention", "--model", Program.model(arguments[0])] + arguments.dropFirst())
        #expect(outcome.code == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
        let expected = String(decoding: answer.body, as: UTF8.self)
        #expect(outcome.output == (expected.hasPrefix("{") ? expected + "\n" : expected))
    }

    @Test(
        arguments: [
            (["--layers", "last", "x"], 64, "'last' is invalid for '--layers"),
            (["--top-k", "0", "x"], 64, "--top-k takes 1"),
            (["--mass", "2", "x"], 64, "--mass takes"),
            (["--top-k", "1", "--mass", "1", "x"], 64, "one of --top-k and --mass"),
            (["--layers", "9", "x"], 1, "there are 6 layers"),
            (["--method", "jacobian", "x"], 1, "it can show is raw"),
            (["--method", "saliency", "x"], 1, "this model can do raw"),
            (
                [String(repeating: "word ", count: 200)], 1,
                "ask for fewer --layers, --heads or --queries, or for --head-reduce"
            ),
        ] as [([String], Int32, String)])
    func saysWhatAttentionTakes(_ arguments: [String], _ code: Int32, _ says: String) throws {
        let outcome = try Program.run(["attention"] + Self.minilm + arguments)
        #expect(outcome.code == code && outcome.errors.contains(says) && outcome.output.isEmpty, "\(outcome.errors)")
    }
}
