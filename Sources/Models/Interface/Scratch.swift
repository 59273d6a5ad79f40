/// The working memory of one worker, and the team that shares its forward passes. The memory grows as needed and is
/// reused, so that a warm forward pass allocates its results only.
public final class Scratch {
    public let team: ThreadTeam
    /// The place where a pass looks whether it should go on.
    public let control = PassControl()
    private var base: UnsafeMutableRawPointer?
    /// Bytes held.
    private(set) var capacity = 0
    /// Bytes handed out since the last `reserve`.
    private var used = 0

    public init(team: ThreadTeam = ThreadTeam(size: 1)) { self.team = team }
    deinit { base?.deallocate() }

    /// Prepares memory for one forward pass, which then takes 64-byte aligned pieces of it.
    /// - Parameter floats: The sum of all pieces in floats, each rounded up with `rounded`.
    public func reserve(floats: Int) {
        used = 0
        let bytes = floats * MemoryLayout<Float>.stride
        guard bytes > capacity else { return }
        base?.deallocate()
        base = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
        capacity = bytes
    }

    /// Returns the next `count` floats, uninitialized and 64-byte aligned.
    public func take(_ count: Int) -> UnsafeMutablePointer<Float> {
        let bytes = Scratch.rounded(count) * MemoryLayout<Float>.stride
        precondition(used + bytes <= capacity, "Scratch.reserve was asked for too little")
        defer { used += bytes }
        return (base! + used).bindMemory(to: Float.self, capacity: count)
    }

    /// Rounds a count of floats up to whole cache lines.
    public static func rounded(_ count: Int) -> Int { (count + 15) & ~15 }
}
