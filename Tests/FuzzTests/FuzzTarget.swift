import Foundation

/// What a fuzzer runs on every input: in `make fuzz` libFuzzer invents them, the tests run those that are kept.
struct FuzzTarget: Sendable {
    let name: String
    /// Bytes of the longest input worth trying.
    let maxLength: Int
    /// Reads bytes nobody trusts. Throws a `Finding` where what came of them contradicts itself; traps, reads beyond
    /// bounds and endless loops are found by libFuzzer and the sanitizer.
    let run: @Sendable (UnsafeRawBufferPointer) throws -> Void

    static let all: [FuzzTarget] =
        HTTPTargets.all + JSONTargets.all + WeightTargets.all + TokenizerTargets.all + RequestTargets.all
        + ModelTargets.all
}

/// A contradiction between two things that were said of one input.
struct Finding: Error, CustomStringConvertible {
    let description: String
}

func check(_ condition: Bool, _ message: @autoclosure () -> String) throws(Finding) {
    if !condition { throw Finding(description: message()) }
}

/// Files beside the tests' sources.
enum Folder {
    static let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path
    static let reference = tests + "/Reference/data"
}

/// An input read as choices: bytes while there are some, then zeros.
struct Choices {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isEmpty: Bool { position >= bytes.count }

    /// What has not been read.
    var rest: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[min(position, bytes.count)...]) }

    mutating func byte() -> Int {
        guard position < bytes.count else { return 0 }
        position += 1
        return Int(bytes[position - 1])
    }

    mutating func word() -> Int { byte() | byte() << 8 }

    /// - Returns: 0 ..< count; 0 where count is 0.
    mutating func below(_ count: Int) -> Int { count > 0 ? word() % count : 0 }

    mutating func text(_ count: Int) -> String {
        let end = min(bytes.count, position + count)
        defer { position = max(position, end) }
        return String(decoding: bytes[min(position, end)..<end], as: UTF8.self)
    }
}
