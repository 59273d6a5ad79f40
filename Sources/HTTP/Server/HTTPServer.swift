import CSystem
import Concurrency
import Dispatch
import Glibc
import Synchronization

/// An HTTP/1.1 server: one event loop on a serial Dispatch queue. All state belongs to the loop, and every entry checks
/// that it is on it. One epoll descriptor holds the listeners and all sockets. No socket therefore needs a Dispatch source,
/// with its rules about the order of canceling and closing.
package final class HTTPServer: ConnectionOwner, @unchecked Sendable {
    /// The limits on connections and requests.
    package let limits: HTTPLimits
    let handler: any RequestHandler
    let queue = DispatchQueue(label: "encoderd.http")
    let readBuffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 64)
    private let cipherBuffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 64)
    private var encoder = HTTPResponseEncoder()
    private(set) var isDraining = false
    /// The number of bytes that all connections hold of requests and responses.
    private(set) var bufferedBytes = 0

    private(set) var poller: Poller?
    var listeners: [HTTPListener] = []
    /// The certificate and key of connections over the network; `nil` if they are not encrypted.
    private(set) var tls: TLSContext?
    /// A spare descriptor, given up when the process has no other left, so that a client can be accepted and closed.
    var reserve: Int32 = -1
    private(set) var connections: [Int32: HTTPConnection] = [:]
    private(set) var generation: UInt32 = 0
    /// The tokens of the connections whose first request may not have arrived, in order of arrival.
    var withoutRequest = FIFO<UInt64>()
    /// The connections that are idle.
    var idle = EvictionCandidates()
    /// The connections that hold bytes of a body or response.
    var buffering = EvictionCandidates()
    /// The number of connections over the limit that are being refused.
    private(set) var refusals = 0
    private var wheel = TimerWheel()
    private var drainCompletion: (@Sendable () -> Void)?
    private let openConnections = Atomic(0)
    private let pendingTasks = Locked(PendingTasks())
    /// The key of a value that only the loop queue has.
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

    /// The number of open connections. Safe to read from any thread.
    package var connectionCount: Int { openConnections.load(ordering: .relaxed) }

    func assertOnLoop() { dispatchPrecondition(condition: .onQueue(queue)) }

    // MARK: Entering the loop

    private struct PendingTasks {
        /// Whether a thread is in the loop that runs the tasks before it leaves.
        var hasRunner = false
        var tasks: [@Sendable () -> Void] = []
    }

    /// Runs a closure on the loop soon. If no thread is in the loop, the calling one runs it: waking another may take longer
    /// than all else of a short response. Else the thread in the loop runs it.
    func executeOnLoop(_ body: @escaping @Sendable () -> Void) {
        let isTaken = pendingTasks.withLock { pending in
            if pending.hasRunner { pending.tasks.append(body) }
            return pending.hasRunner
        }
        if isTaken { return }
        if DispatchQueue.getSpecific(key: loopKey) != nil { return queue.async(execute: body) }
        queue.sync { runPendingTasks(after: body) }
    }

    func enqueue(_ body: @escaping @Sendable () -> Void) { queue.async(execute: body) }

    /// Runs a closure, and then the tasks that other threads add meanwhile.
    private func runPendingTasks(after body: () -> Void) {
        pendingTasks.withLock { $0.hasRunner = true }
        body()
        for _ in 0..<Self.maxRounds {
            let tasks = pendingTasks.withLock { pending in
                pending.hasRunner = !pending.tasks.isEmpty
                defer { pending.tasks = [] }
                return pending.tasks
            }
            if tasks.isEmpty { return }
            for task in tasks { task() }
        }
        // Tasks without end do not keep the poller out. Until this runs, further ones are added to those pending.
        queue.async { [self] in runPendingTasks(after: {}) }
    }

    private static let maxRounds = 16

    // MARK: Starting

    /// Listens on an address or host name; port 0 takes a free one. A server starts once.
    /// - Returns: the port of the listener.
    package func start(host: String, port: Int) throws(HTTPServerError) -> Int {
        try start([.tcp(host: host, port: port)])
        return queue.sync { listeners.first?.port ?? 0 }
    }

    /// Listens on all of the addresses, or throws and listens on none. Listens on none as well if the server is draining. A
    /// server starts once.
    /// - Returns: the names of the addresses for clients, such as `http://127.0.0.1:8080`.
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

    /// Encrypts all connections from the next one on, but those to plain addresses and Unix-domain sockets. Changes nothing
    /// if the files cannot be used.
    package func useTLS(_ files: TLSFiles) throws(HTTPServerError) {
        let context = try TLSContext(files)
        queue.async { [self] in tls = context }
    }

    private func startLoop() throws(HTTPServerError) {
        let poller = Poller(queue: queue, tickSeconds: limits.timerTickSeconds) { [self] events in
            runPendingTasks {
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
            descriptor: descriptor, generation: generation, transport: transport, owner: self)
        let isFull = isFull
        connections[descriptor] = connection
        openConnections.store(connections.count, ordering: .relaxed)
        guard poller?.set(descriptor, to: 0, token: connection.token, isNew: true) == true else {
            return connection.close()
        }
        connection.open()
        if isFull {
            refusals += 1
            connection.refuse()
        } else {
            rememberWithoutRequest(connection)
        }
    }

    private func transport(_ descriptor: Int32, _ listener: HTTPListener) -> (any HTTPTransport)? {
        guard let tls, listener.speaksTLS else { return PlainTransport(descriptor: descriptor) }
        return TLSTransport(descriptor: descriptor, context: tls, scratch: cipherBuffer)
    }

    /// The token of a listener in epoll: unlike a connection's, it has no generation.
    func token(_ listener: HTTPListener) -> UInt64 { UInt64(UInt32(bitPattern: listener.descriptor)) }

    /// The connection with a token; `nil` if it has been closed.
    func connection(named token: UInt64) -> HTTPConnection? {
        guard let connection = connections[Int32(truncatingIfNeeded: token & 0xFFFF_FFFF)],
            connection.generation == UInt32(truncatingIfNeeded: token >> 32)
        else { return nil }
        return connection
    }

    func setInterest(of connection: HTTPConnection, to events: UInt32) {
        poller?.set(connection.descriptor, to: events, token: connection.token)
    }

    func remove(_ connection: HTTPConnection) {
        assertOnLoop()
        connections[connection.descriptor] = nil
        if connection.isRefused { refusals -= 1 }
        openConnections.store(connections.count, ordering: .relaxed)
        if connections.isEmpty { queue.async { [self] in finishDrainIfDone() } }
    }

    func addBuffered(_ bytes: Int) { bufferedBytes += bytes }

    func head(of response: HTTPResponse, close: Bool, minorVersion: Int) -> [UInt8] {
        encoder.head(of: response, close: close, minorVersion: minorVersion)
    }

    // MARK: Time

    /// The time of the monotonic clock in seconds.
    var now: Double { Double(DispatchTime.now().uptimeNanoseconds) * 1e-9 }
    private var currentTick: Int { Int(now / limits.timerTickSeconds) }
    func tick(after seconds: Double) -> Int { Int((now + min(seconds, 1e6)) / limits.timerTickSeconds) + 1 }

    /// Puts a connection on the timer wheel, unless its slot there comes up early enough. A deadline that moves away, as
    /// almost all do, costs nothing.
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

    /// Shuts down gracefully. From now on every response closes its connection. After `acceptSeconds` no connection is
    /// accepted and idle ones are closed. Accepted requests are finished within `deadlineSeconds` from now.
    /// - Parameter completion: called once, on the loop, when no connection is left.
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

    /// Stops accepting connections at once.
    package func stopListening() { queue.sync { stopAccepting() } }

    private func stopAccepting() {
        guard !listeners.isEmpty else { return finishDrainIfDone() }
        // A client in the backlog has a connection already.
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
