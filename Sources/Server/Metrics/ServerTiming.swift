/// The time that each stage of a request took.
struct ServerTiming: Sendable, Equatable {
    var tokenize = Duration.zero
    var queue = Duration.zero
    var infer = Duration.zero
    var serialize = Duration.zero

    /// The value of a `Server-Timing` header (https://www.w3.org/TR/server-timing/), in milliseconds.
    var field: String {
        if self == ServerTiming() { return ServerTiming.none }
        return text
    }

    /// The value for the many responses that need no work.
    private static let none = ServerTiming().text

    private var text: String {
        var text: [UInt8] = []
        text.reserveCapacity(96)
        func add(_ name: String, _ duration: Duration) {
            text.append(contentsOf: name.utf8)
            duration.appendMilliseconds(to: &text)
        }
        add("tokenize;dur=", tokenize)
        add(", queue;dur=", queue)
        add(", infer;dur=", infer)
        add(", serialize;dur=", serialize)
        return String(decoding: text, as: UTF8.self)
    }
}
