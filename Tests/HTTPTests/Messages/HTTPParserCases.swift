import Foundation
import TestSupport
import Testing

@testable import HTTP

/// Bytes, and the verdict of a strict reader of RFC 9110 and 9112 on them: Tests/Reference/data/http_cases.json. Each case
/// names its source: a section of an RFC, or a public suite whose bytes and verdict it repeats. If such a suite lets a server
/// choose, the strict answer is expected. A Host, which HTTP/1.1 requires, was added if its bytes have none.
struct HTTPParserCase: Sendable, CustomTestStringConvertible {
    enum Expected: Sendable {
        /// A request; `rest` counts the bytes that belong to the next one.
        case request(line: [UInt8], body: [UInt8], rest: Int)
        case incomplete
        case status(Int)
    }

    var name: String
    var source: String
    var input: [UInt8]
    var expected: Expected

    var testDescription: String { "\(name) [\(source)]" }

    static let all: Result<[HTTPParserCase], any Error> = Result {
        let url = URL(fileURLWithPath: Folders.reference + "/http_cases.json")
        let rows = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [[String: Any]])
        return try rows.map(HTTPParserCase.init)
    }

    private init(_ row: [String: Any]) throws {
        name = "\(try #require(row["section"] as? String)): \(try #require(row["name"] as? String))"
        source = try #require(row["source"] as? String)
        input = try Self.bytes(try #require(row["input"]))
        if let status = row["status"] as? Int {
            expected = .status(status)
        } else if row["incomplete"] as? Bool == true {
            expected = .incomplete
        } else {
            expected = .request(
                line: try Self.bytes(try #require(row["request"])), body: try Self.bytes(row["body"] ?? ""),
                rest: row["rest"] as? Int ?? 0)
        }
    }

    /// Reads a string, each character a byte; or an array of such, and of pairs of one and the number of its repetitions.
    private static func bytes(_ value: Any) throws -> [UInt8] {
        if let text = value as? String {
            return try text.unicodeScalars.map { try #require(UInt8(exactly: $0.value)) }
        }
        return try #require(value as? [Any]).flatMap { part in
            guard let pair = part as? [Any] else { return try bytes(part) }
            let (text, count) = (try bytes(pair[0]), try #require(pair[1] as? Int))
            return Array(repeatElement(text, count: count).joined())
        }
    }
}
