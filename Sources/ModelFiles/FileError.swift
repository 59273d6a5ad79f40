/// Why a model directory or one of its files cannot be used: one sentence that names the file, the tensor or key, what
/// was wrong and what would be right.
public struct FileError: Error, CustomStringConvertible, Sendable, Equatable {
    /// The file at fault, relative to the model directory where that is known.
    public let file: String
    public let message: String

    public init(file: String, _ message: String) {
        self.file = file
        self.message = message
    }

    public var description: String { "\(file): \(message)" }
}
