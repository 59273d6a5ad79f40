import Foundation

/// A function that takes arbitrary bytes and checks what untrusted input can break.
///
/// In `make fuzz` libFuzzer generates the inputs. The tests run the stored inputs.
struct FuzzTarget: Sendable {
    let name: String
    /// The length in bytes of the longest input that libFuzzer generates.
    let maxLength: Int
    /// Processes one input, and throws a `Finding` if two results contradict each other.
    ///
    /// libFuzzer and the sanitizer detect traps, out-of-bounds reads and endless loops.
    let run: @Sendable (UnsafeRawBufferPointer) throws -> Void

    static let all: [FuzzTarget] =
        HTTPTargets.all + JSONTargets.all + WeightTargets.all + TokenizerTargets.all + RequestTargets.all
        + ModelTargets.all
}

/// A contradiction between two results for the same input.
struct Finding: Error, CustomStringConvertible {
    let description: String
}

/// Throws a `Finding` with `message` unless `condition` is true.
func check(_ condition: Bool, _ message: @autoclosure () -> String) throws(Finding) {
    if !condition { throw Finding(description: message()) }
}

/// Paths of folders beside the sources of the tests.
enum Folder {
    static let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path
    static let reference = tests + "/Reference/data"
}

/// A reader that turns the bytes of an input into choices. After the last byte it returns zeros.
struct Choices {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isEmpty: Bool { position >= bytes.count }

    /// The bytes that have not been read.
    var rest: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[min(position, bytes.count)...]) }

    mutating func byte() -> Int {
        guard position < bytes.count else { return 0 }
        position += 1
        return Int(bytes[position - 1])
    }

    /// Reads a little-endian number of two bytes, 0 … 65535.
    mutating func word() -> Int { byte() | byte() << 8 }

    /// Reads a number in 0 ..< `count`, or 0 if `count` is 0.
    mutating func below(_ count: Int) -> Int { count > 0 ? word() % count : 0 }

    /// Reads at most `count` bytes as text. Invalid UTF-8 becomes U+FFFD.
    mutating func text(_ count: Int) -> String {
        let end = min(bytes.count, position + count)
        defer { position = max(position, end) }
        return String(decoding: bytes[min(position, end)..<end], as: UTF8.self)
    }
}
