import CSystem
import Synchronization

/// Work in parts that may run in any order, several at once.
public protocol ParallelWork {
    /// Runs one part; `work` points at the whole. A plain function, since a closure would be kept on the heap.
    static var runPart: ThreadTeam.PartFunction { get }
}

/// Threads that share the work of one forward pass: its leader, who runs it, and helpers, who join when they have nothing
/// better to do and may leave between any two parts.
///
/// A pass calls `run` for each of its regions. The leader claims parts from the front and helpers from the back, so that
/// the parts of consecutive regions meet the caches of the thread that had their neighbors before. Nothing depends on a
/// helper: without any the leader does all. In a region nothing is allocated and no lock is taken; whoever waits spins
/// for a moment and then sleeps, the leader on a futex, helpers where they came from.
public final class ThreadTeam: @unchecked Sendable {
    /// - Parameters:
    ///   - part: 0 ..< parts; each is run once.
    ///   - member: 0 ..< `size`: who runs it. None runs two parts at once, so each can have memory of its own.
    public typealias PartFunction = @convention(c) (_ work: UnsafeRawPointer, _ part: Int, _ member: Int) -> Void

    /// Why a helper's `help` has returned.
    public enum Departure: Sendable {
        /// The pass is over, or there was no place.
        case over
        /// Nothing came for a while; the leader will call again when it has something.
        case idle
        /// It was not to stay.
        case calledAway
    }

    /// Most members, the leader among them.
    public let size: Int
    /// Multiply-adds below which a part is not worth a hand-over: 2 to 10 µs, by instruction set and precision, where the
    /// hand-over takes less than one.
    public let leastWork: Int
    /// A place is a bit of `places`.
    private static let maxSize = 64
    private static let maxParts = 0xffff
    private static let sleeping: UInt32 = 1 << 31
    /// How long to spin: above what it takes to wake a thread, below what would show as load.
    private static let spinNanoseconds = 100_000

    /// Asks for helpers; set once, before the first pass. Called on the leader's thread.
    private let call: @Sendable (ThreadTeam) -> Void
    private let isOpenFlag = Atomic(false)
    private let wantsCall = Atomic(false)
    private let places = Atomic<UInt64>(1)
    /// The region's number (32 bits), the first part that nobody has claimed, and the one behind the last (16 bits each).
    private let claims = Atomic<UInt64>(0)
    /// Parts that have not ended; the futex that the leader sleeps on, with the bit `sleeping` set then.
    private let unfinished = UnsafeMutablePointer<Atomic<UInt32>>.allocate(capacity: 1)
    // Written by the leader while no part is to be had, read by those who have claimed one.
    private var work: UnsafeRawPointer?
    private var runPart: PartFunction?
    // The leader's own.
    private var expected = 0

    /// - Parameter call: asks for helpers, each of which is then to call `help`.
    public init(size: Int, leastWork: Int = 1 << 18, call: @escaping @Sendable (ThreadTeam) -> Void = { _ in }) {
        self.size = min(max(size, 1), ThreadTeam.maxSize)
        self.leastWork = leastWork
        self.call = call
        unfinished.initialize(to: Atomic(0))
    }

    deinit {
        unfinished.deinitialize(count: 1)
        unfinished.deallocate()
    }

    // MARK: The leader

    public var isOpen: Bool { isOpenFlag.load(ordering: .acquiring) }

    /// Whether `help` would find a place in a pass; from any thread, so only as of now.
    public var wantsHelpers: Bool { isOpen && places.load(ordering: .relaxed).nonzeroBitCount < size }

    /// Before a pass.
    /// - Parameter helpers: how many are likely to come when called; nil: all.
    public func open(expecting helpers: Int? = nil) {
        if size == 1 { return }
        expected = helpers ?? size - 1
        wantsCall.store(true, ordering: .relaxed)
        isOpenFlag.store(true, ordering: .releasing)
    }

    /// After a pass; helpers leave.
    public func close() {
        expected = 0
        isOpenFlag.store(false, ordering: .releasing)
    }

    /// Runs all parts, at most 65,535, and returns when the last has ended. Only on the leader's thread, and not from
    /// within a part.
    public func run<Work: ParallelWork>(_ parts: Int, _ work: Work) {
        withUnsafePointer(to: work) { work in
            let (pointer, runPart) = (UnsafeRawPointer(work), Work.runPart)
            if parts <= 1 || parts > ThreadTeam.maxParts || !isOpenFlag.load(ordering: .relaxed) {
                for part in 0..<max(0, parts) { runPart(pointer, part, 0) }
                return
            }
            self.work = pointer
            self.runPart = runPart
            unfinished.pointee.store(UInt32(parts), ordering: .relaxed)
            let region = (claims.load(ordering: .relaxed) >> 32) &+ 1
            claims.store(region << 32 | 1 << 16 | UInt64(parts), ordering: .releasing)
            callIfWanted()
            var done: UInt32 = 0
            var next: Int? = 0
            while let part = next {
                runPart(pointer, part, 0)
                done += 1
                next = claim(fromFront: true)
            }
            if unfinished.pointee.subtract(done, ordering: .acquiringAndReleasing).newValue != 0 { wait() }
        }
    }

    /// Parts, at least one, that so many multiply-adds are worth.
    func worth(_ work: Int) -> Int { max(1, work / leastWork) }

    /// Members that were likely when the pass began.
    var expectedMembers: Int { 1 + expected }

    /// Members that are there or are likely to come, the leader among them, for work of so many multiply-adds. Calls for
    /// them if that is enough to share: should nobody be idle now, somebody may be later in the pass.
    func members(for work: Int) -> Int {
        if worth(work) == 1 || !isOpenFlag.load(ordering: .relaxed) { return 1 }
        callIfWanted()
        let helpers = places.load(ordering: .relaxed).nonzeroBitCount - 1
        return min(size, 1 + max(expected, helpers))
    }

    private func callIfWanted() {
        if !wantsCall.load(ordering: .relaxed) { return }
        wantsCall.store(false, ordering: .relaxed)
        call(self)
    }

    /// Until the helpers' last parts have ended.
    private func wait() {
        var spin = Spin(nanoseconds: ThreadTeam.spinNanoseconds)
        while !spin.isOver { if unfinished.pointee.load(ordering: .acquiring) == 0 { return } }
        var left = unfinished.pointee.bitwiseOr(ThreadTeam.sleeping, ordering: .acquiringAndReleasing).newValue
        while left != ThreadTeam.sleeping {
            encoderd_futex_wait(unfinished, left)
            left = unfinished.pointee.load(ordering: .acquiring)
        }
    }

    private func claim(fromFront: Bool) -> Int? {
        var word = claims.load(ordering: .relaxed)
        while true {
            let (front, back) = (Int(word >> 16 & 0xffff), Int(word & 0xffff))
            if front >= back { return nil }
            let (exchanged, found) = claims.weakCompareExchange(
                expected: word, desired: fromFront ? word + 1 << 16 : word - 1, successOrdering: .acquiring,
                failureOrdering: .relaxed)
            if exchanged { return fromFront ? front : back - 1 }
            word = found
        }
    }

    // MARK: Helpers

    /// Takes parts on this thread until the pass is over, or nothing comes for a while, or `mayStay`, asked between parts,
    /// says no.
    public func help(while mayStay: () -> Bool) -> Departure {
        guard let member = takePlace() else { return .over }
        defer { _ = places.bitwiseAnd(~(1 << UInt64(member)), ordering: .acquiringAndReleasing) }
        var spin = Spin(nanoseconds: ThreadTeam.spinNanoseconds)
        while isOpenFlag.load(ordering: .acquiring) {
            if !mayStay() { return .calledAway }
            if let part = claim(fromFront: false) {
                if let work, let runPart { runPart(work, part, member) }
                if unfinished.pointee.subtract(1, ordering: .acquiringAndReleasing).newValue == ThreadTeam.sleeping {
                    encoderd_futex_wake(unfinished, 1)
                }
                spin = Spin(nanoseconds: ThreadTeam.spinNanoseconds)
            } else if spin.isOver {
                return .idle
            }
        }
        return .over
    }

    /// Has the leader call when it next has something for helpers. For one who has left with `idle`, and has made sure that
    /// a call will reach it.
    public func askToBeCalled() { wantsCall.store(true, ordering: .relaxed) }

    private func takePlace() -> Int? {
        var taken = places.load(ordering: .relaxed)
        while true {
            let member = (~taken).trailingZeroBitCount
            if member >= size { return nil }
            let (exchanged, found) = places.weakCompareExchange(
                expected: taken, desired: taken | 1 << UInt64(member), successOrdering: .acquiringAndReleasing,
                failureOrdering: .relaxed)
            if exchanged { return member }
            taken = found
        }
    }
}

/// A bounded wait in a loop.
private struct Spin {
    private let nanoseconds: Int
    private var rounds = 0
    private var start: Int?

    init(nanoseconds: Int) { self.nanoseconds = nanoseconds }

    /// Pauses for some nanoseconds; true once the time is up. The clock is read only now and then.
    var isOver: Bool {
        mutating get {
            encoderd_pause()
            rounds += 1
            if rounds & 31 != 0 { return false }
            let now = encoderd_nanoseconds()
            guard let start else {
                self.start = now
                return false
            }
            return now - start > nanoseconds
        }
    }
}
