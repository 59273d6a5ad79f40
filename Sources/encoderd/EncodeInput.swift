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
        if lines {
            var source = LineSource(files: arguments.isEmpty ? ["-"] : arguments, isJSON: json)
            return source.shared(among: threads)
        }
        var sequences: [JSONValue] = []
        for argument in arguments {
            let text = argument == "-" ? try InputOptions.standardInput() : argument
            sequences += json ? try CallInput.sequences(of: InputOptions.parse(text), for: model) : [.string(text)]
        }
        return ArraySource(sequences, unit: "sequence", threads: threads)
    }

    /// Returns the text of standard input without the newline at its end.
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
    /// The number of chunks; `nil` if it is not known.
    var chunkCount: Int? { get }
    /// Whether errors say which sequence is meant.
    var isNumbered: Bool { get }
    /// Returns the next sequences; `nil` at the end.
    mutating func next() throws -> SequenceChunk?
}

/// Sequences that are in memory.
struct ArraySource: SequenceSource {
    let unit: String
    private let sequences: [JSONValue]
    private let chunk: Int
    private var position = 0

    /// - Parameter threads: The number of threads among which the sequences are divided.
    init(_ sequences: [JSONValue], unit: String, threads: Int) {
        self.sequences = sequences
        self.unit = unit
        chunk = min(SequenceChunk.most, max(1, (sequences.count + threads - 1) / threads))
    }

    var chunkCount: Int? { (sequences.count + chunk - 1) / chunk }
    var isNumbered: Bool { unit == "line" || sequences.count > 1 }

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
    let chunkCount: Int? = nil
    let isNumbered = true
    private let files: [String]
    private let isJSON: Bool
    /// The bytes of all files; `nil` if that of one is not known.
    private let size: Int?
    private var file = 0
    private var reader: LineReader?
    /// The bytes of the files that are read to their ends.
    private var finished = 0
    private var count = 0
    /// Chunks that `shared` has read.
    private var ahead: [SequenceChunk] = []
    /// The error behind the last chunk.
    private var failure: (any Error)?

    init(files: [String], isJSON: Bool) {
        self.files = files
        self.isJSON = isJSON
        size = files.reduce(0) { sum, file in sum.flatMap { sum in LineReader.size(of: file).map { sum + $0 } } }
    }

    /// Returns the source of these lines for several threads. Lines that are fewer than a chunk per thread are divided among
    /// all threads.
    mutating func shared(among threads: Int) -> any SequenceSource {
        var chunks: [SequenceChunk] = []
        while chunks.count < threads, failure == nil {
            do {
                guard let chunk = try next() else {
                    return ArraySource(chunks.flatMap(\.sequences), unit: unit, threads: threads)
                }
                chunks.append(chunk)
            } catch { failure = error }
        }
        ahead = chunks
        return self
    }

    mutating func next() throws -> SequenceChunk? {
        if !ahead.isEmpty { return ahead.removeFirst() }
        if let failure { throw failure }
        var sequences: [JSONValue] = []
        // The lines before a bad one are a chunk of their own.
        do { try read(&sequences) } catch {
            if sequences.isEmpty { throw error }
            failure = error
        }
        guard !sequences.isEmpty else { return nil }
        defer { count += sequences.count }
        return SequenceChunk(first: count, sequences: sequences, progress: progress)
    }

    /// The part of all files that has been read; `nil` if their size is not known.
    private var progress: Double? {
        guard let size, size > 0 else { return nil }
        return min(1, Double(finished + (reader?.consumed ?? 0)) / Double(size))
    }

    /// Reads the lines of the next chunk.
    private mutating func read(_ sequences: inout [JSONValue]) throws {
        var bytes = 0
        while sequences.count < SequenceChunk.most, bytes < SequenceChunk.mostBytes {
            if reader == nil {
                guard file < files.count else { break }
                reader = try LineReader(files[file])
                file += 1
            }
            guard let line = try reader?.next() else {
                finished += reader?.consumed ?? 0
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
    private var buffer: [UInt8] = []
    private var position = 0
    /// The bytes of the lines that have been returned.
    private(set) var consumed = 0
    private var isAtEnd = false

    /// - Parameter path: The file; `-` is standard input.
    init(_ path: String) throws {
        name = path == "-" ? "standard input" : path
        descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw CommandError("\(path): cannot be opened: \(String(cString: strerror(errno)))")
        }
    }

    deinit { if descriptor > STDIN_FILENO { close(descriptor) } }

    /// Returns the bytes of a file, or of standard input for `-`; `nil` if it is no regular file.
    static func size(of path: String) -> Int? {
        var status = stat()
        let code = path == "-" ? fstat(STDIN_FILENO, &status) : stat(path, &status)
        return code == 0 && status.st_mode & S_IFMT == S_IFREG ? Int(status.st_size) : nil
    }

    /// Returns the bytes of the next line without its end; `nil` after the last line.
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
