import Diagnostics
import HTTP
import JSON
import Models

extension AttentionFormat {
    /// Chooses the format that an Accept field prefers; JSON if it names none of these. The first of equal weights wins, so
    /// that an `<img>`, whose field begins with picture formats, gets a picture.
    init(accept: String?) {
        self =
            WeightedList(accept).preferred { range in
                switch range {
                case "*/*", "application/*": .json
                case "image/*": .svg
                case "application/octet-stream": nil
                default: AttentionFormat.allCases.first { $0.mediaType == range }
                }
            } ?? .json
    }
}

/// The fields of `/v1/attention`: the query of a GET, or the JSON body of a POST.
struct AttentionFields {
    static let names = [
        "model", "input", "truncate", "layers", "heads", "queries", "head_reduce", "method", "special_tokens", "select",
        "format", "dtype",
    ]
    /// The short forms of `select` that only a query has.
    static let queryShorthands = ["top_k", "mass"]

    private(set) var call: AttentionCall

    /// - Parameter accept: The request's Accept field, which chooses the format if the field `format` does not.
    init(_ input: CallInput, accept: String?) {
        call = AttentionCall(input)
        call.options.format = AttentionFormat(accept: accept)
    }

    /// Reads the body of a POST.
    init(_ body: JSONValue, accept: String?) throws(APIError) {
        guard let object = body.object else {
            throw APIError(400, "invalid_type", param: nil, "The body must be a JSON object, not \(body.kind).")
        }
        guard let input = object["input"] else { throw AttentionFields.inputIsMissing }
        self.init(.json(input), accept: accept)
        for (key, value) in object.members where key != "input" { try set(key, value) }
    }

    static let inputIsMissing = APIError(
        400, "missing_field", param: "input", "'input' is required: the sequence whose attention to show.")

    /// Sets the field of that name.
    mutating func set(_ name: String, _ value: JSONValue) throws(APIError) {
        switch name {
        case "model": call.model = try AttentionFields.string(value, of: name)
        case "truncate":
            guard let flag = value.bool else { throw .type(name, "true or false", found: value) }
            call.truncate = flag
        case "layers": call.options.layers = try AttentionFields.choice(value, of: name)
        case "heads": call.options.heads = try AttentionFields.choice(value, of: name)
        case "queries": call.options.queries = try AttentionFields.choice(value, of: name)
        case "head_reduce": call.options.headReduce = try AttentionFields.option(value, of: name)
        case "method": call.options.method = try AttentionFields.string(value, of: name)
        case "special_tokens": call.options.specialTokens = try AttentionFields.option(value, of: name)
        case "select":
            guard let object = value.object else {
                throw .type(name, "an object such as {\"top_k\": 16} or {\"mass\": 0.95}", found: value)
            }
            try select(object.members, of: name)
        case "format": call.options.format = try AttentionFields.option(value, of: name) as AttentionFormat
        case "dtype": call.options.dtype = try AttentionFields.option(value, of: name)
        default:
            throw APIError(
                400, "unknown_field", param: name,
                "'\(name.excerpt())' is not a field of /v1/attention; those are "
                    + "\(AttentionFields.names.joined(separator: ", "))."
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

    /// Sets the selection of weights from its one member.
    mutating func select(_ members: [(key: String, value: JSONValue)], of name: String) throws(APIError) {
        guard members.count == 1, let (key, value) = members.first else {
            throw .value(name, "'\(name)' takes exactly one of \"top_k\" and \"mass\".")
        }
        switch key {
        case "top_k":
            guard value.double != nil else { throw .type("select.top_k", "a whole number", found: value) }
            guard case .integer(let count) = value, count >= 1 else {
                throw .value("select.top_k", "'top_k' must be a whole number of at least 1.")
            }
            call.options.select = .topK(count)
        case "mass":
            guard let share = value.double else { throw .type("select.mass", "a number", found: value) }
            guard share > 0, share <= 1 else {
                throw .value("select.mass", "'mass' must be above 0 and at most 1, not \(share).")
            }
            call.options.select = .mass(share)
        default:
            throw APIError(
                400, "unknown_field", param: "select.\(key.excerpt())",
                "'select' takes \"top_k\" or \"mass\", not '\(key.excerpt())'.")
        }
    }
}
