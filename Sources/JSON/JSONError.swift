/// A syntax error or an exceeded limit in a JSON text, with its position.
public struct JSONError: Error, CustomStringConvertible, Sendable, Equatable {
    /// The byte offset of the error from the start of the text.
    public let offset: Int
    /// The reason as a lowercase phrase, without the offset.
    public let message: String
    /// Whether parsing stopped at the `maxValues` limit; the text itself may be valid JSON.
    public var isTooMany = false
    public var description: String { "\(message) at byte \(offset)" }
}
