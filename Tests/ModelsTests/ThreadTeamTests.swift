import Concurrency
import Glibc
import KernelSelection
import Synchronization
import TestSupport
import Testing

@testable import Models

/// Work that counts how often each chunk runs, and the members that run it.
private final class Tally: Sendable {
    let parts: [Slot]
    let members: [Slot]
    /// Parts that met another one with their own member number.
    let clashes = Slot()
    final class Slot: Sendable {
        let value = Atomic(0)
        var count: Int { value.load(ordering: .relaxed) }
    }

    init(parts: Int, members: Int) {
        self.parts = (0..<parts).map { _ in Slot() }
        self.members = (0..<members).map { _ in Slot() }
    }
}

private struct TallyWork: ParallelWork {
    let tally: Tally
    /// Plain memory, [parts], which the parts add to: what one region wrote, whoever runs a part of the next must see.
    let sums: UnsafeMutablePointer<Int>

    static let runChunk: ThreadTeam.ChunkFunction = { work, part, member in
        let work = work.assumingMemoryBound(to: TallyWork.self).pointee
        if work.tally.members[member].value.add(1, ordering: .relaxed).oldValue != 0 {
            work.tally.clashes.value.add(1, ordering: .relaxed)
        }
        work.tally.parts[part].value.add(1, ordering: .relaxed)
        work.sums[part] += part
        work.tally.members[member].value.subtract(1, ordering: .relaxed)
    }
}

/// Two parts that wait, once begun, until it is over.
private struct Rendezvous: ParallelWork {
    let begun: Tally
    let isOver: @Sendable () -> Bool

    /// - Parameter isOver: nil: when both have begun.
    init(begun: Tally, until isOver: (@Sendable () -> Bool)? = nil) {
        self.begun = begun
        self.isOver = isOver ?? { begun.parts.allSatisfy { $0.count > 0 } }
    }

    static let runChunk: ThreadTeam.ChunkFunction = { work, part, _ in
        let work = work.assumingMemoryBound(to: Rendezvous.self).pointee
        work.begun.parts[part].value.add(1, ordering: .relaxed)
        let deadline = ContinuousClock.now + .seconds(20)
        while !work.isOver(), .now < deadline { sched_yield() }
    }
}

/// To be run with the thread sanitizer too: `swift test --sanitize=thread --filter ThreadTeamTests`.
@Suite struct ThreadTeamTests {
    private static func rounds(_ team: ThreadTeam, _ parts: Int, _ rounds: Int, pause: (Int) -> Void = { _ in }) {
        let tally = Tally(parts: parts, members: team.size)
        let sums = UnsafeMutablePointer<Int>.allocate(capacity: max(parts, 1))
        sums.initialize(repeating: 0, count: parts)
        defer { sums.deallocate() }
        for round in 0..<rounds {
            team.run(parts, TallyWork(tally: tally, sums: sums))
            // Read by the leader as soon as `run` returns.
            for part in 0..<parts where sums[part] != part * (round + 1) {
                Issue.record("part \(part) of \(parts) after region \(round)")
                return
            }
            pause(round)
        }
        #expect(tally.parts.allSatisfy { $0.count == rounds })
        #expect(tally.members.allSatisfy { $0.count == 0 } && tally.clashes.count == 0)
    }

    @Test(arguments: [0, 1, 2, 3, 7], [0, 1, 2, 3, 17, 500])
    func runsEachPartOnce(_ helpers: Int, _ parts: Int) {
        let threads = HelperThreads(count: helpers)
        for _ in 0..<3 {
            threads.team.open()
            Self.rounds(threads.team, parts, 2000 / max(1, parts))
            threads.team.close()
        }
        // Without a pass nobody helps.
        Self.rounds(threads.team, parts, 2)
    }

    @Test func helpersTakePart() {
        let threads = HelperThreads(count: 1)
        for pass in 0..<20 {
            threads.team.open()
            // Every other pass begins after the helper has gone to sleep for want of parts.
            for region in 0..<3 {
                let begun = Tally(parts: 2, members: 2)
                threads.team.run(2, Rendezvous(begun: begun))
                #expect(begun.parts.allSatisfy { $0.count == 1 }, "pass \(pass) region \(region)")
                if pass % 2 == 1 { usleep(2000) }
            }
            threads.team.close()
        }
    }

    @Test func leaderNeedsNobody() {
        let calls = Atomic(0)
        let team = ThreadTeam(size: 4) { _ in calls.add(1, ordering: .relaxed) }
        team.open()
        Self.rounds(team, 5, 100)
        team.close()
        #expect(calls.load(ordering: .relaxed) == 1)
        #expect(team.help(while: { true }) == .over)
    }

    @Test func knowsWhetherAHelperWouldFindAPlace() throws {
        let team = ThreadTeam(size: 2)
        #expect(!team.wantsHelpers)
        team.open()
        #expect(team.wantsHelpers)
        let begun = Tally(parts: 2, members: 2)
        let helper = try #require(POSIXThread { while team.help(while: { true }) == .idle {} })
        let wanted = Atomic(true)
        let observer = try #require(
            POSIXThread {
                let deadline = ContinuousClock.now + .seconds(20)
                while begun.parts.contains(where: { $0.count == 0 }), .now < deadline { sched_yield() }
                wanted.store(team.wantsHelpers, ordering: .relaxed)
                begun.clashes.value.store(1, ordering: .releasing)
            })
        team.run(2, Rendezvous(begun: begun, until: { begun.clashes.value.load(ordering: .acquiring) == 1 }))
        observer.join()
        let wasWanted = wanted.load(ordering: .relaxed)
        #expect(!wasWanted)
        team.close()
        helper.join()
        #expect(!team.wantsHelpers)
    }

    /// Helpers that come and go at any time, more than there are places.
    @Test func helpersComeAndGo() {
        let team = ThreadTeam(size: 3)
        let ended = Atomic(false)
        let departures = Tally(parts: 3, members: 1)
        let threads = (0..<4).compactMap { _ in
            POSIXThread {
                var patience = 0
                while !ended.load(ordering: .acquiring) {
                    patience = (patience + 7) % 50
                    var left = patience
                    let departure = team.help {
                        left -= 1
                        return left > 0
                    }
                    let index = [.over, .idle, .calledAway].firstIndex(of: departure) ?? 0
                    departures.parts[index].value.add(1, ordering: .relaxed)
                    if departure != .calledAway { sched_yield() }
                }
            }
        }
        #expect(threads.count == 4)
        for pass in 0..<200 {
            team.open()
            Self.rounds(team, 1 + pass % 40, 30) { if $0 % 10 == 9 { sched_yield() } }
            team.close()
        }
        ended.store(true, ordering: .releasing)
        for thread in threads { thread.join() }
        #expect(departures.parts[0].count > 0 && departures.parts[2].count > 0)
    }

    /// A pass that a team shares gives the same bits as one that does not, however it is cut: by columns, by rows, in blocks.
    @Test(arguments: Table.all, Precision.allCases)
    func sharingChangesNothing(_ table: Table, _ precision: Precision) throws {
        for name in [
            "bert", "pre-gelu-learned-features", "post-relu-none-ids", "bert-classes", "plain-pre-final", "odd",
        ] {
            let model = try Model.load(
                directory: TransformerTests.folder + "/" + name, name: name, kernels: table.kernels,
                precision: precision)
            let longest = model.description.architecture.positions ?? 600
            for lengths in [[1], [7], [16], [23], [24], [25], [131], [600], [3, 1, 5], [40, 1, 9, 300, 200, 100]] {
                try Self.compare(
                    model, lengths.map { min($0, longest) }, helpers: lengths == [131] ? 15 : lengths.count % 3 + 1,
                    leastWork: 1)
            }
        }
    }

    @Test(arguments: Precision.allCases) func sharingChangesNothingOfMiniLM(_ precision: Precision) throws {
        let model = try Model.load(
            directory: Folders.repository + "/models/minilm", name: "minilm",
            kernels: Table.all[Table.all.count - 1].kernels,
            precision: precision)
        for lengths in [[1], [16], [23], [128], [512], [13, 128, 12, 20, 28, 36, 68, 70, 28, 203]] {
            try Self.compare(model, lengths, helpers: 1, leastWork: 1 << 18)
        }
    }

    private static func compare(_ model: Model, _ lengths: [Int], helpers: Int, leastWork: Int) throws {
        let d = model.description
        let requests = lengths.enumerated().map { n, length in
            var outputs = OutputSelection()
            outputs.stateLayers = Array(0...d.architecture.layers)
            outputs.pooling = [.mean]
            outputs.embeddingLayer = d.architecture.layers
            outputs.logits = d.outputs.logitsSize != nil
            if n == 1 {
                outputs.attention = AttentionSelection(
                    method: .raw, layers: [d.architecture.layers - 1], heads: Array(0..<d.architecture.heads),
                    queries: [0])
            }
            let input = d.architecture.input.sequence(
                length: length, id: { position, size in (position * 7 + n) % size },
                feature: { Float(($0 * 37 + n) % 101) / 50 - 1 })
            return SequenceRequest(input: input, outputs: outputs)
        }
        let alone = model.network.forward(requests, scratch: Scratch())
        let threads = HelperThreads(count: helpers, leastWork: leastWork)
        let scratch = Scratch(team: threads.team)
        for _ in 0..<3 {
            threads.team.open()
            let shared = model.network.forward(requests, scratch: scratch)
            threads.team.close()
            for (a, b) in zip(alone, shared) {
                #expect(a.states == b.states && a.states.count == d.architecture.layers + 1, "\(model.name) \(lengths)")
                #expect(a.embedding == b.embedding && a.embedding?.contains(where: \.isNaN) == false)
                #expect(a.logits == b.logits && a.attention?.weights == b.attention?.weights)
            }
        }
    }
}
