import JSON

/// Why an attention request is refused, in the terms of the HTTP contract.
public struct AttentionError: Error, Sendable, Equatable {
    public var status: Int
    /// Stable, snake_case.
    public var code: String
    /// The field at fault; nil: the request as a whole.
    public var param: String?
    public var message: String

    public init(_ status: Int, _ code: String, param: String?, _ message: String) {
        self.status = status
        self.code = code
        self.param = param
        self.message = message
    }

    static func type(_ param: String, _ expected: String, found value: JSONValue) -> AttentionError {
        AttentionError(400, "invalid_type", param: param, "'\(param)' must be \(expected), not \(value.kind).")
    }

    static func value(_ param: String, _ message: String) -> AttentionError {
        AttentionError(400, "invalid_value", param: param, message)
    }
}
