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
    /// In seconds of the server's clock.
    let arrival: Double
    private(set) var state = State.reading
    /// In ticks of the server's clock; `Int.max` for none.
    private(set) var deadline = Int.max
    /// Where the server's timer wheel holds this connection.
    var wheelTick = Int.max

    private let server: HTTPServer
    private let transport: any HTTPTransport
    private var limits: HTTPLimits { server.limits }
    private var parser: HTTPParser
    /// What was read while an answer was outstanding: the beginning of the next requests.
    private var readAhead: [UInt8] = []
    private var output = OutputQueue()
    private var interest: UInt32 = 0
    private var isEstablished = false
    private var peerEnded = false
    private var closeAfterAnswer = false
    private var requestNumber: UInt64 = 0
    /// The request whose body is arriving, as its handler accepted it.
    private var accepted: (any AcceptedRequest)?
    /// What the answer's form depends on, of the request that is being answered.
    private var answering = (method: "", minorVersion: 1, path: String?.none)
    private var cancellation: CancellationFlag?
    /// What makes the rest of the answer that is being written.
    private var stream: (any BodyStream)?
    private var awaitsPiece = false
    private var answeredInARow = 0
    /// When it began to be idle, or its head or body to arrive, or its answer to leave, or it to linger.
    private var phaseStart = 0.0
    private var droppedBytes = 0
    /// What this connection was last counted with in the server's sum.
    private(set) var countedBytes = 0

    init(descriptor: Int32, generation: UInt32, transport: any HTTPTransport, server: HTTPServer) {
        self.descriptor = descriptor
        self.generation = generation
        self.transport = transport
        self.server = server
        arrival = server.now
        parser = HTTPParser(limits: server.limits)
    }

    /// Its name in epoll, on the timer wheel and wherever else it may be gone before it is met.
    var token: UInt64 { UInt64(generation) << 32 | UInt64(UInt32(bitPattern: descriptor)) }

    /// Whether it came when there was no room.
    private(set) var isRefused = false
    /// Whether its first request's head has not come whole.
    var isNewcomer: Bool { state == .reading && requestNumber == 0 && parser.phase != .body }
    /// Whether no request has begun.
    var isIdle: Bool { state == .reading && parser.phase == .start && readAhead.isEmpty }
    var hasServed: Bool { requestNumber > 0 }
    /// Since when it has been taking a place for no more than the end of one request and the head of another; nil while
    /// there is something to do, and where it takes none.
    var idleSince: Double? {
        if isRefused { return nil }
        switch state {
        case .lingering: return phaseStart
        case .reading: return hasServed && parser.phase != .body ? phaseStart : nil
        case .handling, .writing, .closed: return nil
        }
    }
    /// Since when a body has been arriving, or an answer leaving; nil where less is held for it than each connection may.
    var holdsSince: Double? {
        guard countedBytes > HTTPLimits.smallBytes else { return nil }
        switch state {
        case .reading, .writing: return phaseStart
        case .handling, .lingering, .closed: return nil
        }
    }

    func open() {
        server.assertOnLoop()
        isEstablished = transport.isEstablished
        setDeadline(isEstablished ? limits.firstByteSeconds : limits.handshakeSeconds)
        updateInterest()
    }

    /// Answers 503 to a connection over the cap, whatever it asks.
    func refuse() {
        server.assertOnLoop()
        isRefused = true
        server.refusals += 1
        fail(HTTPParseError(503, "too_many_connections", "The server has as many connections as it takes."))
        if !isEstablished { setDeadline(limits.handshakeSeconds) }
        updateInterest()
    }

    func handleEvents(_ events: UInt32) {
        server.assertOnLoop()
        answeredInARow = 0
        // EPOLLHUP is a reset, or both sides shut: no answer can arrive any more.
        if events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 { return close() }
        if events & EPOLLIN.rawValue != 0 { readAvailable() }
        // What waited for a handshake can go now.
        if events & EPOLLOUT.rawValue != 0 || (!output.isEmpty && state == .writing) {
            flush()
            readBuffered()
        }
        updateInterest()
    }

    // MARK: Reading

    private var wantsToRead: Bool {
        if peerEnded { return false }
        switch state {
        case .reading, .lingering: return true
        case .handling, .writing: return closeAfterAnswer || readAhead.count < limits.maxReadAheadBytes
        case .closed: return false
        }
    }

    /// Reads until nothing is left, or a fair share: epoll is level-triggered and reports the rest again.
    func readAvailable() {
        var share = 16
        while wantsToRead {
            guard share > 0 else {
                if transport.hasBufferedInput {
                    server.queue.async { [self] in if state != .closed { handleEvents(EPOLLIN.rawValue) } }
                }
                return
            }
            share -= 1
            switch read() {
            case .bytes(let count):
                receive(UnsafeBufferPointer(rebasing: server.readBuffer.bindMemory(to: UInt8.self)[..<count]))
                // A short read has most likely emptied the socket: what else comes is reported.
                if count < server.readBuffer.count, !transport.hasBufferedInput { return }
            case .end:
                peerEnded = true
                peerDidEnd()
            case .wouldBlock:
                return
            case .failed:
                return close()
            }
        }
    }

    /// Goes on reading after an answer, where reading stopped for it: epoll does not know of bytes that lie in the transport.
    private func readBuffered() { if transport.hasBufferedInput { readAvailable() } }

    private func read() -> IOResult {
        // What a client says after the last answer is of no interest, encrypted or not.
        if state == .lingering { return PlainTransport(descriptor: descriptor).read(into: server.readBuffer) }
        let result = transport.read(into: server.readBuffer)
        if !isEstablished, transport.isEstablished {
            isEstablished = true
            if state == .reading { setDeadline(limits.firstByteSeconds) }
        }
        return result
    }

    private func receive(_ bytes: UnsafeBufferPointer<UInt8>) {
        if state == .reading, readAhead.isEmpty {
            let used = parse(bytes)
            guard used < bytes.count, state == .handling || state == .writing, !closeAfterAnswer else { return }
            readAhead.append(contentsOf: bytes[used...])
        } else if state == .lingering || closeAfterAnswer {
            droppedBytes += bytes.count
            if droppedBytes > limits.lingerBytes { close() }
        } else {
            readAhead.append(contentsOf: bytes)
        }
    }

    /// Parses up to the end of a request, or of the bytes; returns how many were used.
    private func parse(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
        var used = 0
        while state == .reading, used < bytes.count {
            let before = parser.phase
            do throws(HTTPParseError) {
                used += try parser.parse(UnsafeBufferPointer(rebasing: bytes[used...]))
                try countBytes(isLimited: parser.phase == .body)
            } catch {
                fail(error)
                return bytes.count
            }
            advance(from: before, isLast: used == bytes.count)
        }
        return used
    }

    private func parseReadAhead() {
        let bytes = readAhead
        readAhead = []
        let used = bytes.withUnsafeBufferPointer { parse($0) }
        if used < bytes.count, state == .handling || state == .writing, !closeAfterAnswer {
            readAhead = Array(bytes[used...])
        }
    }

    /// The client says nothing more. What it asked for is answered (RFC 9112, 9.6): it may have shut one side only.
    private func peerDidEnd() {
        switch state {
        case .lingering: close()
        case .handling: setDeadline(limits.probeSeconds)
        case .reading where parser.phase == .start: end()
        case .reading:
            fail(HTTPParseError(400, "incomplete_request", "The connection ended before the request did."))
        case .writing, .closed: break
        }
    }

    private func advance(from before: HTTPParser.Phase, isLast: Bool) {
        switch parser.phase {
        case .complete:
            if let accepted {
                self.accepted = nil
                dispatch(.accept(accepted, maxBodyBytes: nil), parser.request)
            } else {
                let request = parser.request
                dispatch(server.handler.begin(request), request)
            }
        case .body:
            if before != .body {
                phaseStart = server.now
                switch server.handler.begin(parser.request) {
                case .respond(let response): return refuse(response)
                case .accept(let accepted, let maxBodyBytes):
                    self.accepted = accepted
                    if let maxBodyBytes {
                        do throws(HTTPParseError) { try parser.limitBody(to: maxBodyBytes) } catch {
                            return fail(error)
                        }
                    }
                }
                if parser.expectsContinue, isLast { sendContinue() }
            }
            if state == .reading { setBodyDeadline() }
        case .requestLine, .fields:
            if before == .start {
                phaseStart = server.now
                setDeadline(limits.headSeconds)
            }
        case .start:
            break
        }
    }

    /// Before its body is read; the client may still be sending it, so the connection ends.
    private func refuse(_ response: HTTPResponse) {
        closeAfterAnswer = true
        answering = (parser.method, parser.minorVersion, parser.path)
        parser = HTTPParser(limits: limits)
        state = .handling
        send(response)
    }

    private func sendContinue() {
        output.append(ArraySegment(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)))
        flush()
    }

    /// The earlier of: no byte for a while; the bytes so far are slower than the least rate.
    private func setBodyDeadline() {
        let rate = limits.minimumBodyRate > 0 ? Double(parser.body.count) / limits.minimumBodyRate : .infinity
        setDeadline(min(limits.bodyIdleSeconds, phaseStart + limits.bodyIdleSeconds + rate - server.now))
    }

    /// Keeps the server's sum of bytes that clients make it hold.
    private func countBytes(isLimited: Bool = false) throws(HTTPParseError) {
        let held =
            state == .closed ? 0 : parser.body.count + readAhead.count + output.byteCount + (stream?.heldBytes ?? 0)
        let grows = held > countedBytes
        server.bufferedBytes += held - countedBytes
        countedBytes = held
        if isLimited, grows, held > HTTPLimits.smallBytes, !server.hasRoom(for: 0, of: self) { throw .busy }
    }

    private func dispatch(_ decision: RequestDecision, _ request: HTTPRequest) {
        state = .handling
        deadline = .max
        requestNumber += 1
        closeAfterAnswer = !parser.keepAlive
        answering = (request.method, parser.minorVersion, request.path)
        parser.startOver()
        if peerEnded { setDeadline(limits.probeSeconds) }
        switch decision {
        case .respond(let response): answerEarly(response)
        case .accept(let accepted, _):
            let flag = CancellationFlag()
            cancellation = flag
            let writer = HTTPResponseWriter(
                server: server, connection: self, requestNumber: requestNumber, cancellation: flag)
            accepted.handle(request, writer)
            if let response = writer.takeEarly() { answerEarly(response) }
        }
    }

    // MARK: Answering

    /// Answers at once a request that took no waiting, and goes on with the next one read. One client's pipeline does not
    /// hold the loop for long, though; and what the last answer is can be told only when all that was read is kept.
    private func answerEarly(_ response: HTTPResponse) {
        answeredInARow += 1
        if answeredInARow < 32, !server.isDraining, !peerEnded { return send(response) }
        let number = requestNumber
        server.queue.async { self.answer(response, to: number) }
    }

    func answer(_ response: HTTPResponse, to number: UInt64) {
        server.assertOnLoop()
        answeredInARow = 0
        guard state == .handling, number == requestNumber else { return }
        // Whether this answer is the last depends on whether another request has come.
        if server.isDraining {
            readAvailable()
            guard state == .handling else { return }
        }
        send(response)
        readBuffered()
        updateInterest()
    }

    /// The handler let go of a request without a word.
    func answerMissing(to number: UInt64) {
        answer(
            server.handler.failure(
                status: 500, code: "internal_error", message: "The server made no answer to this request.",
                path: answering.path),
            to: number)
    }

    private func fail(_ error: HTTPParseError) {
        closeAfterAnswer = true
        accepted = nil
        answering = (parser.method, 1, parser.phase == .start || parser.phase == .requestLine ? nil : parser.path)
        parser = HTTPParser(limits: limits)
        readAhead = []
        state = .handling
        send(
            server.handler.failure(
                status: error.status, code: error.code, message: error.message, path: answering.path))
    }

    /// Whether an answer may be held until its client has read it.
    private func hasRoom(for response: HTTPResponse) -> Bool {
        let bytes = response.stream?.heldBytes ?? response.byteCount ?? 0
        return bytes <= HTTPLimits.smallBytes || server.hasRoom(for: bytes, of: self)
    }

    private func send(_ answer: HTTPResponse) {
        var response = answer
        if !hasRoom(for: answer) {
            let error = HTTPParseError.busy
            response = server.handler.failure(
                status: error.status, code: error.code, message: error.message, path: answering.path,
                insteadOf: answer)
        }
        let hasBody = HTTPResponseEncoder.hasBody(status: response.status, method: answering.method)
        stream = hasBody ? response.stream : nil
        if stream == nil { cancellation = nil }
        // HTTP/1.0 knows no chunks: the body ends with the connection.
        if stream != nil, answering.minorVersion == 0 { closeAfterAnswer = true }
        // Requests that came before this answer are accepted too.
        if server.isDraining, readAhead.isEmpty { closeAfterAnswer = true }
        var head = server.encoder.head(of: response, close: closeAfterAnswer, minorVersion: answering.minorVersion)
        let body = hasBody && stream == nil ? response.body : []
        // A short body goes in one piece with the head.
        let isShort = response.byteCount.map { $0 <= 4096 } == true
        if isShort { for segment in body { segment.withBytes { head.append(contentsOf: $0) } } }
        output.append(ArraySegment(head))
        if !isShort { for segment in body { output.append(segment) } }
        state = .writing
        phaseStart = server.now
        setDeadline(limits.writeIdleSeconds)
        flush()
    }

    private func flush() {
        // The descriptor may be another's by now.
        guard state != .closed else { return }
        var share = 8
        while share > 0, !output.isEmpty || transport.hasPendingOutput {
            share -= 1
            switch transport.hasPendingOutput ? transport.flush() : output.write(to: transport) {
            case .bytes:
                if state == .writing { setDeadline(limits.writeIdleSeconds) }
            case .wouldBlock:
                return
            case .end, .failed:
                return close()
            }
        }
        if output.isEmpty, !transport.hasPendingOutput, state == .writing {
            if let stream { awaitPiece(of: stream) } else { finishAnswer() }
        }
    }

    /// Has the next piece made when the last has gone out: a slow reader never makes the server hold more than one.
    private func awaitPiece(of stream: any BodyStream) {
        if awaitsPiece { return }
        awaitsPiece = true
        // The workers' time is not the client's.
        deadline = .max
        stream.next { [self] piece in server.enterLoop { self.take(piece) } }
    }

    private func take(_ piece: BodyPiece) {
        server.assertOnLoop()
        answeredInARow = 0
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
        readBuffered()
        updateInterest()
    }

    private func finishAnswer() {
        phaseStart = server.now
        if closeAfterAnswer || (server.isDraining && readAhead.isEmpty) { return linger() }
        state = .reading
        answering.path = nil
        setDeadline(readAhead.isEmpty ? limits.keepAliveSeconds : limits.headSeconds)
        if !readAhead.isEmpty { parseReadAhead() }
        if state == .reading, peerEnded { peerDidEnd() }
        if isIdle {
            transport.releaseBuffers()
            parser.releaseBuffers()
        }
    }

    // MARK: Ending

    /// Closing with unread bytes would reset the connection and destroy the answer on its way.
    private func linger() {
        transport.finishWriting()
        _ = shutdown(descriptor, Int32(SHUT_WR))
        if peerEnded { return close() }
        state = .lingering
        readAhead = []
        setDeadline(limits.lingerSeconds)
    }

    /// Closes a connection on which nothing is under way.
    func end() {
        if state != .closed { transport.finishWriting() }
        close()
    }

    /// Ends what is under way, so that others find room.
    func giveWay() {
        if state == .reading { fail(.busy) } else { close() }
        updateInterest()
    }

    func close() {
        guard state != .closed else { return }
        state = .closed
        cancellation?.set()
        cancellation = nil
        accepted = nil
        stream = nil
        // A handler may keep this object for some time more: not its memory.
        output.removeAll()
        readAhead = []
        parser = HTTPParser(limits: limits)
        try? countBytes()
        deadline = .max
        server.forget(self)
        // An alert that says why, if the socket takes it.
        _ = transport.flush()
        _ = Glibc.close(descriptor)
    }

    /// Gives a fresh connection that much longer for its first byte.
    func shortenFirstByte(to seconds: Double) { if isIdle { setDeadline(seconds) } }

    func deadlinePassed() {
        server.assertOnLoop()
        switch state {
        case .reading where parser.phase == .start:
            end()
        case .reading where parser.phase == .body:
            fail(HTTPParseError(408, "body_timeout", "The request's body came too slowly."))
        case .reading:
            fail(HTTPParseError(408, "head_timeout", "The request's head came too slowly."))
        case .handling:
            deadline = .max
            // The client has shut its side. An interim answer, which HTTP/1.1 clients must understand (RFC 9110, 15.2),
            // tells which: one that has closed the connection answers with a reset, which cancels its work.
            if answering.minorVersion == 1 { sendContinue() }
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
        try? countBytes()
        guard state != .closed else { return }
        var wanted: UInt32 = 0
        if wantsToRead { wanted |= EPOLLIN.rawValue }
        if transport.hasPendingOutput || (!output.isEmpty && isEstablished) { wanted |= EPOLLOUT.rawValue }
        // Also without any interest: EPOLLHUP and EPOLLERR are always reported.
        guard wanted != interest else { return }
        server.setInterest(of: self, to: wanted)
        interest = wanted
    }
}
