import Diagnostics
import JSON

/// A JSON object file such as config.json. Its errors name the key, the value and what the value should be. A key whose
/// value is null counts as absent, as in transformers.
public struct ConfigurationFile: Sendable {
    public let file: String
    public let object: JSONObject

    public init(file: String, object: JSONObject) {
        self.file = file
        self.object = object
    }

    /// Returns a copy in which `changes` take precedence.
    package func overridden(by changes: JSONObject) -> ConfigurationFile {
        if changes.isEmpty { return self }
        var merged = changes
        for (key, value) in object.members { merged.append(key, value) }
        return ConfigurationFile(file: file, object: merged)
    }

    /// Returns a required whole number within `range`, from the first of `keys` that is present.
    public func int(_ keys: String..., in range: ClosedRange<Int>) throws(FileError) -> Int {
        guard let (key, value) = find(keys) else {
            throw FileError(
                file: file,
                "\(keys.map { "'\($0)'" }.joined(separator: " or ")) is missing; it should be \(wholeNumber(range))")
        }
        return try int(key, value, range)
    }

    /// Returns a whole number within `range`, from the first of `keys` that is present, else the default.
    public func int(_ keys: String..., in range: ClosedRange<Int>, default value: Int) throws(FileError) -> Int {
        guard let (key, found) = find(keys) else { return value }
        return try int(key, found, range)
    }

    public func double(
        _ keys: String..., in range: ClosedRange<Double>, default value: Double
    ) throws(FileError) -> Double {
        guard let (key, found) = find(keys) else { return value }
        guard let number = found.double, range.contains(number) else {
            throw wrong(key, found, "a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    public func bool(_ key: String, default value: Bool) throws(FileError) -> Bool {
        guard let (key, found) = find([key]) else { return value }
        guard let bool = found.bool else { throw wrong(key, found, "true or false") }
        return bool
    }

    /// Returns a string. `nil` if the key is absent or its value null.
    public func string(_ key: String) throws(FileError) -> String? {
        guard let (key, found) = find([key]) else { return nil }
        guard let string = found.string else { throw wrong(key, found, "a string") }
        return string
    }

    /// Returns a case of an enumeration by its raw value. The error for an unknown value lists the known ones.
    public func choice<C: RawRepresentable & CaseIterable>(_ key: String, default value: C) throws(FileError) -> C
    where C.RawValue == String {
        guard let (key, found) = find([key]) else { return value }
        guard let string = found.string, let choice = C(rawValue: string) else {
            throw wrong(key, found, "one of " + C.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", "))
        }
        return choice
    }

    /// Returns an object whose values are strings, such as `{"rnn.weight_ih_l0": "enc_w_ih"}`. Empty if the key is
    /// absent.
    public func strings(_ key: String) throws(FileError) -> [String: String] {
        guard let (key, found) = find([key]) else { return [:] }
        guard let object = found.object else { throw wrong(key, found, "an object of strings") }
        var strings: [String: String] = [:]
        for (name, value) in object.members {
            guard let string = value.string else { throw wrong("\(key).\(name)", value, "a string") }
            strings[name] = string
        }
        return strings
    }

    /// The error for a value that cannot be used.
    public func wrong(_ key: String, _ found: JSONValue, _ expected: String) -> FileError {
        let shown =
            switch found {
            case .integer(let value): "\(value)"
            case .number(let value): "\(value)"
            case .string(let value): quoted(value)
            case .bool(let value): "\(value)"
            default: found.kind
            }
        return FileError(file: file, "'\(key)' is \(shown); it should be \(expected)")
    }

    private func find(_ keys: [String]) -> (key: String, value: JSONValue)? {
        for key in keys {
            if let value = object[key], value != .null { return (key, value) }
        }
        return nil
    }

    private func int(_ key: String, _ value: JSONValue, _ range: ClosedRange<Int>) throws(FileError) -> Int {
        guard let int = value.int, range.contains(int) else { throw wrong(key, value, wholeNumber(range)) }
        return int
    }

    private func wholeNumber(_ range: ClosedRange<Int>) -> String {
        "a whole number from \(range.lowerBound) to \(range.upperBound)"
    }
}

extension ConfigurationFile {
    /// Reads a JSON file that holds one object. `nil` if there is no such file.
    package static func read(_ name: String, in directory: String) throws(FileError) -> ConfigurationFile? {
        guard let bytes = try WholeFile.read(name, in: directory, limit: 1 << 24) else { return nil }
        let value: JSONValue
        do throws(JSONError) { value = try JSONValue(parsing: bytes) } catch {
            throw FileError(file: name, "is not valid JSON: \(error)")
        }
        guard let object = value.object else {
            throw FileError(file: name, "is \(value.kind); it should be an object")
        }
        return ConfigurationFile(file: name, object: object)
    }
}
