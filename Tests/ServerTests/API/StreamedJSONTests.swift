import Concurrency
import Dispatch
import Foundation
import Glibc
import JSON
import Models
import Synchronization
import Testing

@testable import HTTP
@testable import Server

/// The JSON of answers, whole and in pieces.
@Suite struct StreamedJSONTests {
    @Test(
        arguments: [
            ([], "7"), ([3], "[7,7,7]"), ([2, 3], "[[7,7,7],[7,7,7]]"), ([1, 1, 1], "[[[7]]]"), ([0], "[]"),
            ([2, 0], "[[],[]]"), ([0, 2], "[]"), ([2, 1, 2], "[[[7,7]],[[7,7]]]"),
        ] as [([Int], String)])
    func nestedArrays(shape: [Int], text: String) {
        var parts = StreamedJSON()
        parts.add(nested: shape[...], bytes: 2) { json, _ in json.int(7) }
        #expect(String(decoding: parts.bytes(), as: UTF8.self) == text)
    }

    private func states() -> StreamedJSON {
        var parts = StreamedJSON()
        parts.add { json in
            json.beginObject()
            json.key("states")
        }
        parts.add(rows: 700, columns: 100) { row in (0..<100).map { Float(row * 100 + $0) / 7 }[...] }
        parts.add { $0.endObject() }
        return parts
    }

    @Test(arguments: [false, true])
    func piecesAreTheWhole(compressed: Bool) throws {
        let parts = states()
        let pieces = try pieces(parts, compressed ? GzipEncoder() : nil)
        #expect(pieces.count > 3 && pieces.allSatisfy { $0.count < StreamedJSONBody.pieceBytes + 2000 })
        var all = Array(pieces.joined())
        if compressed { all = try Inflater(coding: .gzip, limit: 32 << 20).inflate(all) }
        #expect(all == parts.bytes())
        #expect(try JSONValue(parsing: all)["states"]?.array?.count == 700)
    }

    private func pieces(_ parts: StreamedJSON, _ encoder: GzipEncoder? = nil) throws -> [[UInt8]] {
        let engine = try InferenceEngine(networks: [], threads: 2)
        defer { engine.stop() }
        let stream = StreamedJSONBody(parts, engine: engine, encoder: encoder)
        var pieces: [[UInt8]] = []
        reading: while true {
            let box = Locked<BodyPiece?>(nil)
            let gate = Gate()
            stream.next { piece in
                box.withLock { $0 = piece }
                gate.open()
            }
            gate.wait()
            guard case .bytes(let bytes)? = box.withLock({ $0 }) else { break reading }
            pieces.append(bytes)
        }
        return pieces
    }

    /// However many logits a token has, and in either form: it is cut, and is what the standard library and Foundation write.
    @Test(arguments: [(2, 20_000), (1000, 40), (0, 7), (3, 0), (2, 1537)], ["float", "base64"])
    func answersAreCutAnywhere(size: (rows: Int, columns: Int), format: String) throws {
        let (rows, columns) = size
        let values = (0..<rows * columns).map { Float($0) / 7 }
        let matrix = Matrix(rows: rows, columns: columns, values: values)
        var description = Toy.description(.tokens(vocabularySize: 100), labels: ["a"])
        description.outputs.logitsPerToken = true
        let fields = try EncodeFields(
            JSONValue(
                parsing: Array(
                    "{\"input\": [1], \"output\": [\"logits\", \"states\"], \"encoding_format\": \"\(format)\"}".utf8)))
        let plan = try EncodePlan(fields.call, description, sequences: 2)
        var result = SequenceResult()
        result.states = [matrix]
        result.logits = matrix
        let results = EncodeResults(
            model: Toy.model("toy", description), plan: plan, sequences: [(rows, false), (rows, true)],
            results: [result, result])
        let parts = EncodeResponse(results, encodingFormat: fields.encodingFormat).json()
        let numbers = (0..<rows).map { row in
            "[" + values[row * columns..<(row + 1) * columns].map(\.description).joined(separator: ",") + "]"
        }
        let base64 = values.withUnsafeBytes { Data($0) }.base64EncodedString()
        let text = format == "float" ? "[" + numbers.joined(separator: ",") + "]" : "\"" + base64 + "\""
        let items = [(0, "false"), (1, "true")].map {
            "{\"index\":\($0.0),\"tokens\":\(rows),\"truncated\":\($0.1),\"states\":\(text),\"logits\":\(text)}"
        }
        let whole =
            "{\"model\":\"toy\",\"data\":[" + items.joined(separator: ",")
            + "],\"usage\":{\"prompt_tokens\":\(2 * rows),\"total_tokens\":\(2 * rows)}}"
        // Of both results, states and logits.
        #expect(parts.retained == 4 * 4 * values.count)
        let pieces = try pieces(parts)
        // Compared apart: a failure would print all of it.
        let isWhole = Array(pieces.joined()) == Array(whole.utf8) && parts.bytes() == Array(whole.utf8)
        #expect(isWhole)
        let largest = pieces.map(\.count).max() ?? 0
        #expect(largest <= StreamedJSONBody.pieceBytes + 8192)
    }

    @Test func afterTheWorkersNothingComes() throws {
        let engine = try InferenceEngine(networks: [], threads: 1)
        engine.stop()
        let failed = Locked(false)
        StreamedJSONBody(states(), engine: engine, encoder: nil).next { piece in
            if case .failed = piece { failed.withLock { $0 = true } }
        }
        #expect(failed.withLock { $0 })
    }

    /// Only long answers are streamed: 200 tokens of a model with 4 values fit one buffer.
    @Test func shortAnswersAreWhole() throws {
        let short = ResponseContent.json(StreamedJSON()), long = ResponseContent.json(states())
        let engine = try InferenceEngine(networks: [], threads: 1)
        defer { engine.stop() }
        func response(_ answer: ResponseContent, _ accept: String?) -> HTTPResponse {
            answer.response(
                engine: engine, accept: AcceptEncoding(accept), compression: .always, inferSeconds: 1)
        }
        #expect(response(short, nil).stream == nil && response(long, nil).stream != nil)
        #expect(response(long, nil).headers["Content-Encoding"] == nil)
        #expect(response(long, "gzip").headers["Content-Encoding"] == "gzip" && response(long, "gzip").byteCount == nil)
    }
}
