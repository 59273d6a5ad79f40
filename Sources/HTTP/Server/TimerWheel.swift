/// Who is to be looked at when, in slots of a tick. Entries are names, not objects, so a closed connection's memory never
/// waits for its slot; whoever comes up early is put back.
struct TimerWheel {
    private var slots: [[UInt64]] = Array(repeating: [], count: 128)
    private(set) var lastTick = 0

    init(now: Int = 0) { lastTick = now }

    /// The slot that comes up for a deadline: not later than that, but no further off than the wheel's turn.
    func slot(for deadline: Int) -> Int { min(max(deadline, lastTick + 1), lastTick + slots.count - 1) }

    mutating func insert(_ name: UInt64, at tick: Int) { slots[tick % slots.count].append(name) }

    /// The names of the next tick up to `now`, and that tick; nil when all have been handed out.
    mutating func next(upTo now: Int) -> (tick: Int, names: [UInt64])? {
        guard lastTick < now else { return nil }
        lastTick += 1
        let slot = lastTick % slots.count
        let names = slots[slot]
        slots[slot] = []
        return (lastTick, names)
    }
}
