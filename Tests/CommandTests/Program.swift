import Foundation
import Synchronization
import Testing

/// The built executable, run as a user would.
struct Program {
    struct Outcome {
        var code: Int32
        /// It was ended by a signal: a trap, in the main.
        var crashed: Bool
        var bytes: Data
        var errors: String

        var output: String { String(decoding: bytes, as: UTF8.self) }
    }

    /// Beside the test bundle.
    static let path = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
        .deletingLastPathComponent().appendingPathComponent("encoderd").path

    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    static func model(_ name: String) -> String { "\(root)/models/\(name)" }

    /// - Parameter limit: what the shell's `ulimit` is to be told first, such as `-n 60`.
    static func process(_ arguments: [String], environment: [String: String], limit: String? = nil) -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: limit == nil ? path : "/bin/sh")
        process.arguments = limit.map { ["-c", "ulimit \($0) && exec \"$0\" \"$@\"", path] + arguments } ?? arguments
        var all = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("ENCODERD_") }
        all["SWIFT_BACKTRACE"] = "enable=no"
        for (name, value) in environment { all[name] = value }
        process.environment = all
        return process
    }

    /// Runs it to its end.
    /// - Parameter directory: The working directory; `nil` if it is that of the tests.
    static func run(
        _ arguments: [String], environment: [String: String] = [:], input: String = "", directory: String? = nil
    ) throws -> Outcome {
        let process = process(arguments, environment: environment)
        if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
        return try finish(process, input: input)
    }

    /// Runs a process to its end.
    /// - Parameter output: Its standard output; `nil` if that is returned.
    static func finish(_ process: Process, input: String = "", output: Any? = nil) throws -> Outcome {
        let files = try [TemporaryFile(), TemporaryFile(), TemporaryFile(input)]
        process.standardOutput = try output ?? FileHandle(forWritingTo: files[0].url)
        process.standardError = try FileHandle(forWritingTo: files[1].url)
        process.standardInput = try FileHandle(forReadingFrom: files[2].url)
        try process.run()
        process.waitUntilExit()
        return Outcome(
            code: process.terminationStatus, crashed: process.terminationReason == .uncaughtSignal,
            bytes: try Data(contentsOf: files[0].url), errors: try files[1].text())
    }
}

/// A file that is removed when no longer used.
final class TemporaryFile {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("encoderd-test-\(UUID().uuidString)")

    init(_ text: String = "") throws { try Data(text.utf8).write(to: url) }
    deinit { try? FileManager.default.removeItem(at: url) }

    func text() throws -> String { String(decoding: try Data(contentsOf: url), as: UTF8.self) }
}

/// A folder that is removed when no longer used.
final class TemporaryFolder {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("encoderd-test-\(UUID().uuidString)")
    var path: String { url.path }

    init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }

    /// A path where nothing is yet.
    static func unmade() -> String {
        FileManager.default.temporaryDirectory.appendingPathComponent("encoderd-test-\(UUID().uuidString)").path
    }
    deinit { try? FileManager.default.removeItem(at: url) }

    func write(_ name: String, _ bytes: some Sequence<UInt8>) throws {
        try Data(bytes).write(to: url.appendingPathComponent(name))
    }

    func link(_ name: String, to path: String) throws {
        try FileManager.default.createSymbolicLink(
            atPath: url.appendingPathComponent(name).path, withDestinationPath: path)
    }
}

/// Servers that are still to be ended: those that tests share live until the test process exits.
private let runningServers = Mutex<Set<pid_t>>([])
private let endsServersAtExit: Void = {
    atexit { runningServers.withLock { for process in $0 { kill(process, SIGKILL) } } }
}()

/// A server process on a free port.
final class RunningServer: @unchecked Sendable {
    let process: Process
    let port: Int
    private let log: TemporaryFile

    init(_ arguments: [String], environment: [String: String] = [:], limit: String? = nil) throws {
        log = try TemporaryFile()
        process = Program.process(
            ["serve"] + arguments, environment: ["ENCODERD_PORT": "0"].merging(environment) { $1 }, limit: limit)
        process.standardOutput = FileHandle.nullDevice
        process.standardError = try FileHandle(forWritingTo: log.url)
        try process.run()
        _ = endsServersAtExit
        let identifier = process.processIdentifier
        runningServers.withLock { _ = $0.insert(identifier) }
        var found: Int?
        for _ in 0..<1500 where found == nil && process.isRunning {
            usleep(10_000)
            found = try log.text().split(separator: "\n").last { $0.contains("listening on http://") }
                .flatMap { $0.split(separator: ",").first?.split(separator: ":").last }.flatMap { Int($0) }
        }
        guard let found else {
            process.terminate()
            throw ServerFailure(log: try log.text())
        }
        port = found
    }

    deinit {
        let identifier = process.processIdentifier
        if process.isRunning { kill(identifier, SIGKILL) }
        runningServers.withLock { _ = $0.remove(identifier) }
    }

    func logText() throws -> String { try log.text() }

    struct ServerFailure: Error { let log: String }

    struct Answer {
        var status: Int
        var headers: [String: String]
        var body: Data

        func json() throws -> [String: Any] {
            try #require(JSONSerialization.jsonObject(with: body) as? [String: Any])
        }
    }

    func get(_ target: String, accept: String? = nil) throws -> Answer {
        try exchange(
            "GET \(target) HTTP/1.1\r\nHost: test\r\n\(accept.map { "Accept: \($0)\r\n" } ?? "")", body: Data())
    }

    func post(_ target: String, _ json: String, headers: String = "") throws -> Answer {
        let body = Data(json.utf8)
        return try exchange(
            "POST \(target) HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n\(headers)Content-Length: \(body.count)\r\n",
            body: body)
    }

    func post(_ target: String, _ object: [String: Any]) throws -> Answer {
        try post(target, String(decoding: try JSONSerialization.data(withJSONObject: object), as: UTF8.self))
    }

    /// Sends a request on a connection of its own.
    func exchange(_ head: String, body: Data) throws -> Answer {
        let descriptor = try open()
        defer { close(descriptor) }
        return try RunningServer.finish(descriptor, Data((head + "Connection: close\r\n\r\n").utf8) + body)
    }

    func open() throws -> Int32 { try RunningServer.open(port: port) }

    static func open(port: Int) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var timeout = timeval(tv_sec: 120, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(status == 0, "connect: \(errno)")
        return descriptor
    }

    static func send(_ descriptor: Int32, _ bytes: Data) {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count <= 0 { return }
            rest = Data(rest.dropFirst(count))
        }
    }

    /// Sends a request that has a small answer, and reads its status; the connection stays open.
    static func next(_ descriptor: Int32, _ bytes: Data) throws -> Int? {
        send(descriptor, bytes)
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count > 12 ? Int(String(decoding: buffer[9..<12], as: UTF8.self)) : nil
    }

    /// Sends, and reads until the server closes.
    static func finish(_ descriptor: Int32, _ bytes: Data) throws -> Answer {
        send(descriptor, bytes)
        return try answer(readAll(descriptor))
    }

    /// All answers until the server closes, each with its Content-Length.
    static func finishAll(_ descriptor: Int32) throws -> [Answer] {
        var rest = readAll(descriptor)
        var answers: [Answer] = []
        while !rest.isEmpty {
            var next = try answer(rest)
            let length = try #require(next.headers["content-length"].flatMap { Int($0) })
            try #require(next.body.count >= length)
            rest = Data(next.body.dropFirst(length))
            next.body = next.body.prefix(length)
            answers.append(next)
        }
        return answers
    }

    private static func readAll(_ descriptor: Int32) -> Data {
        var received = Data()
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count <= 0 { return received }
            received.append(contentsOf: buffer[..<count])
        }
    }

    private static func answer(_ received: Data) throws -> Answer {
        let end = try #require(received.firstRange(of: Data("\r\n\r\n".utf8)), "no answer")
        let lines = String(decoding: received[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
        }
        let status = try #require(lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) })
        var body = Data(received[end.upperBound...])
        if headers["transfer-encoding"] == "chunked" { body = unchunked(body) }
        return Answer(status: status, headers: headers, body: body)
    }

    private static func unchunked(_ bytes: Data) -> Data {
        var whole = Data()
        var rest = bytes
        while let line = rest.firstRange(of: Data("\r\n".utf8)) {
            let size = Int(String(decoding: rest[..<line.lowerBound], as: UTF8.self), radix: 16) ?? 0
            if size == 0 { break }
            whole.append(rest[line.upperBound..<(line.upperBound + size)])
            rest = Data(rest[(line.upperBound + size + 2)...])
        }
        return whole
    }
}
