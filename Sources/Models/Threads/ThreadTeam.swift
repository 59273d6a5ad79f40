import CSystem
import Synchronization

/// Work that consists of chunks, which may run in any order and several at once.
public protocol ParallelWork {
    /// Runs one chunk. It is a plain function, since a closure would be kept on the heap.
    static var runChunk: ThreadTeam.ChunkFunction { get }
}

/// A group of threads that run one forward pass together. The leader starts it; idle workers join as helpers and may leave
/// between two chunks.
///
/// A pass calls `run` for each of its phases. The leader claims chunks from the front and helpers from the back. The chunks
/// of consecutive phases thus meet the caches of the thread that had their neighbors before. Nothing depends on a helper:
/// without one the leader runs all chunks. A phase allocates nothing and takes no lock. A thread that waits spins for a moment
/// and then sleeps, the leader on a futex, helpers where they came from.
public final class ThreadTeam: @unchecked Sendable {
    /// A function that runs one chunk.
    /// - Parameters:
    ///   - work: The address of the work.
    ///   - chunk: 0 ..< chunks; each is run once.
    ///   - member: The thread's number, 0 ..< `size`. No member runs two chunks at once, so each can have its own memory.
    public typealias ChunkFunction = @convention(c) (_ work: UnsafeRawPointer, _ chunk: Int, _ member: Int) -> Void

    /// The reason for which `help` returned.
    public enum Departure: Sendable {
        /// The pass is over, or the team is full.
        case over
        /// No chunk came for a while. The leader calls again once it has one.
        case idle
        /// The helper was told to leave.
        case calledAway
    }

    /// The largest number of members, with the leader.
    public let size: Int
    /// Multiply-adds below which a chunk is not worth a hand-over. They take 2 to 10 µs, by instruction set and precision; a
    /// hand-over takes less than 1 µs.
    public let leastWork: Int
    /// The largest size: a place is a bit of `places`.
    private static let maxSize = 64
    private static let maxChunks = 0xffff
    private static let sleeping: UInt32 = 1 << 31
    /// The time to spin, in nanoseconds: longer than a thread takes to wake, shorter than what would show as load.
    private static let spinNanoseconds = 100_000

    /// Asks for helpers. It is called on the leader's thread.
    private let call: @Sendable (ThreadTeam) -> Void
    private let isOpenFlag = Atomic(false)
    private let wantsCall = Atomic(false)
    private let places = Atomic<UInt64>(1)
    /// The phase's number (32 bits), the first unclaimed chunk and the chunk behind the last unclaimed one (16 bits each).
    private let claims = Atomic<UInt64>(0)
    /// The number of unfinished chunks. The leader sleeps on this futex, with the bit `sleeping` set.
    private let unfinished = UnsafeMutablePointer<Atomic<UInt32>>.allocate(capacity: 1)
    // Written by the leader while no chunk can be claimed, read by threads that have claimed one.
    private var work: UnsafeRawPointer?
    private var runChunk: ChunkFunction?
    /// Helpers that were likely to come when the pass began; used by the leader only.
    private var expected = 0
    /// The time that helpers have spent in chunks of this pass.
    private let helperNanoseconds = Atomic(0)

    /// - Parameters:
    ///   - size: The largest number of members, with the leader.
    ///   - call: Asks for helpers, each of which then calls `help`.
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

    /// Whether a pass is running.
    public var isOpen: Bool { isOpenFlag.load(ordering: .acquiring) }

    /// Whether `help` would find a place in a pass at this moment. Any thread may ask.
    public var wantsHelpers: Bool { isOpen && places.load(ordering: .relaxed).nonzeroBitCount < size }

    /// Begins a pass.
    /// - Parameter helpers: Helpers that are likely to come when called. `nil` expects a full team.
    public func open(expecting helpers: Int? = nil) {
        if size == 1 { return }
        expected = helpers ?? size - 1
        helperNanoseconds.store(0, ordering: .relaxed)
        wantsCall.store(true, ordering: .relaxed)
        isOpenFlag.store(true, ordering: .releasing)
    }

    /// The time that helpers spent in chunks of the last pass, in seconds.
    public var helperSeconds: Double { Double(helperNanoseconds.load(ordering: .relaxed)) / 1e9 }

    /// Ends a pass. Helpers leave.
    public func close() {
        expected = 0
        isOpenFlag.store(false, ordering: .releasing)
    }

    /// Runs all chunks, at most 65,535, and returns when the last has ended. Only the leader's thread may call it, and not
    /// from within a chunk.
    public func run<Work: ParallelWork>(_ chunks: Int, _ work: Work) {
        withUnsafePointer(to: work) { work in
            let (pointer, runChunk) = (UnsafeRawPointer(work), Work.runChunk)
            if chunks <= 1 || chunks > ThreadTeam.maxChunks || !isOpenFlag.load(ordering: .relaxed) {
                for chunk in 0..<max(0, chunks) { runChunk(pointer, chunk, 0) }
                return
            }
            self.work = pointer
            self.runChunk = runChunk
            unfinished.pointee.store(UInt32(chunks), ordering: .relaxed)
            let phase = (claims.load(ordering: .relaxed) >> 32) &+ 1
            claims.store(phase << 32 | 1 << 16 | UInt64(chunks), ordering: .releasing)
            callIfWanted()
            var done: UInt32 = 0
            var next: Int? = 0
            while let chunk = next {
                runChunk(pointer, chunk, 0)
                done += 1
                next = claim(fromFront: true)
            }
            if unfinished.pointee.subtract(done, ordering: .acquiringAndReleasing).newValue != 0 { wait() }
        }
    }

    /// Returns the number of chunks, at least 1, that are worth a hand-over.
    /// - Parameter work: Multiply-adds of all chunks.
    func worth(_ work: Int) -> Int { max(1, work / leastWork) }

    /// Members that were likely when the pass began, with the leader.
    var expectedMembers: Int { 1 + expected }

    /// Returns the number of members, with the leader, that are there or likely to come, and calls for helpers if the work is
    /// worth sharing. If no worker is idle now, one may be later in the pass.
    /// - Parameter work: Multiply-adds.
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

    /// Waits until the helpers' last chunks have ended.
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

    /// Runs chunks on this thread until the pass is over, no chunk comes for a while, or `mayStay` returns false between two
    /// chunks.
    public func help(while mayStay: () -> Bool) -> Departure {
        guard let member = takePlace() else { return .over }
        defer { _ = places.bitwiseAnd(~(1 << UInt64(member)), ordering: .acquiringAndReleasing) }
        var spin = Spin(nanoseconds: ThreadTeam.spinNanoseconds)
        /// The end of the last chunk, if no time has passed since; 0 if some has.
        var time = 0
        while isOpenFlag.load(ordering: .acquiring) {
            if !mayStay() { return .calledAway }
            if let chunk = claim(fromFront: false) {
                let start = time == 0 ? encoderd_nanoseconds() : time
                if let work, let runChunk { runChunk(work, chunk, member) }
                time = encoderd_nanoseconds()
                helperNanoseconds.add(time - start, ordering: .relaxed)
                if unfinished.pointee.subtract(1, ordering: .acquiringAndReleasing).newValue == ThreadTeam.sleeping {
                    encoderd_futex_wake(unfinished, 1)
                }
                spin = Spin(nanoseconds: ThreadTeam.spinNanoseconds)
            } else if spin.isOver {
                return .idle
            } else {
                time = 0
            }
        }
        return .over
    }

    /// Makes the leader call when it next has chunks for helpers. A helper asks after it has left as `idle`, once it is sure
    /// that a call will reach it.
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
