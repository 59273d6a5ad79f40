import CSystem
import Concurrency
import Dispatch
import Glibc
import Synchronization

/// An HTTP/1.1 server: one event loop on a serial Dispatch queue. All state belongs to the loop queue: entries check that
/// they are on it. A poller's one epoll descriptor holds the listeners and all sockets; so no socket ever has a Dispatch
/// source of its own, with the rules on their order of cancelling and closing.
package final class HTTPServer: @unchecked Sendable {
    package let limits: HTTPLimits
    let handler: any RequestHandler
    let queue = DispatchQueue(label: "encoderd.http")
    let readBuffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 64)
    private let cipherBuffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 64)
    var encoder = HTTPResponseEncoder()
    private(set) var isDraining = false
    /// What all connections hold of requests and answers.
    var bufferedBytes = 0

    private(set) var poller: Poller?
    var listeners: [HTTPListener] = []
    /// What is spoken with clients that come over the network.
    private(set) var tls: TLSContext?
    /// Given up when descriptors run out, so that one client can be turned away.
    var reserve: Int32 = -1
    private(set) var connections: [Int32: HTTPConnection] = [:]
    private(set) var generation: UInt32 = 0
    /// In the order in which they came, those that may not have asked for anything yet.
    var newcomers = FIFO<UInt64>()
    /// Those that have been idle for longest since a request, and that hold bytes for longest.
    var (idlers, holders) = (Candidates(), Candidates())
    /// Connections over the cap that are being told so.
    var refusals = 0
    private var wheel = TimerWheel()
    private var drainCompletion: (@Sendable () -> Void)?
    private let openConnections = Atomic(0)
    private let mailbox = Locked(Mailbox())
    /// Marks the loop queue.
    private let loopKey = DispatchSpecificKey<Void>()
    private var hasStarted = false

    package init(handler: any RequestHandler, limits: HTTPLimits = HTTPLimits()) {
        self.handler = handler
        var limits = limits
        limits.timerTickSeconds = max(limits.timerTickSeconds, 0.001)
        self.limits = limits
        queue.setSpecific(key: loopKey, value: ())
    }

    deinit {
        readBuffer.deallocate()
        cipherBuffer.deallocate()
    }

    /// How many connections are open; from any thread.
    package var connectionCount: Int { openConnections.load(ordering: .relaxed) }

    func assertOnLoop() { dispatchPrecondition(condition: .onQueue(queue)) }

    // MARK: Entering the loop

    private struct Mailbox {
        /// Whether somebody is in the loop who will look in here before leaving it.
        var isAttended = false
        var letters: [@Sendable () -> Void] = []
    }

    /// Runs a closure on the loop queue, soon: on this very thread when nobody is there, since waking another one for it may
    /// take longer than all else that a short answer costs; else on that of whoever is.
    func enterLoop(_ body: @escaping @Sendable () -> Void) {
        let isTaken = mailbox.withLock { box in
            if box.isAttended { box.letters.append(body) }
            return box.isAttended
        }
        if isTaken { return }
        if DispatchQueue.getSpecific(key: loopKey) != nil { return queue.async(execute: body) }
        queue.sync { attendingMailbox(body) }
    }

    private func attendingMailbox(_ body: () -> Void) {
        mailbox.withLock { $0.isAttended = true }
        body()
        for _ in 0..<Self.roundsInARow {
            let letters = mailbox.withLock { box in
                box.isAttended = !box.letters.isEmpty
                defer { box.letters = [] }
                return box.letters
            }
            if letters.isEmpty { return }
            for letter in letters { letter() }
        }
        // Letters that never end do not keep the poller out. Until this runs, those that come are left here.
        queue.async { [self] in attendingMailbox {} }
    }

    private static let roundsInARow = 16

    // MARK: Starting

    /// Listens on an address or host name; port 0 takes a free one. A server starts once.
    /// - Returns: the port that is listened on.
    package func start(host: String, port: Int) throws(HTTPServerError) -> Int {
        try start([.tcp(host: host, port: port)])
        return queue.sync { listeners.first?.port ?? 0 }
    }

    /// Listens on all of some addresses, or on none; on none too when it has been told to drain before. A server starts once.
    /// - Returns: what clients call them, such as `http://127.0.0.1:8080`.
    @discardableResult
    package func start(_ addresses: [HTTPAddress]) throws(HTTPServerError) -> [String] {
        signal(SIGPIPE, SIG_IGN)
        let result: Result<[String], HTTPServerError> = queue.sync {
            do throws(HTTPServerError) {
                guard !hasStarted else { throw HTTPServerError(description: "The server was started before.") }
                if isDraining { return .success([]) }
                for address in addresses {
                    listeners.append(try HTTPListener.open(address, backlog: limits.listenBacklog))
                }
                try startLoop()
                return .success(listeners.map(name))
            } catch {
                for listener in listeners { listener.close() }
                listeners = []
                return .failure(error)
            }
        }
        return try result.get()
    }

    private func name(_ listener: HTTPListener) -> String {
        switch listener.address {
        case .unix, .inherited: listener.address.description
        case .tcp, .plain: "\(tls != nil && listener.speaksTLS ? "https" : "http")://\(listener.address)"
        }
    }

    /// Speaks TLS with all clients but those of plain addresses and Unix-domain sockets, from the next connection on. Files
    /// that cannot be used change nothing.
    package func useTLS(_ files: TLSFiles) throws(HTTPServerError) {
        let context = try TLSContext(files)
        queue.async { [self] in tls = context }
    }

    private func startLoop() throws(HTTPServerError) {
        let poller = Poller(queue: queue, tickSeconds: limits.timerTickSeconds) { [self] events in
            attendingMailbox {
                // It may have been stopped while it waited for the queue.
                guard self.poller != nil else { return }
                handle(events)
                turnWheel()
            }
        }
        guard let poller else { throw HTTPServerError(description: "epoll: \(String(cString: strerror(errno)))") }
        self.poller = poller
        hasStarted = true
        reserve = Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC)
        watchListeners(true)
        wheel = TimerWheel(now: currentTick)
        // Dispatch opens a descriptor for its timers with the first of them; later there may be none left.
        queue.asyncAfter(deadline: .now() + 0.001) {}
    }

    // MARK: Events

    private func handle(_ events: UnsafeBufferPointer<epoll_event>) {
        assertOnLoop()
        for event in events {
            if let connection = connection(named: event.data.u64) {
                connection.handleEvents(event.events)
            } else if let listener = listeners.first(where: { token($0) == event.data.u64 }) {
                acceptAll(from: listener)
            }
        }
    }

    func add(_ descriptor: Int32, from listener: HTTPListener) {
        generation = generation == .max ? 1 : generation + 1
        guard let transport = transport(descriptor, listener) else {
            _ = Glibc.close(descriptor)
            return
        }
        let connection = HTTPConnection(
            descriptor: descriptor, generation: generation, transport: transport, server: self)
        let isFull = isFull
        connections[descriptor] = connection
        openConnections.store(connections.count, ordering: .relaxed)
        guard poller?.set(descriptor, to: 0, token: connection.token, isNew: true) == true else {
            return connection.close()
        }
        connection.open()
        if isFull { connection.refuse() } else { rememberNewcomer(connection) }
    }

    private func transport(_ descriptor: Int32, _ listener: HTTPListener) -> (any HTTPTransport)? {
        guard let tls, listener.speaksTLS else { return PlainTransport(descriptor: descriptor) }
        return TLSTransport(descriptor: descriptor, context: tls, scratch: cipherBuffer)
    }

    /// A listener's name in epoll: unlike a connection's it has no generation.
    func token(_ listener: HTTPListener) -> UInt64 { UInt64(UInt32(bitPattern: listener.descriptor)) }

    /// The connection of that name, unless it has been closed.
    func connection(named token: UInt64) -> HTTPConnection? {
        guard let connection = connections[Int32(truncatingIfNeeded: token & 0xFFFF_FFFF)],
            connection.generation == UInt32(truncatingIfNeeded: token >> 32)
        else { return nil }
        return connection
    }

    func setInterest(of connection: HTTPConnection, to events: UInt32) {
        poller?.set(connection.descriptor, to: events, token: connection.token)
    }

    func forget(_ connection: HTTPConnection) {
        assertOnLoop()
        connections[connection.descriptor] = nil
        if connection.isRefused { refusals -= 1 }
        openConnections.store(connections.count, ordering: .relaxed)
        if connections.isEmpty { queue.async { [self] in finishDrainIfDone() } }
    }

    // MARK: Time

    /// Seconds of the monotonic clock.
    var now: Double { Double(DispatchTime.now().uptimeNanoseconds) * 1e-9 }
    private var currentTick: Int { Int(now / limits.timerTickSeconds) }
    func tick(after seconds: Double) -> Int { Int((now + min(seconds, 1e6)) / limits.timerTickSeconds) + 1 }

    /// Puts a connection on the wheel, unless it already comes up early enough: a deadline that moves away, as almost
    /// all do, costs nothing.
    func schedule(_ connection: HTTPConnection) {
        let tick = wheel.slot(for: connection.deadline)
        guard tick < connection.wheelTick else { return }
        connection.wheelTick = tick
        wheel.insert(connection.token, at: tick)
    }

    private func turnWheel() {
        assertOnLoop()
        let now = currentTick
        while let (tick, names) = wheel.next(upTo: now) {
            for name in names {
                guard let connection = connection(named: name), connection.wheelTick == tick else { continue }
                connection.wheelTick = .max
                if connection.deadline <= tick {
                    connection.deadlinePassed()
                } else if connection.deadline != .max {
                    schedule(connection)
                }
            }
        }
    }

    // MARK: Draining

    /// Ends in good order: from now on every answer closes its connection; after `acceptSeconds` no connection is taken
    /// any more and idle ones are closed; what was accepted is finished, but not after `deadlineSeconds` from now.
    /// - Parameter completion: called once, on the loop queue, when nothing is left.
    package func drain(
        acceptSeconds: Double = 0, deadlineSeconds: Double = 25, completion: @escaping @Sendable () -> Void
    ) {
        queue.async { [self] in
            guard !isDraining else { return }
            isDraining = true
            drainCompletion = completion
            queue.asyncAfter(deadline: .now() + acceptSeconds) { [self] in stopAccepting() }
            queue.asyncAfter(deadline: .now() + deadlineSeconds) { [self] in
                stopAccepting()
                for connection in Array(connections.values) { connection.close() }
                finishDrainIfDone()
            }
        }
    }

    /// Takes no more clients, at once.
    package func stopListening() { queue.sync { stopAccepting() } }

    private func stopAccepting() {
        guard !listeners.isEmpty else { return finishDrainIfDone() }
        // Whoever is in the backlog has a connection already.
        var known = UInt32.max
        while known != generation {
            known = generation
            for listener in listeners { acceptAll(from: listener) }
        }
        watchListeners(false)
        for listener in listeners { listener.close() }
        listeners = []
        for connection in Array(connections.values) where connection.isIdle {
            // A request may have crossed with the decision.
            connection.handleEvents(EPOLLIN.rawValue)
            guard connection.isIdle else { continue }
            if connection.hasServed { connection.end() } else { connection.shortenFirstByte(to: 1) }
        }
        finishDrainIfDone()
    }

    private func finishDrainIfDone() {
        guard let completion = drainCompletion, connections.isEmpty, listeners.isEmpty else { return }
        drainCompletion = nil
        poller?.stop()
        poller = nil
        if reserve >= 0 { _ = Glibc.close(reserve) }
        reserve = -1
        completion()
    }
}
