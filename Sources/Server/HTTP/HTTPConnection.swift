import CSystem
import Dispatch
import Glibc

/// One client: reads a request, hands it over, writes its answer, and so on. Every property belongs to the server's loop
/// queue, and every entry checks that it is on it: that, and not the compiler, makes this class safe to send.
final class HTTPConnection: @unchecked Sendable {
    enum State {
        case reading
        /// A request is with the handler.
        case handling
        case writing
        /// The last answer is written and the write side shut; what still comes is dropped.
        case lingering
        case closed
    }

    let descriptor: Int32
    /// Tells this connection from an earlier one of the same descriptor.
    let generation: UInt32
    private(set) var state = State.reading
    /// In ticks of the server's clock; `Int.max` for none.
    private(set) var deadline = Int.max
    /// Where the server's timer wheel holds this connection.
    var wheelTick = Int.max

    private let server: HTTPServer
    private let transport: PlainTransport
    private var limits: HTTPLimits { server.limits }
    private var parser: HTTPParser
    private var input: [UInt8] = []
    private var inputOffset = 0
    private var output = OutputQueue()
    private var interest: UInt32 = 0
    private var peerEnded = false
    private var closeAfterAnswer = false
    private var requestNumber: UInt64 = 0
    /// What the answer's form depends on, of the request that is being answered.
    private var answering = (method: "", minorVersion: 1)
    private var cancellation: CancellationFlag?
    /// What makes the rest of the answer that is being written.
    private var stream: (any BodyStream)?
    private var awaitsPiece = false
    private var bodyStart = 0.0
    private var lingeredBytes = 0

    init(descriptor: Int32, generation: UInt32, server: HTTPServer) {
        self.descriptor = descriptor
        self.generation = generation
        self.server = server
        transport = PlainTransport(descriptor: descriptor)
        parser = HTTPParser(limits: server.limits)
    }

    /// Whether no request has begun.
    var isIdle: Bool { state == .reading && parser.phase == .start && inputOffset == input.count }
    var hasServed: Bool { requestNumber > 0 }

    func open() {
        server.assertOnLoop()
        setDeadline(limits.firstByteSeconds)
        updateInterest()
    }

    /// Answers 503 to a connection over the cap, whatever it asks.
    func refuse() {
        server.assertOnLoop()
        fail(HTTPParseError(503, "too_many_connections", "The server has as many connections as it takes."))
        updateInterest()
    }

    func handleEvents(_ events: UInt32) {
        server.assertOnLoop()
        // EPOLLHUP is a reset, or both sides shut: no answer can arrive any more.
        if events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 { return close() }
        if events & EPOLLIN.rawValue != 0 { readAvailable() }
        if events & EPOLLOUT.rawValue != 0 { flush() }
        updateInterest()
    }

    // MARK: Reading

    private var wantsToRead: Bool {
        if peerEnded { return false }
        switch state {
        case .reading, .lingering: return true
        case .handling, .writing: return input.count - inputOffset < limits.maxReadAheadBytes
        case .closed: return false
        }
    }

    /// Reads until nothing is left, or a fair share: epoll is level-triggered and reports the rest again.
    func readAvailable() {
        var share = 16
        while wantsToRead, share > 0 {
            share -= 1
            switch transport.read(into: server.readBuffer) {
            case .bytes(let count):
                if state == .lingering {
                    lingeredBytes += count
                    if lingeredBytes > limits.lingerBytes { return close() }
                } else {
                    input.append(contentsOf: server.readBuffer.prefix(count))
                    processInput()
                }
            case .end:
                peerEnded = true
                if state == .lingering { return close() }
                processInput()
            case .wouldBlock:
                return
            case .failed:
                return close()
            }
        }
    }

    private func processInput() {
        while state == .reading, inputOffset < input.count {
            let before = parser.phase
            do throws(HTTPParseError) {
                let used = try input.withUnsafeBufferPointer { (bytes) throws(HTTPParseError) in
                    try parser.parse(UnsafeBufferPointer(rebasing: bytes[inputOffset...]))
                }
                inputOffset += used
            } catch {
                return fail(error)
            }
            advance(from: before)
        }
        if inputOffset == input.count {
            input.removeAll(keepingCapacity: input.capacity <= 128 << 10 && state != .handling)
            inputOffset = 0
        } else if inputOffset >= 64 << 10 {
            input.removeSubrange(..<inputOffset)
            inputOffset = 0
        }
        if state == .reading, peerEnded {
            if parser.phase == .start { return close() }
            fail(HTTPParseError(400, "incomplete_request", "The connection ended before the request did."))
        }
    }

    private func advance(from before: HTTPParser.Phase) {
        switch parser.phase {
        case .complete:
            dispatch()
        case .body:
            if before != .body {
                bodyStart = server.now
                if parser.expectsContinue, inputOffset == input.count {
                    output.append(ArraySegment(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)))
                    flush()
                }
            }
            if state == .reading { setBodyDeadline() }
        case .requestLine, .fields:
            if before == .start { setDeadline(limits.headSeconds) }
        case .start:
            break
        }
    }

    /// The earlier of: no byte for a while; the bytes so far are slower than the least rate.
    private func setBodyDeadline() {
        let rate = limits.minimumBodyRate > 0 ? Double(parser.body.count) / limits.minimumBodyRate : .infinity
        setDeadline(min(limits.bodyIdleSeconds, bodyStart + limits.bodyIdleSeconds + rate - server.now))
    }

    private func dispatch() {
        state = .handling
        deadline = .max
        requestNumber += 1
        closeAfterAnswer = !parser.keepAlive
        let flag = CancellationFlag()
        cancellation = flag
        let writer = HTTPResponseWriter(
            queue: server.queue, connection: self, requestNumber: requestNumber, cancellation: flag)
        let request = parser.request
        let (method, minorVersion) = (parser.method, parser.minorVersion)
        // The request is the handler's alone now.
        parser = HTTPParser(limits: limits)
        answering = (method, minorVersion)
        server.handler.handle(request, writer)
    }

    // MARK: Answering

    func answer(_ response: HTTPResponse, to number: UInt64) {
        server.assertOnLoop()
        guard state == .handling, number == requestNumber else { return }
        send(response)
        updateInterest()
    }

    /// The handler let go of a request without a word.
    func answerMissing(to number: UInt64) {
        answer(
            server.handler.failure(
                status: 500, code: "internal_error", message: "The server made no answer to this request."),
            to: number)
    }

    private func fail(_ error: HTTPParseError) {
        closeAfterAnswer = true
        answering = (parser.method, 1)
        input = []
        inputOffset = 0
        state = .handling
        send(server.handler.failure(status: error.status, code: error.code, message: error.message))
    }

    private func send(_ response: HTTPResponse) {
        let hasBody = HTTPResponseEncoder.hasBody(status: response.status, method: answering.method)
        stream = hasBody ? response.stream : nil
        if stream == nil { cancellation = nil }
        // HTTP/1.0 knows no chunks: the body ends with the connection.
        if server.isDraining || (stream != nil && answering.minorVersion == 0) { closeAfterAnswer = true }
        let head = server.encoder.head(of: response, close: closeAfterAnswer, minorVersion: answering.minorVersion)
        output.append(ArraySegment(head))
        if hasBody, stream == nil { for segment in response.body { output.append(segment) } }
        state = .writing
        setDeadline(limits.writeIdleSeconds)
        flush()
    }

    private func flush() {
        var share = 8
        while !output.isEmpty, share > 0 {
            share -= 1
            switch output.write(to: transport) {
            case .bytes:
                if state == .writing { setDeadline(limits.writeIdleSeconds) }
            case .wouldBlock:
                return
            case .end, .failed:
                return close()
            }
        }
        if output.isEmpty, state == .writing {
            if let stream { awaitPiece(of: stream) } else { finishAnswer() }
        }
    }

    /// Has the next piece made when the last has gone out: a slow reader never makes the server hold more than one.
    private func awaitPiece(of stream: any BodyStream) {
        if awaitsPiece { return }
        awaitsPiece = true
        // The workers' time is not the client's.
        deadline = .max
        stream.next { [self, queue = server.queue] piece in queue.async { self.take(piece) } }
    }

    private func take(_ piece: BodyPiece) {
        server.assertOnLoop()
        guard state == .writing, awaitsPiece else { return }
        awaitsPiece = false
        if case .failed = piece { return close() }
        if case .end = piece {
            stream = nil
            cancellation = nil
        }
        for segment in piece.segments(isChunked: answering.minorVersion > 0) { output.append(segment) }
        setDeadline(limits.writeIdleSeconds)
        flush()
        updateInterest()
    }

    private func finishAnswer() {
        if closeAfterAnswer || (server.isDraining && inputOffset == input.count) { return linger() }
        state = .reading
        setDeadline(inputOffset < input.count ? limits.headSeconds : limits.keepAliveSeconds)
        processInput()
    }

    // MARK: Ending

    /// Closing with unread bytes would reset the connection and destroy the answer on its way.
    private func linger() {
        _ = shutdown(descriptor, Int32(SHUT_WR))
        if peerEnded { return close() }
        state = .lingering
        input = []
        inputOffset = 0
        setDeadline(limits.lingerSeconds)
    }

    func close() {
        guard state != .closed else { return }
        state = .closed
        cancellation?.set()
        cancellation = nil
        stream = nil
        // The timer wheel may keep this object for some seconds more: not its memory.
        output.removeAll()
        input = []
        parser = HTTPParser(limits: limits)
        deadline = .max
        server.forget(self)
        _ = Glibc.close(descriptor)
    }

    /// Gives a fresh connection that much longer for its first byte.
    func shortenFirstByte(to seconds: Double) { if isIdle { setDeadline(seconds) } }

    func deadlinePassed() {
        server.assertOnLoop()
        switch state {
        case .reading where parser.phase == .start:
            close()
        case .reading where parser.phase == .body:
            fail(HTTPParseError(408, "body_timeout", "The request's body came too slowly."))
        case .reading:
            fail(HTTPParseError(408, "head_timeout", "The request's head came too slowly."))
        case .handling:
            break
        case .writing, .lingering:
            close()
        case .closed:
            break
        }
        updateInterest()
    }

    private func setDeadline(_ seconds: Double) {
        deadline = server.tick(after: max(0, seconds))
        server.schedule(self)
    }

    private func updateInterest() {
        guard state != .closed else { return }
        var wanted: UInt32 = 0
        if wantsToRead { wanted |= EPOLLIN.rawValue }
        if !output.isEmpty { wanted |= EPOLLOUT.rawValue }
        // Also without any interest: EPOLLHUP and EPOLLERR are always reported.
        guard wanted != interest else { return }
        server.setInterest(of: self, to: wanted)
        interest = wanted
    }
}
