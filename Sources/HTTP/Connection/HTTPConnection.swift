import CSystem
import Concurrency
import Glibc

/// A connection of a client: it reads requests, has them handled and writes the responses, in order. Every property
/// belongs to the loop of its owner, and every entry checks that it is on it. That, not the compiler, makes the class
/// `Sendable`.
final class HTTPConnection: @unchecked Sendable {
    /// The phases of a connection, each with what it needs. The payloads are objects: with structs in their place, each look at
    /// the state copied them, and /health took 5 % more time.
    private enum State {
        /// Reads a request. While its body arrives, the request has been accepted by its head.
        case reading(AcceptedHead?)
        /// Waits for the response to a request.
        case handling(Exchange)
        /// Writes a response.
        case writing(Exchange)
        /// Drops what the client still sends, after the last response has been written and the write side shut.
        case lingering
        case closed
    }

    /// A request that was accepted by its head and whose body arrives.
    private final class AcceptedHead {
        let request: any AcceptedRequest
        init(_ request: any AcceptedRequest) { self.request = request }
    }

    /// A request that waits for its response, then the response that is being written.
    private final class Exchange {
        let method: String
        /// The x of HTTP/1.x.
        let minorVersion: Int
        /// The path of the request; `nil` if its request line never became complete.
        let path: String?
        /// Whether the connection ends after the response.
        var isLast: Bool
        /// The flag that tells the handler of the client's end; `nil` if the request never reached one.
        var cancellation: Flag?
        /// The rest of the response's body, which is still to be made; `nil` if all of it is in `output`.
        var stream: (any BodyStream)?
        /// Whether the next piece of `stream` is being made.
        var awaitsPiece = false

        init(method: String, minorVersion: Int, path: String?, isLast: Bool) {
            self.method = method
            self.minorVersion = minorVersion
            self.path = path
            self.isLast = isLast
        }
    }

    let descriptor: Int32
    /// A number that tells the connection from earlier ones of the same descriptor.
    let generation: UInt32
    /// The time of acceptance, in seconds of the owner's clock.
    let arrival: Double
    private var state = State.reading(nil)
    /// The tick at which the current wait ends; `Int.max` for none.
    private(set) var deadline = Int.max
    /// The tick under which the owner's timer wheel holds this connection.
    var wheelTick = Int.max

    let owner: any ConnectionOwner
    private let transport: any HTTPTransport
    private var limits: HTTPLimits { owner.limits }
    private var parser: HTTPParser
    /// The bytes of the next requests that were read while a response was outstanding.
    private var readAhead: [UInt8] = []
    private var output = OutputQueue()
    private var interest: UInt32 = 0
    private var isEstablished = false
    private var peerEnded = false
    private var requestNumber: UInt64 = 0
    private var answeredInARow = 0
    /// The time at which it became idle, its head or body began to arrive, its response to leave, or it to linger.
    private var phaseStart = 0.0
    private var droppedBytes = 0
    /// The number of bytes of this connection in the owner's sum.
    private(set) var countedBytes = 0

    init(descriptor: Int32, generation: UInt32, transport: any HTTPTransport, owner: any ConnectionOwner) {
        self.descriptor = descriptor
        self.generation = generation
        self.transport = transport
        self.owner = owner
        arrival = owner.now
        parser = HTTPParser(limits: owner.limits)
    }

    /// The name in epoll, on the timer wheel and wherever else the connection may be gone before it is looked up.
    var token: UInt64 { UInt64(generation) << 32 | UInt64(UInt32(bitPattern: descriptor)) }

    // MARK: State

    /// Whether it was accepted over the limit of connections, to be refused.
    private(set) var isRefused = false
    private var isClosed: Bool { if case .closed = state { true } else { false } }
    private var isReading: Bool { if case .reading = state { true } else { false } }
    private var isWriting: Bool { if case .writing = state { true } else { false } }
    /// Whether the head of its first request is not complete.
    var hasNoRequest: Bool { isReading && requestNumber == 0 && parser.phase != .body }
    /// Whether no request has begun.
    var isIdle: Bool { isReading && parser.phase == .start && readAhead.isEmpty }
    var hasServed: Bool { requestNumber > 0 }

    /// The time since which it holds a place only for the end of one request and the head of another; `nil` if it has work,
    /// or no place.
    var idleSince: Double? {
        if isRefused { return nil }
        switch state {
        case .lingering: return phaseStart
        case .reading: return hasServed && parser.phase != .body ? phaseStart : nil
        case .handling, .writing, .closed: return nil
        }
    }

    /// The time since which a body arrives or a response leaves; `nil` if it holds no more than each connection may.
    var bufferingSince: Double? {
        guard countedBytes > HTTPLimits.smallBytes else { return nil }
        switch state {
        case .reading, .writing: return phaseStart
        case .handling, .lingering, .closed: return nil
        }
    }

    /// Whether the connection ends after the response that is outstanding or being written; `nil` if there is none.
    private var isLastResponse: Bool? {
        switch state {
        case .handling(let exchange), .writing(let exchange): exchange.isLast
        case .reading, .lingering, .closed: nil
        }
    }

    private var stream: (any BodyStream)? {
        if case .writing(let exchange) = state { exchange.stream } else { nil }
    }

    // MARK: Events

    func open() {
        owner.assertOnLoop()
        isEstablished = transport.isEstablished
        setDeadline(isEstablished ? limits.firstByteSeconds : limits.handshakeSeconds)
        updateInterest()
    }

    /// Answers 503 to a connection over the limit, whatever it asks.
    func refuse() {
        owner.assertOnLoop()
        isRefused = true
        fail(HTTPParseError(503, "too_many_connections", "The server has as many connections as it takes."))
        if !isEstablished { setDeadline(limits.handshakeSeconds) }
        updateInterest()
    }

    func handleEvents(_ events: UInt32) {
        owner.assertOnLoop()
        answeredInARow = 0
        // EPOLLHUP is a reset, or both sides shut: no response can arrive any more.
        if events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 { return close() }
        if events & EPOLLIN.rawValue != 0 { readAvailable() }
        // A response that waited for a handshake can leave now.
        if events & EPOLLOUT.rawValue != 0 || (!output.isEmpty && isWriting) {
            flush()
            readBuffered()
        }
        updateInterest()
    }

    // MARK: Reading

    private var wantsToRead: Bool {
        if peerEnded { return false }
        if let isLastResponse { return isLastResponse || readAhead.count < limits.maxReadAheadBytes }
        return !isClosed
    }

    /// Reads until nothing is left, or a fair share: epoll is level-triggered and reports the rest again.
    func readAvailable() {
        var share = 16
        while wantsToRead {
            guard share > 0 else {
                if transport.hasBufferedInput {
                    owner.enqueue { [self] in if !isClosed { handleEvents(EPOLLIN.rawValue) } }
                }
                return
            }
            share -= 1
            switch read() {
            case .bytes(let count):
                receive(UnsafeBufferPointer(rebasing: owner.readBuffer.bindMemory(to: UInt8.self)[..<count]))
                // A short read has most likely emptied the socket: epoll reports further bytes.
                if count < owner.readBuffer.count, !transport.hasBufferedInput { return }
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

    /// Continues reading after a response, for which reading may have stopped: epoll does not report the transport's bytes.
    private func readBuffered() { if transport.hasBufferedInput { readAvailable() } }

    private func read() -> IOResult {
        // Bytes after the last response are dropped, encrypted or not.
        if case .lingering = state { return PlainTransport(descriptor: descriptor).read(into: owner.readBuffer) }
        let result = transport.read(into: owner.readBuffer)
        if !isEstablished, transport.isEstablished {
            isEstablished = true
            if isReading { setDeadline(limits.firstByteSeconds) }
        }
        return result
    }

    private func receive(_ bytes: UnsafeBufferPointer<UInt8>) {
        if isReading, readAhead.isEmpty {
            let used = parse(bytes)
            if used < bytes.count, isLastResponse == false { readAhead.append(contentsOf: bytes[used...]) }
        } else if isReading || isLastResponse == false {
            readAhead.append(contentsOf: bytes)
        } else {
            droppedBytes += bytes.count
            if droppedBytes > limits.lingerBytes { close() }
        }
    }

    /// Parses up to the end of a request, or of the bytes; returns how many were used.
    private func parse(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
        var used = 0
        while isReading, used < bytes.count {
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
        if used < bytes.count, isLastResponse == false { readAhead = Array(bytes[used...]) }
    }

    /// Handles the end of the client's bytes. Its request is still answered (RFC 9112, 9.6): it may have shut one side only.
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
            let request = parser.request
            if case .reading(let accepted?) = state { return handle(request, by: accepted.request) }
            switch owner.handler.begin(request) {
            case .respond(let response): answerEarly(response, for: beginExchange(for: request))
            case .accept(let accepted, _): handle(request, by: accepted)
            }
        case .body:
            if before != .body {
                phaseStart = owner.now
                switch owner.handler.begin(parser.request) {
                case .respond(let response): return refuse(response)
                case .accept(let accepted, let maxBodyBytes):
                    state = .reading(AcceptedHead(accepted))
                    if let maxBodyBytes {
                        do throws(HTTPParseError) { try parser.limitBody(to: maxBodyBytes) } catch {
                            return fail(error)
                        }
                    }
                }
                if parser.expectsContinue, isLast { sendContinue() }
            }
            if isReading { setBodyDeadline() }
        case .requestLine, .fields:
            if before == .start {
                phaseStart = owner.now
                setDeadline(limits.headSeconds)
            }
        case .start:
            break
        }
    }

    /// Answers a request before its body is read. The client may still be sending it, so the connection ends.
    private func refuse(_ response: HTTPResponse) {
        let exchange = Exchange(
            method: parser.method, minorVersion: parser.minorVersion, path: parser.path, isLast: true)
        parser = HTTPParser(limits: limits)
        send(response, for: exchange)
    }

    private func sendContinue() {
        output.append(ArraySegment(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)))
        flush()
    }

    /// Sets the deadline at which no byte has come for a while, or the bytes so far are slower than the least rate.
    private func setBodyDeadline() {
        let rate = limits.minBodyRate > 0 ? Double(parser.body.count) / limits.minBodyRate : .infinity
        setDeadline(min(limits.bodyIdleSeconds, phaseStart + limits.bodyIdleSeconds + rate - owner.now))
    }

    /// Updates the owner's sum of the bytes that clients make the server hold.
    private func countBytes(isLimited: Bool = false) throws(HTTPParseError) {
        let held =
            isClosed ? 0 : parser.body.count + readAhead.count + output.byteCount + (stream?.heldBytes ?? 0)
        let grows = held > countedBytes
        owner.addBuffered(held - countedBytes)
        countedBytes = held
        if isLimited, grows, held > HTTPLimits.smallBytes, !owner.hasRoom(for: 0, of: self) { throw .busy }
    }

    /// Begins to wait for the response to a complete request.
    private func beginExchange(for request: HTTPRequest) -> Exchange {
        deadline = .max
        requestNumber += 1
        let exchange = Exchange(
            method: request.method, minorVersion: parser.minorVersion, path: request.path, isLast: !parser.keepAlive)
        parser.startOver()
        state = .handling(exchange)
        return exchange
    }

    /// Has a complete request handled that was accepted by its head.
    private func handle(_ request: HTTPRequest, by accepted: any AcceptedRequest) {
        var request = request
        request.client = .connection(UInt64(UInt32(bitPattern: descriptor)) << 32 | UInt64(generation))
        let exchange = beginExchange(for: request)
        let flag = Flag()
        exchange.cancellation = flag
        if peerEnded { setDeadline(limits.probeSeconds) }
        let writer = HTTPResponseWriter(connection: self, requestNumber: requestNumber, cancellation: flag)
        accepted.handle(request, writer)
        if let response = writer.takeEarly() { answerEarly(response, for: exchange) }
    }

    // MARK: Answering

    /// Answers at once a request whose response is there, and continues with the next request that has been read. The pipeline
    /// of one client does not hold the loop for long, though. Which response is the last is known only when all bytes are
    /// read.
    private func answerEarly(_ response: HTTPResponse, for exchange: Exchange) {
        answeredInARow += 1
        if answeredInARow < 32, !owner.isDraining, !peerEnded { return send(response, for: exchange) }
        let number = requestNumber
        owner.enqueue { self.answer(response, to: number) }
    }

    func answer(_ response: HTTPResponse, to number: UInt64) {
        owner.assertOnLoop()
        answeredInARow = 0
        guard case .handling(let exchange) = state, number == requestNumber else { return }
        // Whether this response is the last depends on whether another request has come.
        if owner.isDraining {
            readAvailable()
            guard case .handling = state else { return }
        }
        send(response, for: exchange)
        readBuffered()
        updateInterest()
    }

    /// Answers 500 to a request whose handler released it without a response.
    func answerMissing(to number: UInt64) {
        var path: String?
        if case .handling(let exchange) = state, number == requestNumber { path = exchange.path }
        let response = owner.handler.failure(
            status: 500, code: "internal_error", message: "The server made no answer to this request.", path: path)
        answer(response, to: number)
    }

    /// Answers a request that cannot be read, or not to its end, and ends the connection.
    private func fail(_ error: HTTPParseError) {
        let hasPath = parser.phase != .start && parser.phase != .requestLine
        let exchange = Exchange(
            method: parser.method, minorVersion: 1, path: hasPath ? parser.path : nil, isLast: true)
        parser = HTTPParser(limits: limits)
        readAhead = []
        send(
            owner.handler.failure(
                status: error.status, code: error.code, message: error.message, path: exchange.path),
            for: exchange)
    }

    /// Whether a response may be held until its client has read it.
    private func hasRoom(for response: HTTPResponse) -> Bool {
        let bytes = response.stream?.heldBytes ?? response.byteCount ?? 0
        return bytes <= HTTPLimits.smallBytes || owner.hasRoom(for: bytes, of: self)
    }

    private func send(_ answer: HTTPResponse, for exchange: Exchange) {
        var response = answer
        if !hasRoom(for: answer) {
            let error = HTTPParseError.busy
            response = owner.handler.failure(
                status: error.status, code: error.code, message: error.message, path: exchange.path,
                insteadOf: answer)
        }
        let hasBody = HTTPResponseEncoder.hasBody(status: response.status, method: exchange.method)
        let stream = hasBody ? response.stream : nil
        // A streamed body ends with the connection in HTTP/1.0, which has no chunks. A draining server still answers the
        // requests that came before this response.
        let isLast =
            exchange.isLast || (stream != nil && exchange.minorVersion == 0) || (owner.isDraining && readAhead.isEmpty)
        var head = owner.head(of: response, close: isLast, minorVersion: exchange.minorVersion)
        let body = hasBody && stream == nil ? response.body : []
        // A short body goes in one piece with the head.
        let isShort = response.byteCount.map { $0 <= 4096 } == true
        if isShort { for segment in body { segment.withBytes { head.append(contentsOf: $0) } } }
        output.append(ArraySegment(head))
        if !isShort { for segment in body { output.append(segment) } }
        exchange.isLast = isLast
        exchange.stream = stream
        state = .writing(exchange)
        phaseStart = owner.now
        setDeadline(limits.writeIdleSeconds)
        flush()
    }

    private func flush() {
        // The descriptor may be another's by now.
        guard !isClosed else { return }
        var share = 8
        while share > 0, !output.isEmpty || transport.hasPendingOutput {
            share -= 1
            switch transport.hasPendingOutput ? transport.flush() : output.write(to: transport) {
            case .bytes:
                if isWriting { setDeadline(limits.writeIdleSeconds) }
            case .wouldBlock:
                return
            case .end, .failed:
                return close()
            }
        }
        if output.isEmpty, !transport.hasPendingOutput, case .writing(let exchange) = state {
            if exchange.stream == nil { finish(exchange) } else { awaitPiece(of: exchange) }
        }
    }

    /// Asks for the next piece when the last has been sent: a slow reader never makes the server hold more than one.
    private func awaitPiece(of exchange: Exchange) {
        guard let stream = exchange.stream, !exchange.awaitsPiece else { return }
        exchange.awaitsPiece = true
        // The workers' time is not the client's.
        deadline = .max
        stream.next { [self] piece in owner.executeOnLoop { self.take(piece) } }
    }

    private func take(_ piece: BodyPiece) {
        owner.assertOnLoop()
        answeredInARow = 0
        guard case .writing(let exchange) = state, exchange.awaitsPiece else { return }
        exchange.awaitsPiece = false
        switch piece {
        case .failed: return close()
        case .end: exchange.stream = nil
        case .bytes: break
        }
        for segment in piece.segments(isChunked: exchange.minorVersion > 0) { output.append(segment) }
        setDeadline(limits.writeIdleSeconds)
        flush()
        readBuffered()
        updateInterest()
    }

    private func finish(_ exchange: Exchange) {
        phaseStart = owner.now
        if exchange.isLast || (owner.isDraining && readAhead.isEmpty) { return linger() }
        state = .reading(nil)
        setDeadline(readAhead.isEmpty ? limits.keepAliveSeconds : limits.headSeconds)
        if !readAhead.isEmpty { parseReadAhead() }
        if isReading, peerEnded { peerDidEnd() }
        if isIdle {
            transport.releaseBuffers()
            parser.releaseBuffers()
        }
    }

    // MARK: Ending

    /// Shuts the write side and waits for the client's end: closing with unread bytes would reset the connection and destroy
    /// the response on its way.
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
        if !isClosed { transport.finishWriting() }
        close()
    }

    /// Breaks off the body or response that is under way, to free its memory.
    func evict() {
        if isReading { fail(.busy) } else { close() }
        updateInterest()
    }

    func close() {
        switch state {
        case .closed: return
        case .handling(let exchange): exchange.cancellation?.set()
        case .writing(let exchange): if exchange.stream != nil { exchange.cancellation?.set() }
        case .reading, .lingering: break
        }
        state = .closed
        // A handler may keep this object for some time more: not its memory.
        output.removeAll()
        readAhead = []
        parser = HTTPParser(limits: limits)
        try? countBytes()
        deadline = .max
        owner.remove(self)
        // An alert that says why, if the socket takes it.
        _ = transport.flush()
        _ = Glibc.close(descriptor)
    }

    /// Sets the deadline of a fresh connection's first byte anew.
    func shortenFirstByte(to seconds: Double) { if isIdle { setDeadline(seconds) } }

    func deadlinePassed() {
        owner.assertOnLoop()
        switch state {
        case .reading where parser.phase == .start:
            end()
        case .reading where parser.phase == .body:
            fail(HTTPParseError(408, "body_timeout", "The request's body came too slowly."))
        case .reading:
            fail(HTTPParseError(408, "head_timeout", "The request's head came too slowly."))
        case .handling(let exchange):
            deadline = .max
            // The client has shut its write side. HTTP/1.1 clients must understand an interim response (RFC 9110, 15.2). It is
            // answered with a reset, which cancels the client's work, if the client has closed the connection.
            if exchange.minorVersion == 1 { sendContinue() }
        case .writing, .lingering:
            close()
        case .closed:
            break
        }
        updateInterest()
    }

    private func setDeadline(_ seconds: Double) {
        deadline = owner.tick(after: max(0, seconds))
        owner.schedule(self)
    }

    private func updateInterest() {
        try? countBytes()
        guard !isClosed else { return }
        var wanted: UInt32 = 0
        if wantsToRead { wanted |= EPOLLIN.rawValue }
        if transport.hasPendingOutput || (!output.isEmpty && isEstablished) { wanted |= EPOLLOUT.rawValue }
        // Also without any interest: EPOLLHUP and EPOLLERR are always reported.
        guard wanted != interest else { return }
        owner.setInterest(of: self, to: wanted)
        interest = wanted
    }
}
