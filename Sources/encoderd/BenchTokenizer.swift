import ArgumentParser
import Models
import Tokenizers

/// Speed of a tokenizer on one thread: a text's lines one by one, as sentences, and its pieces of about 50 kB, as
/// documents. scripts/bench_tokenizers.py cuts the same text the same way for the Rust library.
struct TokenizerBench {
    let path: String
    let text: String?
    let cells: [String]
    let json: Bool

    /// Bytes of a document.
    private static let documentSize = 50_000
    static let cellNames = ["sentences", "documents"]

    func run() throws {
        let start = ContinuousClock.now
        let tokenizer = try load()
        let milliseconds = start.duration(to: .now) / .milliseconds(1)
        if !json {
            try StandardOutput.line(
                "\(tokenizer.summary), loaded in \((milliseconds * 10).rounded() / 10) ms, 1 thread")
        }
        let lines = try lines()
        for name in TokenizerBench.cellNames where cells.isEmpty || cells.contains(name) {
            try measure(
                tokenizer, name, name == "sentences" ? lines : TokenizerBench.documents(lines), loaded: milliseconds)
        }
    }

    private func load() throws -> any Tokenizer {
        do {
            if let tokenizer = try TokenizerLoader.load(path: path) { return tokenizer }
        } catch { throw CommandError("\(path): \(error)") }
        throw CommandError("\(path): there is no tokenizer")
    }

    /// Returns the lines of the text that are not empty.
    private func lines() throws -> [String] {
        guard let text else { return TokenizerBench.sample }
        guard let bytes = Paths.contents(of: text) else { throw CommandError("\(text): cannot be read") }
        let lines = bytes.split(separator: UInt8(ascii: "\n"))
        guard !lines.isEmpty else { throw CommandError("\(text): there is no text in it") }
        return lines.map { String(decoding: $0, as: UTF8.self) }
    }

    /// Returns documents, each of lines that are joined until it is long enough.
    private static func documents(_ lines: [String]) -> [String] {
        var documents: [String] = []
        var document = ""
        for line in lines {
            document += line + "\n"
            if document.utf8.count >= documentSize {
                documents.append(document)
                document = ""
            }
        }
        if documents.isEmpty { documents.append(document) }
        return documents
    }

    private func measure(_ tokenizer: any Tokenizer, _ name: String, _ texts: [String], loaded: Double) throws {
        func pass() -> Int {
            texts.reduce(0) { $0 + tokenizer.encode($1, pair: nil, maxLength: nil).tokens.count }
        }
        func seconds(_ count: Int) -> Double {
            ContinuousClock().measure { for _ in 0..<count { _ = pass() } } / .seconds(1)
        }
        let bytes = texts.reduce(0) { $0 + $1.utf8.count }
        let tokens = pass()
        let count = max(1, Int(0.25 / seconds(1)))
        let times = (0..<5).map { _ in seconds(count) / Double(count) }.sorted()
        let speeds = [times[0], times[2]].map { (Double(bytes) / $0 / 1e4).rounded() / 100 }
        if json {
            try StandardOutput.line(
                "{\"engine\": \"encoderd\", \"threads\": 1, \"cell\": \"\(name)\", \"texts\": \(texts.count), \"bytes\": \(bytes), "
                    + "\"tokens\": \(tokens), \"best_mb_s\": \(speeds[0]), \"median_mb_s\": \(speeds[1]), "
                    + "\"load_ms\": \((loaded * 10).rounded() / 10)}")
        } else {
            try StandardOutput.line(
                "\(name): best \(speeds[0]) MB/s, median \(speeds[1]), \(texts.count) texts, \(bytes) bytes, \(tokens) tokens"
            )
        }
    }

    /// A few sentences of several lengths, for a first impression.
    private static let sample: [String] = {
        let sentences = [
            "A tokenizer turns text into the numbers that a model reads.",
            "\"How long,\" she asked, \"does it take to read 1,234 pages?\"",
            "Words that a vocabulary lacks fall into pieces: antidisestablishmentarianism, Kraftfahrzeughaftpflicht.",
            "def mean(values): return sum(values) / len(values)  # of a list",
            "Le cœur déçu mais l'âme plutôt naïve, Louÿs rêva de crapaüter en canoë.",
            "Съешь ещё этих мягких французских булок, да выпей чаю.", "我能吞下玻璃而不伤身体。",
            "The event loop never computes and a worker never touches a socket, so that neither waits for the other.",
        ]
        return (0..<2000).map { sentences[$0 % sentences.count] }
    }()
}
