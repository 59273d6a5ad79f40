import JSON
import ModelFiles

/// The file that a tokenizer's components are read from, for error messages.
///
/// Extensions of this type read the components, beside their definitions. An unknown type is refused by name: a
/// tokenizer without one of its steps would give plausible, wrong ids.
struct TokenizerFile {
    let name: String

    func error(_ message: String) -> FileError { FileError(file: name, message) }

    func unknownType(_ type: String, at path: String, supported: [String]) -> FileError {
        error("\(path) is of type \"\(type)\", which is not supported; supported: \(supported.joined(separator: ", "))")
    }

    func fields(_ value: JSONValue?, at path: String) throws(FileError) -> TokenizerFields {
        guard let value else { throw error("\(path) is missing") }
        guard let object = value.object else { throw error("\(path) is \(value.kind); an object is expected") }
        return TokenizerFields(file: self, path: path, object: object)
    }

    /// Returns the members of an object. `nil` if the value is absent or null.
    func optionalFields(_ value: JSONValue?, at path: String) throws(FileError) -> TokenizerFields? {
        if value == nil || value == .null { return nil }
        return try fields(value, at: path)
    }
}

/// The members of one object of tokenizer.json.
struct TokenizerFields {
    let file: TokenizerFile
    let path: String
    let object: JSONObject

    func string(_ key: String) throws(FileError) -> String {
        guard let string = try value(key).string else { throw wrong(key, "a string") }
        return string
    }

    /// Reads a string of one character.
    func scalar(_ key: String) throws(FileError) -> UInt32 {
        let scalars = Array(try string(key).unicodeScalars)
        guard scalars.count == 1 else { throw wrong(key, "one character") }
        return scalars[0].value
    }

    func bool(_ key: String) throws(FileError) -> Bool {
        guard let bool = try value(key).bool else { throw wrong(key, "true or false") }
        return bool
    }

    func optionalBool(_ key: String) throws(FileError) -> Bool? {
        if object[key] == nil || object[key] == .null { return nil }
        return try bool(key)
    }

    func int(_ key: String, in range: ClosedRange<Int>) throws(FileError) -> Int {
        guard let int = try value(key).int, range.contains(int) else {
            throw wrong(key, "a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return int
    }

    func array(_ key: String) throws(FileError) -> [JSONValue] {
        guard let array = try value(key).array else { throw wrong(key, "an array") }
        return array
    }

    func fields(_ key: String) throws(FileError) -> TokenizerFields {
        try file.fields(object[key], at: "\(path).\(key)")
    }

    func wrong(_ key: String, _ expected: String) -> FileError {
        let found: String =
            switch object[key] {
            case .integer(let value)?: "\(value)"
            case .number(let value)?: "\(value)"
            case .string(let value)?: "\"\(value.prefix(80))\""
            case let value?: value.kind
            case nil: "missing"
            }
        return file.error("\(path).\(key) is \(found); \(expected) is expected")
    }

    private func value(_ key: String) throws(FileError) -> JSONValue {
        guard let value = object[key] else { throw file.error("\(path).\(key) is missing") }
        return value
    }
}
