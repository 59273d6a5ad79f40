import Diagnostics
import HTTP
import JSON

extension AttentionFields {
    /// Reads the query of a URL, in which '+' stands for a space, as HTML forms send it.
    /// - Parameter query: The query, still percent-encoded.
    init(query: String?, accept: String?) throws(APIError) {
        var values: [(name: String, value: String)] = []
        for pair in (query ?? "").split(separator: "&", omittingEmptySubsequences: true) {
            let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = try AttentionFields.decoded(halves[0], of: nil)
            if values.contains(where: { $0.name == name }) {
                throw .value(name, "The parameter '\(name.excerpt())' is given more than once.")
            }
            values.append((name, halves.count > 1 ? try AttentionFields.decoded(halves[1], of: name) : ""))
        }
        guard let input = values.first(where: { $0.name == "input" }) else { throw AttentionFields.inputIsMissing }
        self.init(CallInput.textOrJSON(input.value), accept: accept)
        for shorthand in AttentionFields.queryShorthands where values.contains(where: { $0.name == shorthand }) {
            if let other = values.first(where: {
                ["select", "top_k", "mass"].contains($0.name) && $0.name != shorthand
            }) {
                throw .value(
                    other.name, "Give one of 'select', 'top_k' and 'mass', not '\(shorthand)' and '\(other.name)'.")
            }
        }
        for (name, text) in values where name != "input" {
            switch name {
            case "layers", "heads", "queries": try set(name, AttentionFields.indices(text, of: name))
            case "truncate", "select": try set(name, AttentionFields.json(text, of: name))
            case "top_k", "mass":
                try select([(key: name, value: AttentionFields.json(text, of: name))], of: name)
            default: try set(name, .string(text))
            }
        }
    }

    /// Undoes the percent-encoding of a name or value.
    /// - Parameter name: The parameter, for the error; `nil` if the text is itself a name.
    private static func decoded(_ text: Substring, of name: String?) throws(APIError) -> String {
        guard let bytes = HTTPGrammar.percentDecoded(text.utf8.lazy.map { $0 == UInt8(ascii: "+") ? 0x20 : $0 }) else {
            throw APIError(
                400, "invalid_query", param: name, "'%' in the URL's query must be followed by two hex digits.")
        }
        guard let string = String(validating: bytes, as: UTF8.self) else {
            throw APIError(400, "invalid_query", param: name, "The URL's query must be UTF-8, percent-encoded.")
        }
        return string
    }

    /// Reads `all`, `5`, `0,1` or `[0,1]`.
    private static func indices(_ text: String, of name: String) throws(APIError) -> JSONValue {
        if text == "all" { return .string(text) }
        return try json(text.hasPrefix("[") || !text.contains(",") ? text : "[\(text)]", of: name)
    }

    private static func json(_ text: String, of name: String) throws(APIError) -> JSONValue {
        do throws(JSONError) {
            return try JSONValue(parsing: Array(text.utf8))
        } catch {
            throw .value(name, "The parameter '\(name)' cannot be read: \(error).")
        }
    }
}
