import Glibc
import Models
import Synchronization
import Testing

@testable import Server

/// A region whose parts wait until `enough` says so, 20 s at most.
private struct Waiting: ParallelWork {
    let began: @Sendable (Int) -> Void
    let enough: @Sendable () -> Bool

    static let runChunk: ThreadTeam.ChunkFunction = { work, part, _ in
        let work = work.assumingMemoryBound(to: Waiting.self).pointee
        work.began(part)
        let deadline = ContinuousClock.now + .seconds(20)
        while !work.enough(), .now < deadline { usleep(100) }
    }
}

/// The toy network, whose passes over sequences of one token run `body` with the team first.
private struct TeamNetwork: Network {
    var description: ModelDescription { Toy.description(.tokens(vocabularySize: 1000), maxLength: nil) }
    let body: @Sendable (ThreadTeam) -> Void

    func multiplications(length: Int, outputs: OutputSelection) -> Double { Double(length) }

    func forward(_ batch: [SequenceRequest], scratch: Scratch) -> [SequenceResult] {
        if batch.contains(where: { $0.length == 1 }) { body(scratch.team) }
        return ToyNetwork(description: description).forward(batch, scratch: scratch)
    }

    static func model(_ body: @escaping @Sendable (ThreadTeam) -> Void) -> Model {
        Model(name: "team", directory: "", network: TeamNetwork(body: body), tokenizer: nil)
    }
}

private final class Count: Sendable {
    private let atomic = Atomic(0)
    var value: Int { atomic.load(ordering: .sequentiallyConsistent) }
    func increment() { atomic.add(1, ordering: .sequentiallyConsistent) }
}

/// How idle workers join others' passes, and leave them.
@Suite struct QueueTeamTests {
    /// Both parts of a lone request's regions are under way at once: the other worker has one. It comes back after it has
    /// gone to sleep for want of parts.
    @Test(arguments: [0, 2000] as [UInt32]) func idleWorkersHelp(_ pause: UInt32) throws {
        let regions = Count()
        let model = TeamNetwork.model { team in
            for _ in 0..<3 {
                let parts = Count()
                team.run(2, Waiting(began: { _ in parts.increment() }, enough: { parts.value == 2 }))
                if parts.value == 2 { regions.increment() }
                usleep(pause)
            }
        }
        let api = try TestAPI([model], threads: 2)
        for request in 1...5 {
            #expect(api.encode("{\"input\": [1]}").status == 200)
            #expect(regions.value == 3 * request)
        }
        #expect(api.engine.waitUntilIdle(seconds: 10))
    }

    /// While a worker's pass goes on, its helper answers a request that comes.
    @Test func helpersLeaveForWork() throws {
        let (helped, answered) = (Gate(), Count())
        let model = TeamNetwork.model { team in
            let deadline = ContinuousClock.now + .seconds(20)
            while answered.value == 0, .now < deadline {
                let parts = Count()
                team.run(
                    2,
                    Waiting(
                        began: { _ in
                            parts.increment()
                            if parts.value == 2 { helped.open() }
                        }, enough: { true }))
            }
        }
        let api = try TestAPI([model], threads: 2)
        let long = api.start("{\"input\": [1]}")
        helped.wait()
        #expect(api.encode("{\"input\": [2, 2]}").status == 200)
        answered.increment()
        #expect(long.response.status == 200)
    }

    /// A pass whose possible helpers are busy elsewhere is computed by its leader alone.
    @Test func busyWorkersAreNotWaitedFor() throws {
        let (blocked, gate, parts) = (Gate(), Gate(), Count())
        let model = TeamNetwork.model { team in
            for _ in 0..<100 { team.run(4, Waiting(began: { _ in parts.increment() }, enough: { true })) }
        }
        let other = Toy.model("other", Toy.description(.tokens(vocabularySize: 1000), maxLength: nil)) { _ in
            blocked.open()
            gate.wait()
        }
        let api = try TestAPI([model, other], threads: 2)
        let waiting = api.start("{\"model\": \"other\", \"input\": [1]}")
        blocked.wait()
        #expect(api.encode("{\"model\": \"team\", \"input\": [1]}").status == 200)
        #expect(parts.value == 400)
        gate.open()
        #expect(waiting.response.status == 200)
    }

    /// Many passes of several workers at once, each with a team, over and over.
    @Test func manyTeamsAtOnce() throws {
        let parts = Count()
        let model = TeamNetwork.model { team in
            for count in 1...9 { team.run(count, Waiting(began: { _ in parts.increment() }, enough: { true })) }
        }
        let api = try TestAPI([model], threads: 4)
        for _ in 0..<20 {
            let writers = (0..<10).map { _ in api.start("{\"input\": [1]}") }
            for writer in writers { #expect(writer.response.status == 200) }
        }
        // 45 a pass; requests may share one.
        #expect(parts.value % 45 == 0 && parts.value >= 45)
    }
}
