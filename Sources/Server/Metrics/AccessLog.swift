import Concurrency
import Dispatch
import Glibc
import HTTP

/// A log with one line for each request, in the form of the other lines of the log:
/// `2026-11-25T05:54:35+0000 info encoderd: POST /v1/encode 200 ms=12.3 queue=0.1 infer=11.9 in=431 out=8340 id=…`,
/// with times in milliseconds. `out=stream` means that the length was not known when the response began.
///
/// Lines are collected for some milliseconds and written together on a queue of their own, so that a slow terminal or pipe
/// delays no request. If it falls too far behind, lines are dropped and counted. Logging each line on its own took as long
/// as the rest of a short response (ARCHITECTURE.md).
public final class AccessLog: Sendable {
    struct Entry: Sendable {
        var method: String
        var path: String
        var status: Int
        var total: Duration
        var timing: ServerTiming
        var bytesIn: Int
        /// The bytes of the body; `nil` if it is streamed.
        var bytesOut: Int?
        var id: String
    }

    private struct State {
        var lines: [UInt8] = []
        var isGoingToWrite = false
        var lost = 0
        var stamp = LogStamp()
    }

    private let write: @Sendable (UnsafeRawBufferPointer) -> Void
    private let queue = DispatchQueue(label: "encoderd.access-log")
    private let state = Locked(State())
    private let maxWaitingBytes: Int
    private static let gatherSeconds = 0.005

    /// - Parameters:
    ///   - maxWaitingBytes: The most bytes of lines that wait to be written.
    ///   - write: Writes whole lines; may block.
    public init(maxWaitingBytes: Int = 1 << 20, write: @escaping @Sendable (UnsafeRawBufferPointer) -> Void) {
        self.maxWaitingBytes = maxWaitingBytes
        self.write = write
    }

    /// Makes a log that writes to a descriptor, such as that of standard error, until it is closed.
    public convenience init(maxWaitingBytes: Int = 1 << 20, descriptor: Int32) {
        self.init(maxWaitingBytes: maxWaitingBytes) { lines in
            // Writes of at most this size are atomic in a pipe (pipe(7)).
            let atomic = Int(PIPE_BUF)
            var rest = lines[...]
            while !rest.isEmpty {
                let piece = rest.prefix(atomic)
                let end =
                    piece.count < rest.count ? (piece.lastIndex(of: 0x0A) ?? piece.endIndex - 1) + 1 : piece.endIndex
                guard Self.writeAll(UnsafeRawBufferPointer(rebasing: rest[..<end]), to: descriptor) else { return }
                rest = rest[end...]
            }
        }
    }

    private static func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
            if count > 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            } else if errno == EAGAIN {
                var wanted = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&wanted, 1, -1)
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }

    func record(_ entry: Entry) {
        let mustWrite = state.withLock { state in
            if state.lines.count >= maxWaitingBytes {
                state.lost += 1
                return false
            }
            state.stamp.append("info", to: &state.lines)
            AccessLog.append(entry, to: &state.lines)
            defer { state.isGoingToWrite = true }
            return !state.isGoingToWrite
        }
        if mustWrite { queue.asyncAfter(deadline: .now() + AccessLog.gatherSeconds) { [self] in writeLines() } }
    }

    /// Waits until the lines so far are written.
    public func flush() { queue.sync { writeLines() } }

    private func writeLines() {
        let lines = state.withLock { state in
            state.isGoingToWrite = false
            if state.lost > 0 {
                state.stamp.append("warning", to: &state.lines)
                state.lines += Array(
                    "\(state.lost) requests are missing in this log: it is written too slowly\n".utf8)
                state.lost = 0
            }
            defer { state.lines = [] }
            return state.lines
        }
        if !lines.isEmpty { lines.withUnsafeBytes(write) }
    }

    // MARK: Lines

    static func append(_ entry: Entry, to line: inout [UInt8]) {
        appendShown(entry.method, to: &line)
        line.append(0x20)
        appendShown(entry.path, to: &line)
        line.append(0x20)
        line.append(decimal: entry.status)
        line.append(contentsOf: " ms=".utf8)
        entry.total.appendMilliseconds(to: &line)
        line.append(contentsOf: " queue=".utf8)
        entry.timing.queue.appendMilliseconds(to: &line)
        line.append(contentsOf: " infer=".utf8)
        entry.timing.infer.appendMilliseconds(to: &line)
        line.append(contentsOf: " in=".utf8)
        line.append(decimal: entry.bytesIn)
        line.append(contentsOf: " out=".utf8)
        if let out = entry.bytesOut { line.append(decimal: out) } else { line.append(contentsOf: "stream".utf8) }
        line.append(contentsOf: " id=".utf8)
        line.append(contentsOf: entry.id.utf8)
        line.append(0x0A)
    }

    /// Appends a client's word: at most 200 bytes, with characters escaped that could end the line or the word.
    private static func appendShown(_ text: String, to line: inout [UInt8]) {
        for byte in text.utf8.prefix(200) {
            if (0x21...0x7E).contains(byte), byte != 0x25 {
                line.append(byte)
            } else {
                line.append(0x25)
                line.append(hexDigit: byte >> 4)
                line.append(hexDigit: byte & 15)
            }
        }
    }
}

/// The beginning of a line: the local time to the second, formatted once a second, and the level.
private struct LogStamp {
    private var second = -1
    private var time: [UInt8] = []

    mutating func append(_ level: String, to line: inout [UInt8]) {
        let now = Glibc.time(nil)
        if now != second { makeTime(now) }
        line.append(contentsOf: time)
        line.append(contentsOf: level.utf8)
        line.append(contentsOf: " encoderd: ".utf8)
    }

    private mutating func makeTime(_ now: time_t) {
        var (now, parts) = (now, tm())
        localtime_r(&now, &parts)
        time = [UInt8](unsafeUninitializedCapacity: 64) { buffer, count in
            buffer.withMemoryRebound(to: CChar.self) {
                count = strftime($0.baseAddress, 64, "%Y-%m-%dT%H:%M:%S%z ", &parts)
            }
        }
        second = now
    }
}
