import Diagnostics
import JSON

/// Reads the members of a request's JSON object strictly: every member must be known, and of its type.
struct FieldReader {
    let object: JSONObject

    /// - Parameter name: what the object is called in messages: the route, or the field that holds it.
    init(_ value: JSONValue, name: String, param: String? = nil, fields: [String]) throws(APIError) {
        guard let object = value.object else {
            if let param { throw .type(param, "an object", found: value) }
            throw APIError(400, "invalid_type", "The body must be a JSON object, not \(value.kind).")
        }
        for key in object.keys where !fields.contains(key) {
            let nearest = SimilarNames.nearest(to: key, among: fields)
            let hint = nearest.map { "; did you mean '\($0)'?" } ?? "."
            throw APIError(
                400, "unknown_field", param: param.map { "\($0).\(key.excerpt())" } ?? key,
                "'\(key.excerpt())' is not a field of \(name)\(hint) Its fields are \(fields.joined(separator: ", "))."
            )
        }
        self.object = object
    }

    subscript(_ name: String) -> JSONValue? { object[name] }

    func string(_ name: String) throws(APIError) -> String? {
        guard let value = object[name] else { return nil }
        guard let string = value.string else { throw .type(name, "a string", found: value) }
        return string
    }

    func bool(_ name: String) throws(APIError) -> Bool? {
        guard let value = object[name] else { return nil }
        guard let bool = value.bool else { throw .type(name, "true or false", found: value) }
        return bool
    }

    func integer(_ name: String) throws(APIError) -> Int? {
        guard let value = object[name] else { return nil }
        guard let int = value.int else {
            if value.double != nil { throw .value(name, "'\(name)' must be a whole number.") }
            throw .type(name, "a whole number", found: value)
        }
        return int
    }

    func option<T: RawRepresentable & CaseIterable>(_ name: String) throws(APIError) -> T? where T.RawValue == String {
        guard let value = object[name] else { return nil }
        return try FieldReader.option(value, name)
    }

    static func option<T: RawRepresentable & CaseIterable>(
        _ value: JSONValue, _ param: String
    ) throws(APIError) -> T where T.RawValue == String {
        guard let text = value.string else { throw .type(param, "a string", found: value) }
        guard let option = T(rawValue: text) else {
            let names = T.allCases.map(\.rawValue)
            let hint = SimilarNames.nearest(to: text, among: names).map { " Did you mean '\($0)'?" } ?? ""
            throw .value(
                param, "'\(param)' must be one of \(names.joined(separator: ", ")), not '\(text.excerpt())'.\(hint)")
        }
        return option
    }
}
