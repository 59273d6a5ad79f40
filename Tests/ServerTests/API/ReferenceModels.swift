import Foundation
import JSON
import Models
import TestSupport
import Testing

/// Model directories of Tests/Reference/data, each with the requests and results of its expected.json.
struct ReferenceModels {
    private let path: String

    /// - Parameter folder: The folder of the directories in Tests/Reference/data.
    init(_ folder: String) { path = Folders.reference + "/" + folder }

    func directory(_ name: String) -> String { path + "/" + name }

    func cases(_ name: String) throws -> [JSONValue] {
        let data = try Data(contentsOf: URL(fileURLWithPath: directory(name) + "/expected.json"))
        return try #require(try JSONValue(parsing: [UInt8](data)).array)
    }
}

/// Returns the first element of `data` in the response to a request to /v1/encode.
func firstItem(_ request: JSONValue?, _ model: Model) throws -> JSONValue {
    let body = try #require(request)
    return try #require(try encode(body, on: model)["data"]?.array?.first)
}

/// Returns the largest difference of two vectors; infinity if they have no numbers, or not as many as each other.
func largestDifference(_ found: JSONValue?, _ wanted: JSONValue?) throws -> Double {
    let (a, b) = (try #require(found?.array).compactMap(\.double), try #require(wanted?.array).compactMap(\.double))
    guard a.count == b.count else { return .infinity }
    return zip(a, b).map { abs($0 - $1) }.max() ?? .infinity
}
