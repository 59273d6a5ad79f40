import ArgumentParser
import Glibc
import JSON
import Models
import Server

/// The source of the sequences.
struct InputOptions: ParsableArguments {
    @Flag(help: "Read one sequence per line, from files or standard input.")
    var lines = false
    @Flag(
        help: "Sequences are JSON: texts, token ids, feature vectors, text pairs or arrays of these, as in /v1/encode.")
    var json = false

    /// - Parameter arguments: The sequences, or with `--lines` the files.
    func source(_ arguments: [String], model: Model, threads: Int) throws -> any SequenceSource {
        if lines { return LineSource(files: arguments.isEmpty ? ["-"] : arguments, isJSON: json) }
        var sequences: [JSONValue] = []
        for argument in arguments {
            let text = argument == "-" ? try InputOptions.standardInput() : argument
            sequences += json ? try InputOptions.sequences(of: InputOptions.parse(text), model) : [.string(text)]
        }
        return ArraySource(sequences, threads: threads)
    }

    /// The text of standard input without the newline at its end.
    static func standardInput() throws -> String {
        guard let bytes = Paths.contents(of: STDIN_FILENO) else { throw CommandError("standard input cannot be read") }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw CommandError("standard input is not UTF-8 text")
        }
        return text.hasSuffix("\n") ? String(text.dropLast()) : text
    }

    static func parse(_ text: String) throws(CommandError) -> JSONValue {
        do throws(JSONError) { return try JSONValue(parsing: Array(text.utf8)) } catch {
            throw CommandError("the input is not JSON: \(error)")
        }
    }

    /// The sequences of an array of them; a value that is one sequence itself stays whole.
    static func sequences(of value: JSONValue, _ model: Model) -> [JSONValue] {
        guard case .array(let items) = value, let first = items.first else { return [value] }
        let isMany: Bool
        switch model.description.architecture.input {
        case .tokens: isMany = first.double == nil
        case .features: isMany = first.elements?.first { _ in true }?.isArray == true
        }
        return isMany ? items : [value]
    }
}

/// Consecutive sequences that are computed together.
struct SequenceChunk {
    /// The number of the first sequence, from 0.
    var first: Int
    /// Each of them a text or a JSON value.
    var sequences: [JSONValue]
    /// The part of the source that ends here; `nil` if its size is not known.
    var progress: Double?
}

/// A source of sequences.
protocol SequenceSource {
    /// The word of errors for a sequence: `line` or `sequence`.
    var unit: String { get }
    /// The next sequences; `nil` at the end.
    mutating func next() throws -> SequenceChunk?
}

/// Sequences that are in memory.
struct ArraySource: SequenceSource {
    let unit = "sequence"
    private let sequences: [JSONValue]
    private let chunk: Int
    private var position = 0

    init(_ sequences: [JSONValue], threads: Int) {
        self.sequences = sequences
        chunk = min(SequenceChunk.most, max(1, (sequences.count + threads - 1) / threads))
    }

    mutating func next() -> SequenceChunk? {
        guard position < sequences.count else { return nil }
        let first = position
        position = min(sequences.count, first + chunk)
        return SequenceChunk(
            first: first, sequences: Array(sequences[first..<position]),
            progress: Double(position) / Double(sequences.count))
    }
}

/// The lines of files.
struct LineSource: SequenceSource {
    let unit = "line"
    private let files: [String]
    private let isJSON: Bool
    private var file = 0
    private var reader: LineReader?
    private var count = 0

    init(files: [String], isJSON: Bool) {
        self.files = files
        self.isJSON = isJSON
    }

    mutating func next() throws -> SequenceChunk? {
        var sequences: [JSONValue] = []
        var bytes = 0
        while sequences.count < SequenceChunk.most, bytes < SequenceChunk.mostBytes {
            if reader == nil {
                guard file < files.count else { break }
                reader = try LineReader(files[file])
                file += 1
            }
            guard let line = try reader?.next() else {
                reader = nil
                continue
            }
            let number = count + sequences.count + 1
            guard let text = String(validating: line, as: UTF8.self) else {
                throw CommandError("line \(number) is not UTF-8 text")
            }
            bytes += line.count
            if isJSON {
                do throws(CommandError) { sequences.append(try InputOptions.parse(text)) } catch {
                    throw CommandError("line \(number): \(error)")
                }
            } else {
                sequences.append(.string(text))
            }
        }
        guard !sequences.isEmpty else { return nil }
        defer { count += sequences.count }
        return SequenceChunk(first: count, sequences: sequences, progress: files.count == 1 ? reader?.progress : nil)
    }
}

extension SequenceChunk {
    /// The most sequences of a chunk, and the bytes of text after which it ends.
    static let most = 32
    static let mostBytes = 64 << 10
}

/// A reader of a file, line by line.
final class LineReader {
    private let name: String
    private let descriptor: Int32
    private let size: Int
    private var buffer: [UInt8] = []
    private var position = 0
    private var consumed = 0
    private var isAtEnd = false

    /// - Parameter path: The file; `-` is standard input.
    init(_ path: String) throws {
        name = path == "-" ? "standard input" : path
        descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw CommandError("\(path): cannot be opened: \(String(cString: strerror(errno)))")
        }
        var status = stat()
        size = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG ? Int(status.st_size) : 0
    }

    deinit { if descriptor > STDIN_FILENO { close(descriptor) } }

    /// The part of the file that has been read; `nil` if its size is not known.
    var progress: Double? { size > 0 ? min(1, Double(consumed) / Double(size)) : nil }

    /// The bytes of the next line without its end; `nil` after the last line.
    func next() throws -> [UInt8]? {
        var searched = position
        while true {
            if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                defer {
                    consumed += end + 1 - position
                    position = end + 1
                }
                let last = end > position && buffer[end - 1] == UInt8(ascii: "\r") ? end - 1 : end
                return Array(buffer[position..<last])
            }
            if isAtEnd {
                guard position < buffer.count else { return nil }
                defer { position = buffer.count }
                consumed += buffer.count - position
                return Array(buffer[position...])
            }
            buffer.removeFirst(position)
            position = 0
            searched = buffer.count
            try fill()
        }
    }

    private func fill() throws {
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = read(descriptor, &bytes, bytes.count)
        if count < 0 {
            if errno == EINTR { return }
            throw CommandError("\(name): cannot be read: \(String(cString: strerror(errno)))")
        }
        isAtEnd = count == 0
        buffer += bytes[..<count]
    }
}
