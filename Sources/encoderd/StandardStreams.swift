import Glibc

/// The standard output of a command. Every write is checked: output that is lost is an error.
enum StandardOutput {
    /// Whether it is a terminal.
    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    /// Writes a line.
    static func line(_ text: String) throws(CommandError) { try write(Array((text + "\n").utf8)) }

    /// Writes all of `bytes`.
    static func write(_ bytes: [UInt8]) throws(CommandError) {
        let code = bytes.withUnsafeBytes { writeAll($0, to: STDOUT_FILENO) }
        guard code == 0 else { throw failure(code) }
    }

    /// Writes all of `bytes`.
    static func write(_ bytes: UnsafeRawBufferPointer) throws(CommandError) {
        let code = writeAll(bytes, to: STDOUT_FILENO)
        guard code == 0 else { throw failure(code) }
    }

    /// Closes it: some file systems report only then that there was no room.
    static func close() throws(CommandError) {
        guard Glibc.close(STDOUT_FILENO) == 0 || errno == EBADF || errno == EINTR else { throw failure(errno) }
    }

    private static func failure(_ code: Int32) -> CommandError {
        CommandError("cannot write to standard output: \(String(cString: strerror(code)))")
    }
}

/// The standard error of a command.
enum StandardError {
    /// Whether it is a terminal.
    static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// Writes a line, if that is possible.
    static func line(_ text: String) { write(text + "\n") }

    static func write(_ text: String) {
        var text = text
        text.withUTF8 { _ = writeAll(UnsafeRawBufferPointer($0), to: STDERR_FILENO) }
    }
}

/// Writes all bytes to a descriptor.
/// - Returns: 0, or the error of write(2).
private func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int32 {
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
        if count < 0 {
            if errno == EINTR { continue }
            return errno
        }
        rest = rest.dropFirst(count)
    }
    return 0
}
