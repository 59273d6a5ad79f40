import Diagnostics
import JSON
import Models

/// What an attention answer is written as.
enum AttentionFormat: String, Sendable, CaseIterable {
    case json, npy, safetensors, svg, png

    var mediaType: String {
        switch self {
        case .json: "application/json"
        case .npy: NPYWriter.mediaType
        case .safetensors: SafetensorsWriter.mediaType
        case .svg: "image/svg+xml"
        case .png: "image/png"
        }
    }

    /// The format an Accept field (RFC 9110, section 12.5.1) prefers; JSON where it names none of ours. Of equal
    /// weights the first named wins, so that an `<img>`, which names image/svg+xml, gets a picture.
    init(accept: String?) {
        var best: (format: AttentionFormat, quality: Double) = (.json, 0)
        for item in (accept ?? "").split(separator: ",") {
            let parts = item.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
            guard let range = parts.first else { continue }
            let quality = parts.dropFirst().first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
            let format: AttentionFormat?
            switch range {
            case "*/*", "application/*": format = .json
            case "image/*": format = .svg
            case "application/octet-stream": format = nil
            default: format = AttentionFormat.allCases.first { $0.mediaType == range }
            }
            if let format, quality > best.quality { best = (format, quality) }
        }
        self = best.format
    }
}

/// `all`, or indices as written: negative ones count from the end.
enum IndexChoice: Sendable, Equatable {
    case all
    case some([Int])
}

/// The fields of /v1/attention, checked as far as that needs no model.
struct AttentionRequest: Sendable, Equatable {
    var model: String?
    var input: JSONValue
    /// The input came in a URL: for a model without a tokenizer its text is JSON.
    var isQuery = false
    var truncate = true
    var layers: IndexChoice = .all
    var heads: IndexChoice = .all
    var queries: IndexChoice = .all
    var headReduce: HeadReduction = .none
    /// As written; nil: the model's default.
    var method: String?
    var specialTokens: SpecialTokenPolicy = .keep
    var select: WeightSelection?
    /// nil: by Accept.
    var format: AttentionFormat?
    var dtype: BinaryFloat = .f32

    static let fields = [
        "model", "input", "truncate", "layers", "heads", "queries", "head_reduce", "method", "special_tokens", "select",
        "format", "dtype",
    ]

    /// The body of a POST.
    init(_ body: JSONValue) throws(APIError) {
        guard let object = body.object else {
            throw APIError(400, "invalid_type", param: nil, "The body must be a JSON object, not \(body.kind).")
        }
        guard let input = object["input"] else { throw AttentionRequest.inputIsMissing }
        self.input = input
        for (key, value) in object.members where key != "input" { try set(key, value) }
    }

    /// The query of a GET, still percent-encoded, '+' standing for a space (as HTML forms send it).
    init(query: String?) throws(APIError) {
        var values: [(name: String, value: String)] = []
        for pair in (query ?? "").split(separator: "&", omittingEmptySubsequences: true) {
            let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = try AttentionRequest.decoded(halves[0], of: nil)
            if values.contains(where: { $0.name == name }) {
                throw .value(name, "The parameter '\(name.excerpt())' is given more than once.")
            }
            values.append((name, halves.count > 1 ? try AttentionRequest.decoded(halves[1], of: name) : ""))
        }
        guard let input = values.first(where: { $0.name == "input" }) else { throw AttentionRequest.inputIsMissing }
        self.input = .string(input.value)
        isQuery = true
        for shorthand in ["top_k", "mass"] where values.contains(where: { $0.name == shorthand }) {
            if let other = values.first(where: {
                ["select", "top_k", "mass"].contains($0.name) && $0.name != shorthand
            }) {
                throw .value(
                    other.name, "Give one of 'select', 'top_k' and 'mass', not '\(shorthand)' and '\(other.name)'.")
            }
        }
        for (name, text) in values where name != "input" {
            switch name {
            case "layers", "heads", "queries": try set(name, AttentionRequest.indices(text, of: name))
            case "truncate", "select": try set(name, AttentionRequest.json(text, of: name))
            case "top_k", "mass":
                select = try AttentionRequest.selection(
                    [(key: name, value: AttentionRequest.json(text, of: name))], of: name)
            default: try set(name, .string(text))
            }
        }
    }

    private static let inputIsMissing = APIError(
        400, "missing_field", param: "input", "'input' is required: the sequence whose attention to show.")

    private mutating func set(_ name: String, _ value: JSONValue) throws(APIError) {
        switch name {
        case "model": model = try AttentionRequest.string(value, of: name)
        case "truncate":
            guard let flag = value.bool else { throw .type(name, "true or false", found: value) }
            truncate = flag
        case "layers": layers = try AttentionRequest.choice(value, of: name)
        case "heads": heads = try AttentionRequest.choice(value, of: name)
        case "queries": queries = try AttentionRequest.choice(value, of: name)
        case "head_reduce": headReduce = try AttentionRequest.option(value, of: name)
        case "method": method = try AttentionRequest.string(value, of: name)
        case "special_tokens": specialTokens = try AttentionRequest.option(value, of: name)
        case "select":
            guard let object = value.object else {
                throw .type(name, "an object such as {\"top_k\": 16} or {\"mass\": 0.95}", found: value)
            }
            select = try AttentionRequest.selection(object.members, of: name)
        case "format": format = try AttentionRequest.option(value, of: name) as AttentionFormat
        case "dtype": dtype = try AttentionRequest.option(value, of: name)
        default:
            throw APIError(
                400, "unknown_field", param: name,
                "'\(name.excerpt())' is not a field of /v1/attention; those are "
                    + "\(AttentionRequest.fields.joined(separator: ", "))."
            )
        }
    }

    private static func string(_ value: JSONValue, of name: String) throws(APIError) -> String {
        guard let string = value.string else { throw .type(name, "a string", found: value) }
        return string
    }

    private static func option<T: RawRepresentable & CaseIterable>(
        _ value: JSONValue, of name: String
    ) throws(APIError) -> T where T.RawValue == String {
        let text = try string(value, of: name)
        guard let option = T(rawValue: text) else {
            let options = T.allCases.map(\.rawValue).joined(separator: ", ")
            throw .value(name, "'\(name)' must be one of \(options), not '\(text.excerpt())'.")
        }
        return option
    }

    private static func choice(_ value: JSONValue, of name: String) throws(APIError) -> IndexChoice {
        let expected = "\"all\", a whole number or an array of them"
        if let text = value.string {
            guard text == "all" else { throw .value(name, "'\(name)' must be \(expected), not '\(text.excerpt())'.") }
            return .all
        }
        if case .integer(let index) = value { return .some([index]) }
        guard let array = value.elements else { throw .type(name, expected, found: value) }
        if array.count == 0 { throw .value(name, "'\(name)' is an empty array; name at least one, or \"all\".") }
        var indices: [Int] = []
        for (position, item) in array.enumerated() {
            guard case .integer(let index) = item else {
                throw .type("\(name)[\(position)]", "a whole number", found: item)
            }
            indices.append(index)
        }
        return .some(indices)
    }

    private static func selection(
        _ members: [(key: String, value: JSONValue)], of name: String
    ) throws(APIError) -> WeightSelection {
        guard members.count == 1, let (key, value) = members.first else {
            throw .value(name, "'\(name)' takes exactly one of \"top_k\" and \"mass\".")
        }
        switch key {
        case "top_k":
            guard value.double != nil else { throw .type("select.top_k", "a whole number", found: value) }
            guard case .integer(let count) = value, count >= 1 else {
                throw .value("select.top_k", "'top_k' must be a whole number of at least 1.")
            }
            return .topK(count)
        case "mass":
            guard let share = value.double else { throw .type("select.mass", "a number", found: value) }
            guard share > 0, share <= 1 else {
                throw .value("select.mass", "'mass' must be above 0 and at most 1, not \(share).")
            }
            return .mass(share)
        default:
            throw APIError(
                400, "unknown_field", param: "select.\(key.excerpt())",
                "'select' takes \"top_k\" or \"mass\", not '\(key.excerpt())'.")
        }
    }
}

/// Reading a URL's query.
extension AttentionRequest {
    /// - Parameter name: the parameter, for the error; nil: the text is itself a name.
    fileprivate static func decoded(_ text: Substring, of name: String?) throws(APIError) -> String {
        func digit(_ byte: UInt8) -> UInt8? {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
            default: nil
            }
        }
        let source = Array(text.utf8)
        var bytes: [UInt8] = []
        var i = 0
        while i < source.count {
            switch source[i] {
            case UInt8(ascii: "+"): bytes.append(0x20)
            case UInt8(ascii: "%"):
                guard i + 2 < source.count, let high = digit(source[i + 1]), let low = digit(source[i + 2]) else {
                    throw APIError(
                        400, "invalid_query", param: name, "'%' in the URL's query must be followed by two hex digits.")
                }
                bytes.append(high << 4 | low)
                i += 2
            default: bytes.append(source[i])
            }
            i += 1
        }
        guard let string = String(validating: bytes, as: UTF8.self) else {
            throw APIError(400, "invalid_query", param: name, "The URL's query must be UTF-8, percent-encoded.")
        }
        return string
    }

    /// `all`, `5`, `0,1` or `[0,1]`.
    fileprivate static func indices(_ text: String, of name: String) throws(APIError) -> JSONValue {
        if text == "all" { return .string(text) }
        return try json(text.hasPrefix("[") || !text.contains(",") ? text : "[\(text)]", of: name)
    }

    fileprivate static func json(_ text: String, of name: String) throws(APIError) -> JSONValue {
        do throws(JSONError) {
            return try JSONValue(parsing: Array(text.utf8))
        } catch {
            throw .value(name, "The parameter '\(name)' cannot be read: \(error).")
        }
    }
}
