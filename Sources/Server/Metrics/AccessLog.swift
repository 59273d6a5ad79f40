import Dispatch
import Logging
import Synchronization

/// One line a request, at info level: `POST /v1/encode 200 ms=12.3 queue=0.1 infer=11.9 in=431 out=8340 id=…`, with
/// times in milliseconds. `out=stream` where the length was not known when the answer began.
///
/// Lines are written on a queue of their own, so that a slow terminal or pipe keeps nobody waiting; when it falls too far
/// behind, lines are left out and counted.
public final class AccessLog: Sendable {
    struct Entry: Sendable {
        var method: String
        var path: String
        var status: Int
        var total: Duration
        var timing: ServerTiming
        var bytesIn: Int
        /// nil: streamed.
        var bytesOut: Int?
        var id: String
    }

    private let logger: Logger
    private let queue = DispatchQueue(label: "encoderd.access-log", qos: .utility)
    private let waiting = Atomic(0)
    private let dropped = Atomic(0)
    private let maxWaiting: Int

    public init(_ logger: Logger, maxWaiting: Int = 4096) {
        self.logger = logger
        self.maxWaiting = maxWaiting
    }

    /// Whether lines appear at all: at a level above info none does.
    var isEnabled: Bool { logger.logLevel <= .info }

    func record(_ entry: Entry) {
        guard isEnabled else { return }
        guard waiting.add(1, ordering: .relaxed).newValue <= maxWaiting else {
            waiting.subtract(1, ordering: .relaxed)
            dropped.add(1, ordering: .relaxed)
            return
        }
        queue.async { [self] in
            let lost = dropped.exchange(0, ordering: .relaxed)
            if lost > 0 { logger.warning("\(lost) requests are missing in this log: it is written too slowly") }
            logger.info("\(AccessLog.line(entry))")
            waiting.subtract(1, ordering: .relaxed)
        }
    }

    /// Waits for the lines so far.
    public func flush() { queue.sync {} }

    static func line(_ entry: Entry) -> String {
        let out = entry.bytesOut.map(String.init) ?? "stream"
        return "\(shown(entry.method)) \(shown(entry.path)) \(entry.status) ms=\(entry.total.shownMilliseconds) "
            + "queue=\(entry.timing.queue.shownMilliseconds) infer=\(entry.timing.infer.shownMilliseconds) in=\(entry.bytesIn) out=\(out) "
            + "id=\(entry.id)"
    }

    /// A client's word in a line of ours: at most 200 bytes, without what could end the line or look like its next word.
    private static func shown(_ text: String) -> String {
        let bytes = text.utf8.prefix(200)
        if bytes.allSatisfy({ (0x21...0x7E).contains($0) && $0 != 0x25 }) {
            return String(text.utf8.prefix(200)) ?? "-"
        }
        return bytes.reduce(into: "") { line, byte in
            if (0x21...0x7E).contains(byte), byte != 0x25 {
                line.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                line += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
    }
}
