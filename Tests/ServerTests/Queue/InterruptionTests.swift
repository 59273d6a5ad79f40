import Concurrency
import Glibc
import JSON
import Models
import Synchronization
import Testing

@testable import Server

/// A network each of whose tokens takes ten milliseconds, and which looks at its control after each.
private struct SlowNetwork: Network {
    let description = Toy.description(.tokens(vocabularySize: 1000), maxLength: nil)
    let steps = Locked(0)

    func multiplications(length: Int, outputs: OutputSelection) -> Double { Double(length) * 1e7 }

    func forward(_ batch: [SequenceRequest], scratch: Scratch) -> [SequenceResult] {
        for request in batch {
            for _ in 0..<request.length {
                usleep(10_000)
                steps.withLock { $0 += 1 }
                guard scratch.control.shouldContinue() else { return [] }
            }
        }
        return batch.map { request in
            var result = SequenceResult()
            result.embedding = [Float(request.length), 0, 0, 0]
            return result
        }
    }
}

@Suite struct InterruptionTests {
    private func body(_ sequences: Int, of length: Int) -> String {
        let sequence = "[" + Array(repeating: "5", count: length).joined(separator: ",") + "]"
        return "{\"input\": [" + Array(repeating: sequence, count: sequences).joined(separator: ",") + "]}"
    }

    /// Workers with long requests answer short ones, errors and deadlines meanwhile.
    @Test(arguments: [1, 2]) func letsShortWorkThrough(threads: Int) throws {
        let slow = Model(name: "slow", directory: "", network: SlowNetwork(), tokenizer: nil)
        let api = try TestAPI([slow] + Toy.models, threads: threads)
        let long = (0..<threads).map { api.start(body(2, of: 100), client: .connection(UInt64($0))) }
        usleep(50_000)
        let short = [
            ("{\"model\": \"ids\", \"input\": [1]}", 200), ("{\"model\": \"slow\", \"input\": [1, 2]}", 200),
            ("{\"model\"", 400),
        ]
        for (request, status) in short {
            #expect(api.encode(request).status == status)
            #expect(!long.contains { $0.isAnswered }, "the long requests take two seconds")
        }
        let start = ContinuousClock.now
        #expect(api.encode(body(1, of: 190), ["X-Request-Timeout-Ms": "50"]).status == 504)
        #expect(start.duration(to: .now) >= .milliseconds(50))
        #expect(!long.contains { $0.isAnswered })
        for writer in long {
            #expect(
                writer.response.json["data"]?.array?.compactMap { $0["embedding"]?.array?.first?.int } == [100, 100])
        }
    }

    /// A pass ends when its client has gone, and when its deadline has passed.
    @Test(arguments: [false, true]) func stopsUnwantedPasses(expires: Bool) throws {
        let network = SlowNetwork()
        let api = try TestAPI([Model(name: "slow", directory: "", network: network, tokenizer: nil)], threads: 1)
        let long = api.start(body(1, of: 200), expires ? ["X-Request-Timeout-Ms": "20"] : [:])
        usleep(30_000)
        if !expires { long.cancel() }
        #expect(long.response.status == (expires ? 504 : 499))
        #expect(api.engine.waitUntilIdle(seconds: 5))
        #expect(network.steps.withLock { $0 } < 120)
        #expect(api.encode("{\"input\": [1]}").status == 200)
    }
}
