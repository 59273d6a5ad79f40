/// The server that a connection belongs to: its event loop, and what all connections share. Everything is for use on the
/// loop, but for `executeOnLoop` and `enqueue`, which any thread may call.
protocol ConnectionOwner: AnyObject, Sendable {
    var limits: HTTPLimits { get }
    var handler: any RequestHandler { get }
    /// Whether every response is the last of its connection.
    var isDraining: Bool { get }
    /// The memory that all connections read into; nothing in it outlives a call.
    var readBuffer: UnsafeMutableRawBufferPointer { get }

    // MARK: The loop

    func assertOnLoop()
    /// Runs a closure on the loop soon, on the calling thread if the loop is free.
    func executeOnLoop(_ body: @escaping @Sendable () -> Void)
    /// Runs a closure on the loop after what it does now.
    func enqueue(_ body: @escaping @Sendable () -> Void)

    // MARK: Time

    /// The time of the monotonic clock in seconds.
    var now: Double { get }
    /// The number of the tick in which so many seconds from now have passed.
    func tick(after seconds: Double) -> Int
    /// Puts the connection's deadline on the timer wheel.
    func schedule(_ connection: HTTPConnection)

    // MARK: Connections

    func setInterest(of connection: HTTPConnection, to events: UInt32)
    /// Removes a connection that has closed.
    func remove(_ connection: HTTPConnection)
    /// Adds to the bytes that all connections hold.
    func addBuffered(_ bytes: Int)
    /// Whether a connection may hold `bytes` more. Evicts others if that makes room.
    func hasRoom(for bytes: Int, of connection: HTTPConnection) -> Bool
    /// Writes the head of a response.
    func head(of response: HTTPResponse, close: Bool, minorVersion: Int) -> [UInt8]
}
