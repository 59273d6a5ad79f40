import Concurrency
import Foundation
import Glibc
import JSON
import Models
import Synchronization
import TestSupport
import Testing

@testable import Server

/// A model whose forward passes wait at a gate, and tell of themselves.
private final class GatedModel: Sendable {
    let gate = Gate()
    let entered = Gate()
    let batches = Locked<[[Int]]>([])

    var model: Model {
        Toy.model("gated", Toy.description(.tokens(vocabularySize: 1000), maxLength: nil)) { [self] batch in
            batches.withLock { $0.append(batch.map(\.length)) }
            entered.open()
            gate.wait()
        }
    }
}

@Suite struct QueueTests {
    @Test func answersManyAtOnce() throws {
        let api = try TestAPI()
        let writers = (0..<200).map { i in
            (
                i,
                api.start(
                    "{\"input\": [[\(i % 100)], [\((1...(1 + i % 7)).map { String(($0 * 31 + i) % 100) }.joined(separator: ","))]]}"
                )
            )
        }
        for (i, writer) in writers {
            let items = writer.response.json["data"]?.array ?? []
            let ids = (1...(1 + i % 7)).map { ($0 * 31 + i) % 100 }
            #expect(items.count == 2)
            #expect(items.first?["embedding"]?.array?.first?.int == i % 100)
            #expect(
                items.last?["embedding"]?.array?.map(\.int) == [
                    ids.reduce(0, +), ids.count, ids[0], ids[ids.count - 1],
                ])
        }
        #expect(api.engine.waitUntilIdle(seconds: 10))
        #expect(api.engine.status.queuedTokens == 0 && api.engine.status.queuedSequences == 0)
    }

    /// Requests that come just when workers spin, fall asleep or wake up are not overlooked. There is one client: others
    /// would wake whoever has missed something.
    @Test(arguments: [1, 2, 4]) func overlooksNothing(threads: Int) throws {
        let api = try TestAPI(threads: threads)
        for _ in 0..<2000 {
            usleep(.random(in: 0..<400))
            let burst = (0...Int.random(in: 0..<4)).map { _ in
                api.start(Bool.random() ? "{\"input\": [1]}" : "{\"input\": [[1], [2, 3], [4]]}")
            }
            for writer in burst { #expect(writer.response.status == 200) }
        }
        #expect(api.engine.waitUntilIdle(seconds: 10))
    }

    @Test func batchesWhatPilesUp() throws {
        let gated = GatedModel()
        var limits = QueueLimits()
        limits.maxBatchTokens = 8
        limits.maxBatchSeconds = .infinity
        limits.interactiveSeconds = .infinity
        let api = try TestAPI([gated.model], threads: 1, queue: limits)
        let first = api.start("{\"input\": [1]}")
        gated.entered.wait()
        let rest = [3, 4, 2, 9, 1].map { length in
            api.start("{\"input\": [\(Array(repeating: "5", count: length).joined(separator: ","))]}")
        }
        gated.gate.open()
        for writer in [first] + rest { #expect(writer.response.status == 200) }
        // A batch has at most 8 tokens: 3 + 4 go together; the 9 goes alone.
        #expect(gated.batches.withLock { $0 } == [[1], [3, 4], [2], [9], [1]])
    }

    @Test func refusesWhenFull() throws {
        let gated = GatedModel()
        var limits = QueueLimits()
        limits.maxRequests = 2
        let api = try TestAPI([gated.model], threads: 1, queue: limits)
        let first = api.start("{\"input\": [1]}")
        gated.entered.wait()
        let second = api.start("{\"input\": [2]}")
        let third = api.encode("{\"input\": [3]}")
        #expect(third.status == 429)
        #expect(third.error["code"]?.string == "queue_full")
        #expect(third.headers["Retry-After"] == "1")
        gated.gate.open()
        #expect(first.response.status == 200)
        #expect(second.response.status == 200)
    }

    @Test func refusesTooManyTokens() throws {
        let gated = GatedModel()
        var limits = QueueLimits()
        limits.maxQueuedTokens = 4
        let api = try TestAPI([gated.model], threads: 1, queue: limits)
        let first = api.start("{\"input\": [1]}")
        gated.entered.wait()
        let second = api.start("{\"input\": [2, 2, 2]}")
        let third = api.start("{\"input\": [3, 3]}")
        gated.gate.open()
        #expect(first.response.status == 200)
        #expect(second.response.status == 200)
        #expect(third.response.status == 429)
    }

    @Test func dropsCancelledAndExpiredWork() throws {
        let gated = GatedModel()
        let api = try TestAPI([gated.model], threads: 1)
        let first = api.start("{\"input\": [1]}")
        gated.entered.wait()
        let cancelled = api.start("{\"input\": [2, 2]}", cancelled: true)
        let expired = api.start("{\"input\": [3, 3, 3]}", ["X-Request-Timeout-Ms": "0"])
        let last = api.start("{\"input\": [4, 4, 4, 4]}")
        gated.gate.open()
        #expect(first.response.status == 200)
        #expect(cancelled.response.status == 499)
        #expect(expired.response.status == 504)
        #expect(last.response.status == 200)
        #expect(gated.batches.withLock { $0 } == [[1], [4]])
    }

    @Test func drains() throws {
        let gated = GatedModel()
        let api = try TestAPI([gated.model], threads: 1)
        let first = api.start("{\"input\": [1]}")
        gated.entered.wait()
        api.engine.drain()
        #expect(api.encode("{\"input\": [2]}").error["code"]?.string == "draining")
        #expect(api.get("/ready").status == 503)
        #expect(api.get("/health").status == 200)
        #expect(!api.engine.waitUntilIdle(seconds: 0))
        gated.gate.open()
        #expect(first.response.status == 200)
        #expect(api.engine.waitUntilIdle(seconds: 10))
    }

    @Test func failsWhatIsLeftWhenStopped() throws {
        let gated = GatedModel()
        let api = try TestAPI([gated.model], threads: 1)
        let first = api.start("{\"input\": [1]}")
        gated.entered.wait()
        let second = api.start("{\"input\": [2]}")
        gated.gate.open()
        api.engine.stop()
        #expect(first.response.status == 200)
        #expect([200, 503].contains(second.response.status))
        #expect(api.encode("{\"input\": [3]}").status == 503)
    }

    @Test(arguments: [("max 100000\n", nil), ("150000 100000\n", 2), ("50000 100000", 1), ("x", nil), ("0 0", nil)])
    func readsQuotas(_ text: String, _ expected: Int?) { #expect(AvailableProcessors.parse(text) == expected) }

    /// A quota may be that of a group or of one around it, of cgroup v2 or v1.
    @Test(
        arguments: [
            ("0::/a/b\n", ["a/b/cpu.max": "max 100000\n", "a/cpu.max": "250000 100000\n"], 3),
            ("0::/\n", ["cpu.max": "50000 100000\n"], 1),
            ("0::/a\n", ["a/cpu.max": "max 100000\n"], nil),
            (
                "12:cpu,cpuacct:/docker/x\n3:memory:/docker/x\n",
                ["cpu/docker/x/cpu.cfs_quota_us": "200000\n", "cpu/docker/x/cpu.cfs_period_us": "100000\n"], 2
            ),
            ("4:cpuacct,cpu:/x\n", ["cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"], nil),
            ("4:cpu:/x\n0::/\n", ["cpu/cpu.cfs_quota_us": "350000\n", "cpu/cpu.cfs_period_us": "100000\n"], 4),
            ("4:cpuset:/x\nnonsense\n", [:], nil),
        ] as [(String, [String: String], Int?)])
    func findsQuotas(membership: String, files: [String: String], expected: Int?) throws {
        let folder = try ScratchDirectory()
        try folder.write("membership", Array(membership.utf8))
        for (path, text) in files {
            let file = URL(fileURLWithPath: folder.path).appendingPathComponent("cgroup/" + path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try folder.write("cgroup/" + path, Array(text.utf8))
        }
        #expect(
            AvailableProcessors.quota(root: folder.path + "/cgroup", membership: folder.path + "/membership")
                == expected)
    }
}
