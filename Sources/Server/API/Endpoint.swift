import HTTP

/// An operation of the API: the requests that it matches, and how they are answered. An object, so that each request copies
/// one reference.
final class Endpoint: Sendable {
    /// The use of a request's body.
    enum Body: Sendable {
        /// Ignores it. It is still read before the connection's next request (RFC 9110, 9.3.1), so it must be short.
        case ignored
        /// Reads a JSON object with these fields.
        case json(fields: [String])
    }

    enum Handling: Sendable {
        /// Answers on the event loop: the closure must return at once.
        case immediate(@Sendable (RequestContext) throws(APIError) -> HTTPResponse)
        /// Has the engine answer: the closure reads the request into a call, on a worker.
        case call(@Sendable (RequestContext) throws(APIError) -> Call)
    }

    /// The method in uppercase. An endpoint for GET also answers HEAD.
    let method: String
    let path: PathPattern
    let dialect: Dialect
    /// The names of the fields that the URL's query may have.
    let query: [String]
    let body: Body
    let handling: Handling

    /// - Parameter path: The path with parameters in braces, as the OpenAPI document has it.
    init(
        _ method: String, _ path: String, _ dialect: Dialect, query: [String] = [], body: Body = .ignored,
        _ handling: Handling
    ) {
        self.method = method
        self.path = PathPattern(path)
        self.dialect = dialect
        self.query = query
        self.body = body
        self.handling = handling
    }
}

/// A path with parameters, such as `/v2/models/{model}/infer`.
struct PathPattern: Sendable, Equatable, CustomStringConvertible {
    let description: String
    /// The fixed parts in UTF-8: before, between and behind the parameters, so one more than there are parameters.
    private let literals: [[UInt8]]
    private let names: [String]

    init(_ text: String) {
        description = text
        var literals: [[UInt8]] = []
        var names: [String] = []
        for part in text.split(separator: "{", omittingEmptySubsequences: false) {
            if literals.isEmpty {
                literals.append(Array(part.utf8))
            } else {
                let halves = part.split(separator: "}", maxSplits: 1, omittingEmptySubsequences: false)
                names.append(String(halves[0]))
                literals.append(halves.count > 1 ? Array(halves[1].utf8) : [])
            }
        }
        self.literals = literals
        self.names = names
    }

    var hasParameters: Bool { !names.isEmpty }
    /// The number of bytes of the fixed parts. The most specific of several patterns has the most.
    var literalLength: Int { literals.reduce(0) { $0 + $1.count } }

    /// Matches a percent-decoded path.
    ///
    /// A parameter has one byte or more, which may be slashes, since names of models have them. Each takes as much as it can:
    /// `{model}` in the pattern above ends at the last `/infer`.
    /// - Returns: The values by parameter; `nil` if the path does not match.
    func match(_ path: String) -> [String: String]? {
        guard hasParameters else { return path == description ? [:] : nil }
        let bytes = Array(path.utf8)
        guard bytes.starts(with: literals[0]), let ranges = parameters(of: bytes, from: literals[0].count, next: 1)
        else {
            return nil
        }
        var values: [String: String] = [:]
        for (name, range) in zip(names, ranges) { values[name] = String(decoding: bytes[range], as: UTF8.self) }
        return values
    }

    /// Finds the parameters in front of the literals from number `next` on.
    /// - Parameter start: Where the first of these parameters begins.
    private func parameters(of path: [UInt8], from start: Int, next: Int) -> [Range<Int>]? {
        let literal = literals[next]
        let isLast = next == literals.count - 1
        var end = path.count - literal.count
        while end > start {
            if path[end...].starts(with: literal) {
                if isLast { return [start..<end] }
                if let others = parameters(of: path, from: end + literal.count, next: next + 1) {
                    return [start..<end] + others
                }
            }
            if isLast { return nil }
            end -= 1
        }
        return nil
    }
}
