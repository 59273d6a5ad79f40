import ArgumentParser
import Glibc
import JSON
import KernelSelection
import Server

/// One embedding, without a server.
struct Encode: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print one embedding as a JSON array, without a server.",
        usage: """
            encoderd encode --model models/minilm "an RNN reads one step at a time"
            encoderd encode --model models/g2p --json '[5, 3, 20, 2]'
            encoderd encode --model models/minilm --full "the answer of /v1/encode"
            """)

    @Option(help: ArgumentHelp("The model directory.", valueName: "directory"))
    var model: String
    @Option(help: precisionHelp)
    var precision: Precision?
    @Flag(help: "The input is JSON: token ids, feature vectors or a text pair, as /v1/encode takes them.")
    var json = false
    @Flag(help: "Print the whole answer of /v1/encode in the model's default form.")
    var full = false
    @Argument(help: "The sequence; - reads it from standard input.")
    var input: String

    func run() throws {
        guard let argument = ModelArgument(model) else { throw ValidationError("--model takes a directory.") }
        let loaded = try argument.load(precision)
        let text = input == "-" ? try readStandardInput() : input
        var call = EncodeCall(json ? .json(try parsed(text)) : .text(text))
        if !full { call.outputs = [.embedding] }
        let results: EncodeResults
        do throws(APIError) { results = try call.run(on: loaded) } catch { throw CommandError(error.message) }
        if full { return try printBytes(EncodeResponse(results).json().bytes()) }
        for result in results.results {
            var writer = JSONWriter()
            writer.floats(result.embedding ?? [])
            try printBytes(writer.bytes)
        }
    }

    private func parsed(_ text: String) throws -> JSONValue {
        do throws(JSONError) { return try JSONValue(parsing: Array(text.utf8)) } catch {
            throw CommandError("the input is not JSON: \(error)")
        }
    }

    private func readStandardInput() throws -> String {
        guard let bytes = Paths.contents(of: STDIN_FILENO) else { throw CommandError("standard input cannot be read") }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw CommandError("standard input is not UTF-8 text")
        }
        return text.hasSuffix("\n") ? String(text.dropLast()) : text
    }

    private func printBytes(_ bytes: [UInt8]) throws { try StandardOutput.write(bytes + [UInt8(ascii: "\n")]) }
}
