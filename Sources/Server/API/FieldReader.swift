import Diagnostics
import JSON

/// The rules by which a dialect reads the members of JSON objects.
struct FieldRules: Sendable, Equatable {
    /// Whether members with unknown names are ignored. Otherwise the request is refused, so that a typo never goes unnoticed.
    var ignoresUnknown: Bool
    /// Whether a member that is `null` counts as absent.
    var nullIsAbsent: Bool

    static let strict = FieldRules(ignoresUnknown: false, nullIsAbsent: false)
    static let lenient = FieldRules(ignoresUnknown: true, nullIsAbsent: true)
}

/// A reader of the members of a request's JSON object, which checks their names and types.
struct FieldReader {
    private let object: JSONObject
    private let rules: FieldRules

    /// - Parameters:
    ///   - name: The object's name in messages: the path of the endpoint, or what the object is.
    ///   - param: The field that holds the object; `nil` if it is the body.
    ///   - fields: The names of the members that the object may have.
    init(
        _ value: JSONValue, _ rules: FieldRules, name: String, param: String? = nil, fields: [String]
    ) throws(APIError) {
        guard let object = value.object else {
            if let param { throw .type(param, "an object", found: value) }
            throw APIError(400, "invalid_type", "The body must be a JSON object, not \(value.kind).")
        }
        for key in object.keys where !rules.ignoresUnknown && !fields.contains(key) {
            let nearest = SimilarNames.nearest(to: key, among: fields)
            let hint = nearest.map { "; did you mean '\($0)'?" } ?? "."
            throw APIError(
                400, "unknown_field", param: param.map { "\($0).\(key.excerpt())" } ?? key,
                "'\(key.excerpt())' is not a field of \(name)\(hint) Its fields are \(fields.joined(separator: ", "))."
            )
        }
        self.object = object
        self.rules = rules
    }

    /// The member of that name; `nil` if it is absent.
    subscript(_ name: String) -> JSONValue? {
        guard let value = object[name] else { return nil }
        return rules.nullIsAbsent && value == .null ? nil : value
    }

    func string(_ name: String) throws(APIError) -> String? {
        guard let value = self[name] else { return nil }
        guard let string = value.string else { throw .type(name, "a string", found: value) }
        return string
    }

    func bool(_ name: String) throws(APIError) -> Bool? {
        guard let value = self[name] else { return nil }
        guard let bool = value.bool else { throw .type(name, "true or false", found: value) }
        return bool
    }

    func integer(_ name: String) throws(APIError) -> Int? {
        guard let value = self[name] else { return nil }
        guard let int = value.int else {
            if value.double != nil { throw .value(name, "'\(name)' must be a whole number.") }
            throw .type(name, "a whole number", found: value)
        }
        return int
    }

    func option<T: RawRepresentable & CaseIterable>(_ name: String) throws(APIError) -> T? where T.RawValue == String {
        guard let value = self[name] else { return nil }
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
