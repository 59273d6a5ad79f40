import JSON

/// Why an attention request is refused, in the terms of the HTTP contract.
struct AttentionError: Error, Sendable, Equatable {
    var status: Int
    /// Stable, snake_case.
    var code: String
    /// The field at fault; nil: the request as a whole.
    var param: String?
    var message: String

    init(_ status: Int, _ code: String, param: String?, _ message: String) {
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
