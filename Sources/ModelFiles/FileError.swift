/// The reason why a file of a model directory, or the directory itself, cannot be used. The message is one sentence
/// that names the tensor or key, what is wrong and what would be right.
public struct FileError: Error, CustomStringConvertible, Sendable, Equatable {
    /// The file at fault, relative to the model directory if that is known.
    public let file: String
    public let message: String

    public init(file: String, _ message: String) {
        self.file = file
        self.message = message
    }

    public var description: String { "\(file): \(message)" }
}
