import KernelSelection
import Testing

/// Attention of which each query sees a part of the keys, and sequences longer than a block of keys.
@Suite struct AttentionSpanTests {
    /// The spans by their names in Tests/Reference/kernels.py, which makes the masks with transformers' functions.
    static let spans: [(name: String, span: AttentionSpan)] = [
        ("causal", .causal), ("causal.1", .causal(window: 1)), ("causal.40", .causal(window: 40)),
        ("causal.600", .causal(window: 600)), ("local.0", .local(window: 0)), ("local.7", .local(window: 7)),
        ("local.128", .local(window: 128)), ("local.1000", .local(window: 1000)),
    ]

    /// A head over rows of `dim` floats.
    struct Head {
        let table: Table
        let (q, k, v): (Buffer, Buffer, Buffer)
        let keys: Int
        let dim: Int
        var span = AttentionSpan.all
        var scale: Float = 0.25

        /// - Returns: [count, dim], and the statistics [count, 2].
        func run(_ first: Int, _ count: Int, position: Int? = nil) -> (out: [Float], statistics: Buffer) {
            let scratch = Buffer(table.kernels.attention(.f32).scratchCount(count, keys, dim, dim))
            let out = Buffer(count * dim)
            let statistics = Buffer(2 * count)
            table.kernels.attention(.f32).run(
                AttentionArguments(
                    q: q.base + first * dim, ldq: dim, k: k.base, ldk: dim, v: v.base, ldv: dim, out: out.base,
                    ldOut: dim, statistics: statistics.base, queries: count, keys: keys, headDim: dim, valueDim: dim,
                    scale: scale, span: span, position: position ?? first, scratch: scratch.base))
            #expect(scratch.untouchedBehind && out.untouchedBehind && statistics.untouchedBehind)
            return (out.values, statistics)
        }

        func weights(_ rows: [Int32], _ statistics: Buffer) throws -> [Float] {
            let scratch = Buffer(table.kernels.attention(.f32).scratchCount(rows.count, keys, dim, 0))
            let out = Buffer(rows.count * keys)
            try rows.withUnsafeBufferPointer { rows in
                table.kernels.attention(.f32).weights(
                    AttentionWeightsArguments(
                        q: q.base, ldq: dim, k: k.base, ldk: dim, statistics: statistics.base,
                        rows: try #require(rows.baseAddress), rowCount: rows.count, keys: keys, headDim: dim,
                        scale: scale, span: span, out: out.base, scratch: scratch.base))
            }
            #expect(scratch.untouchedBehind && out.untouchedBehind)
            return out.values
        }
    }

    static func referenceHead(_ table: Table, _ reference: Reference, n: Int) throws -> Head {
        Head(
            table: table, q: Buffer(try reference.floats("q")), k: Buffer(try reference.floats("k")),
            v: Buffer(try reference.floats("v")), keys: n, dim: 16)
    }

    /// torch in f64, masked by transformers: values, and weights of which the hidden are exactly 0.
    @Test(arguments: Table.all, [1, 40, 129, 1300])
    func matchesTransformers(_ table: Table, n: Int) throws {
        let reference = try Reference("kernels_attention_spans")
        let rows = try reference.floats("rows.\(n)").map { Int32($0) }
        var head = try Self.referenceHead(table, reference, n: n)
        for (name, span) in Self.spans {
            head.span = span
            let (out, statistics) = head.run(0, n)
            let got = rows.flatMap { Array(out[Int($0) * 16..<Int($0) * 16 + 16]) }
            #expect(relativeError(got, try reference.floats("out.\(name).\(n)")) < 2e-6, "\(name)")
            let weights = try head.weights(rows, statistics)
            for (i, row) in rows.enumerated() {
                let sum = weights[i * n..<(i + 1) * n].reduce(0.0) { $0 + Double($1) }
                #expect(abs(sum - 1) < 2e-6, "\(name), row \(row)")
            }
            guard reference.has("weights.\(name).\(n)") else { continue }
            let want = try reference.floats("weights.\(name).\(n)")
            #expect(zip(weights, want).allSatisfy { $1 == 0 ? $0 == 0 : abs($0 - $1) < 1e-6 }, "\(name)")
        }
    }

    /// The result of a query is the same to the bit whichever queries are asked with it, with every span.
    @Test(arguments: Table.all, [129, 1300])
    func queriesDoNotDependOnTheirNeighbors(_ table: Table, n: Int) throws {
        var head = try Self.referenceHead(table, try Reference("kernels_attention_spans"), n: n)
        for (name, span) in Self.spans + [("all", .all)] {
            head.span = span
            let all = head.run(0, n).out
            for (first, count) in [(0, 1), (5, 3), (77, 31), (n - 1, 1)] {
                #expect(head.run(first, count).out == Array(all[first * 16..<(first + count) * 16]), "\(name)")
            }
        }
    }

    /// Keys and values out of sight are not touched, but for those beside what a neighboring query sees.
    @Test(arguments: Table.all)
    func hiddenKeysDoNoHarm(_ table: Table) throws {
        let n = 1300
        let reference = try Reference("kernels_attention_spans")
        var head = try Self.referenceHead(table, reference, n: n)
        head.span = .local(window: 128)
        let clean = head.run(0, n).out
        for i in 300 * 16..<400 * 16 { (head.k.base[i], head.v.base[i]) = (.nan, .nan) }
        let out = head.run(0, n).out
        #expect(Array(out[..<(200 * 16)]) == Array(clean[..<(200 * 16)]))
        #expect(Array(out[(500 * 16)...]) == Array(clean[(500 * 16)...]))
        #expect(out[(300 * 16)..<(400 * 16)].allSatisfy { $0.isNaN })
    }

    /// A query that sees no key at all has no softmax.
    @Test(arguments: Table.all)
    func queriesBeyondTheKeysAreNaN(_ table: Table) throws {
        var head = try Self.referenceHead(table, try Reference("kernels_attention_spans"), n: 40)
        head.span = .causal(window: 8)
        let out = head.run(0, 20, position: 35).out
        // Position 46 is the last to see key 39.
        #expect(out[..<(12 * 16)].allSatisfy { $0.isFinite })
        #expect(out[(12 * 16)...].allSatisfy { $0.isNaN })
    }

    /// Special scores that the online softmax must carry from block to block: torch.softmax over the whole row gives the
    /// same.
    @Test(arguments: Table.all)
    func specialScoresInOneOfSeveralBlocks(_ table: Table) {
        let n = 1300
        func mean(_ key: (Int) -> Float) -> [Float] {
            let q = Buffer([Float](repeating: 1, count: 3))
            let v = Buffer((0..<n).map { $0 < 1000 ? 1 : 3 })
            let head = Head(table: table, q: q, k: Buffer((0..<n).map(key)), v: v, keys: n, dim: 1, scale: 1)
            return head.run(0, 3).out
        }
        #expect(mean { $0 < 1000 ? -.infinity : 2 }.allSatisfy { abs($0 - 3) < 1e-6 }, "−inf weighs nothing at first")
        #expect(mean { $0 < 1000 ? 2 : -.infinity }.allSatisfy { abs($0 - 1) < 1e-6 }, "nor at last")
        #expect(mean { Float($0) * 10 }.allSatisfy { abs($0 - 3) < 1e-6 }, "each block far above the last")
        #expect(mean { Float(-$0) * 10 }.allSatisfy { $0 == 1 }, "each block far below")
        #expect(mean { $0 < 1000 ? -3e38 : 3e38 }.allSatisfy { $0 == 3 })
        for place in [0, 700, n - 1] {
            #expect(mean { $0 == place ? .nan : 1 }.allSatisfy { $0.isNaN }, "NaN at \(place)")
            #expect(mean { $0 == place ? .infinity : 1 }.allSatisfy { $0.isNaN }, "inf at \(place)")
            #expect(mean { $0 == place ? .nan : -.infinity }.allSatisfy { $0.isNaN }, "NaN among −inf at \(place)")
        }
        #expect(mean { _ in -.infinity }.allSatisfy { $0.isNaN })
    }

    /// Scratch is a block of keys and two floats a query: 64 times the length takes no more than that.
    @Test(arguments: Table.all)
    func scratchGrowsWithTheQueriesAlone(_ table: Table) {
        let one = table.kernels.attention(.f32).scratchCount(1, 65536, 64, 64)
        for queries in [64, 1024, 65536] {
            let many = table.kernels.attention(.f32).scratchCount(queries, 65536, 64, 64)
            #expect(many <= one + 2 * queries + 16 * 1024)
            #expect(table.kernels.attention(.f32).scratchCount(queries, 1024, 64, 64) <= many)
        }
    }
}
