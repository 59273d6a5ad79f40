import Server

/// Messages of the API in the words of the commands.
enum OptionMessage {
    /// The fields of the API that are options of commands.
    private static let fields = [
        "output", "layer", "pooling", "normalize", "dimensions", "prompt", "prompt_name", "return_state", "layers",
        "heads", "queries", "head_reduce", "method", "special_tokens", "top_k", "mass", "format", "dtype",
    ]

    /// Returns the message with the names of options in place of those of fields.
    static func of(_ error: APIError) -> String {
        var message = error.message
        for field in fields {
            message = message.replacing("'\(field)'", with: "--" + field.replacing("_", with: "-"))
        }
        return message.replacing("'select' such as {\"top_k\": 16}", with: "--top-k 16")
            .replacing("allow it to be cut with 'truncate': true", with: "leave out --no-truncate, so that it is cut")
    }
}
