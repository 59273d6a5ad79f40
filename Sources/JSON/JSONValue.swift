/// A JSON text as a tree of values.
///
/// Numbers keep whether they were written as integers, so an id is never rounded to a double.
public enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    /// A number written without fraction or exponent, within the range of `Int`.
    case integer(Int)
    /// Any other number.
    case number(Double)
    case string(String)
    case array([JSONValue])
    /// A nonempty array that contains only numbers. The parser creates it only with `packingNumbers`.
    case numbers(JSONNumbers)
    case object(JSONObject)

    /// The name of the JSON type with its article, such as "a string", for error messages.
    public var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer, .number: "a number"
        case .string: "a string"
        case .array, .numbers: "an array"
        case .object: "an object"
        }
    }

    public var string: String? { if case .string(let value) = self { value } else { nil } }
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    public var isArray: Bool {
        switch self {
        case .array, .numbers: true
        default: false
        }
    }

    /// The elements of an array; `nil` for other values.
    ///
    /// Each access to a packed array (`.numbers`) builds a new array, many times as large as its text. Code that reads
    /// requests uses `elements` instead.
    public var array: [JSONValue]? {
        switch self {
        case .array(let values): values
        case .numbers(let numbers): numbers.values
        default: nil
        }
    }
    /// The elements of an array as a sequence that unpacks `.numbers` one at a time; `nil` for other values.
    public var elements: JSONElements? {
        switch self {
        case .array(let values): JSONElements(values)
        case .numbers(let numbers): JSONElements(numbers)
        default: nil
        }
    }
    public var object: JSONObject? { if case .object(let value) = self { value } else { nil } }

    /// The value of a whole number in any notation (`2`, `2.0`, `2e0`); `nil` for other values.
    public var int: Int? {
        switch self {
        case .integer(let value): value
        case .number(let value): Int(exactly: value)
        default: nil
        }
    }

    /// The value of a number, rounded to a double; `nil` for other values.
    public var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    /// The value of an object's member; `nil` if there is no such member or this is not an object.
    public subscript(key: String) -> JSONValue? { object?[key] }
}
