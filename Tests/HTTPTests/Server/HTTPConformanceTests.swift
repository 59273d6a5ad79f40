import Dispatch
import Glibc
import Synchronization
import Testing

@testable import HTTP

/// Every case of HTTPParserCase over a real socket, sent whole and byte by byte: the first answer, and whether the
/// connection ends after it.
@Suite struct HTTPConformanceTests {
    /// A handler that answers with the request line and body.
    private struct Mirror: RequestHandler, AcceptedRequest {
        func begin(_ head: HTTPRequest) -> RequestDecision { .accept(self, maxBodyBytes: nil) }

        func handle(_ request: HTTPRequest, _ writer: any ResponseWriter) {
            let line = "\(request.method) \(request.path)" + (request.query.map { " ?\($0)" } ?? "")
            writer.respond(TestHandler.text(Array(line.utf8) + [0x0A] + request.body))
        }

        func failure(status: Int, code: String, message: String, path: String?) -> HTTPResponse {
            HTTPResponse(status: status, body: [ArraySegment(Array("\(code): \(message)".utf8))])
        }
    }

    @Test(arguments: [false, true], [Int.max, 1])
    func everyCaseOverASocket(isEncrypted: Bool, bytesAtATime step: Int) throws {
        let server = HTTPServer(handler: Mirror())
        if isEncrypted { try server.useTLS(TestCertificates.server) }
        let port = try server.start(host: "127.0.0.1", port: 0)
        for one in try HTTPParserCase.all.get() {
            try check(one, step, TestClient(port: port, tls: isEncrypted ? TestTLS.Options() : nil))
        }
        let done = DispatchSemaphore(value: 0)
        server.drain(deadlineSeconds: 0) { done.signal() }
        #expect(done.wait(timeout: .now() + 5) == .success)
    }

    private func check(_ one: HTTPParserCase, _ step: Int, _ client: TestClient) throws {
        let label = Comment(rawValue: one.testDescription)
        do {
            try send(one.input, step, client)
            if case .incomplete = one.expected { client.shutdownWriting() }
            let isHead = one.input.starts(with: Array("HEAD ".utf8))
            var answer = try client.receive(head: isHead)
            // Asked for, and sent where the body is not there yet.
            if answer.status == 100, step < one.input.count { answer = try client.receive(head: isHead) }
            switch one.expected {
            case .status(let status):
                #expect(answer.status == status, label)
                #expect(answer.headers["connection"] == "close", label)
                #expect(try client.isEnded(), label)
            case .incomplete:
                #expect(answer.status == 400, label)
                #expect(try client.isEnded(), label)
            case .request(let line, let body, _):
                #expect(answer.status == 200, label)
                if !isHead { #expect(answer.body == line + [0x0A] + body, label) }
            }
        } catch {
            Issue.record("\(one.testDescription): \(error)")
        }
    }

    /// Each piece is a packet of its own, which the server reads before the next is sent, or with some of its neighbors.
    private func send(_ bytes: [UInt8], _ step: Int, _ client: TestClient) throws {
        guard step < bytes.count else { return try client.send(bytes) }
        for start in stride(from: 0, to: bytes.count, by: step) {
            do {
                try client.send(Array(bytes[start..<min(bytes.count, start + step)]))
            } catch TestClient.ClientError.system {
                // The server has answered what came so far, and waits for no more.
                return
            }
        }
    }
}
