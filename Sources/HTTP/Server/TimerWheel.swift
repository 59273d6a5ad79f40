/// The deadlines of connections in slots of one tick each. Entries are tokens, not objects, so that the memory of a closed
/// connection does not wait for its slot. An entry that comes up before its deadline is put back.
struct TimerWheel {
    private var slots: [[UInt64]] = Array(repeating: [], count: 128)
    private(set) var lastTick = 0

    init(now: Int = 0) { lastTick = now }

    /// Returns the tick at which to look at a deadline: not later than that, and within one turn of the wheel.
    func slot(for deadline: Int) -> Int { min(max(deadline, lastTick + 1), lastTick + slots.count - 1) }

    mutating func insert(_ name: UInt64, at tick: Int) { slots[tick % slots.count].append(name) }

    /// Removes and returns the entries of the next tick up to `now`, with that tick; `nil` if no such tick is left.
    mutating func next(upTo now: Int) -> (tick: Int, names: [UInt64])? {
        guard lastTick < now else { return nil }
        lastTick += 1
        let slot = lastTick % slots.count
        let names = slots[slot]
        slots[slot] = []
        return (lastTick, names)
    }
}
