import KernelSelection
import Testing

/// Nothing to do, and work that is shared out differently.
@Suite struct BoundaryTests {
    /// Deterministic values in −2…2, spread by an irrational step.
    static func wave(_ count: Int, _ step: Float) -> Buffer {
        var phase: Float = 0
        return Buffer(
            (0..<count).map { _ in
                phase += step
                if phase > 2 { phase -= 4 }
                return phase
            })
    }

    /// No rows, no elements, no queries, no sequences: nothing is written.
    @Test(arguments: Table.all)
    func nothing(_ table: Table) throws {
        let kernels = table.kernels
        let x = Self.wave(256, 0.7)
        let out = Buffer(256)
        for activation in Activation.allCases {
            for residual in [nil, UnsafePointer(x.base)] {
                kernels.f32.run(
                    DenseArguments(
                        a: x.base, lda: 4, packed: x.base, bias: x.base, residual: residual, ldResidual: 4,
                        activation: activation, out: out.base, ldOut: 4, m: 0, n: 4, k: 4))
            }
            kernels.activate(activation, out.base, 0)
        }
        kernels.exp(x.base, out.base, 0)
        kernels.add(x.base, out.base, 0)
        kernels.softmax(out.base, 0, 8)
        kernels.softmax(out.base, 8, 0)
        kernels.layerNorm(
            LayerNormArguments(x: x.base, out: out.base, weight: x.base, bias: nil, rows: 0, width: 8, epsilon: 1e-5))
        let scratch = Buffer(kernels.attention(.f32).scratchCount(0, 4, 4, 4))
        kernels.attention(.f32).run(
            AttentionArguments(
                q: x.base, ldq: 4, k: x.base, ldk: 4, v: x.base, ldv: 4, out: out.base, ldOut: 4,
                statistics: out.base, queries: 0, keys: 4, headDim: 4, valueDim: 4, scale: 1, scratch: scratch.base))
        let rows: [Int] = [0]
        try rows.withUnsafeBufferPointer { rows in
            kernels.f32.recurrentStep(
                RecurrentStepArguments(
                    cell: .lstm, hidden: 4, output: 4, count: 0, inputs: x.base, packedHH: x.base, biasHN: nil,
                    packedHR: nil, h: x.base, next: out.base, c: out.base, y: out.base, ldY: 4,
                    rows: try #require(rows.baseAddress), gates: out.base, scratch: out.base))
        }
        #expect(out.values.allSatisfy { $0.isNaN })
        #expect(scratch.untouchedBehind && out.untouchedBehind)
    }

    /// Rows in blocks of m and alone give the same bits: an answer does not depend on what else is in the batch.
    @Test(arguments: Table.all)
    func denseRowsDoNotDependOnBlocks(_ table: Table) {
        let (m, n, k) = (700, 40, 400)
        let a = Self.wave(m * k, 0.618034)
        let packed = table.kernels.packed(Self.wave(n * k, 1.4142135).values, ldw: k, n: n, k: k)
        func rows(_ first: Int, _ count: Int) -> [Float] {
            let out = Buffer(count * n)
            table.kernels.f32.run(
                DenseArguments(
                    a: a.base + first * k, lda: k, packed: packed.base, bias: nil, activation: .tanh, out: out.base,
                    ldOut: n, m: count, n: n, k: k))
            return out.values
        }
        let all = rows(0, m)
        for row in stride(from: 0, to: m, by: 37) { #expect(rows(row, 1) == Array(all[row * n..<(row + 1) * n])) }
    }

    /// A query's result is the same to the bit whichever queries are asked with it; queries need not be as many as
    /// keys.
    @Test(arguments: Table.all, [1, 17, 200])
    func queriesDoNotDependOnTheirNeighbors(_ table: Table, keys: Int) {
        let (d, queries) = (32, 61)
        let (q, k, v) = (Self.wave(queries * d, 0.718), Self.wave(keys * d, 1.414), Self.wave(keys * d, 0.577))
        func attention(_ first: Int, _ count: Int) -> [Float] {
            let scratch = Buffer(table.kernels.attention(.f32).scratchCount(count, keys, d, d))
            let out = Buffer(count * d)
            table.kernels.attention(.f32).run(
                AttentionArguments(
                    q: q.base + first * d, ldq: d, k: k.base, ldk: d, v: v.base, ldv: d, out: out.base, ldOut: d,
                    queries: count, keys: keys, headDim: d, valueDim: d, scale: 0.2, scratch: scratch.base))
            #expect(scratch.untouchedBehind && out.untouchedBehind)
            return out.values
        }
        let all = attention(0, queries)
        for (first, count) in [(0, 1), (5, 3), (24, 24), (60, 1)] {
            #expect(attention(first, count) == Array(all[first * d..<(first + count) * d]))
        }
    }

    /// A sequence's state is the same to the bit whichever sequences step with it, and wherever a step begins.
    @Test(arguments: Table.all, RecurrentCell.allCases)
    func sequencesDoNotDependOnTheirNeighbors(_ table: Table, cell: RecurrentCell) throws {
        // Gates that end inside a panel, and whole panels: a group of four and one.
        for hidden in [75, 160] { try sequencesDoNotDependOnTheirNeighbors(table, cell, hidden: hidden) }
    }

    private func sequencesDoNotDependOnTheirNeighbors(_ table: Table, _ cell: RecurrentCell, hidden: Int) throws {
        let count = 113
        let gates = cell.gates * hidden
        let inputs = Self.wave(count * gates, 0.618034)
        let packed = table.kernels.packed(
            Self.wave(gates * hidden, 1.4142135).values.map { $0 / 8 }, ldw: hidden, n: gates, k: hidden)
        let bias = Self.wave(hidden, 0.3)
        let state = Self.wave(count * hidden, 0.577)
        func step(_ sequences: [Int], backward: Bool) throws -> [Float] {
            func rows(_ all: Buffer, _ width: Int) -> Buffer {
                Buffer(sequences.flatMap { Array(all.values[$0 * width..<($0 + 1) * width]) })
            }
            let (inputs, h, c) = (rows(inputs, gates), rows(state, hidden), rows(state, hidden))
            let next = Buffer(sequences.count * hidden)
            let y = Buffer(count * hidden)
            let scratch = Buffer(sequences.count * (cell.gates + 1) * hidden)
            try sequences.withUnsafeBufferPointer { sequences in
                table.kernels.f32.recurrentStep(
                    RecurrentStepArguments(
                        cell: cell, hidden: hidden, output: hidden, count: sequences.count, inputs: inputs.base,
                        packedHH: packed.base, biasHN: bias.base, packedHR: nil, h: h.base, next: next.base,
                        c: cell == .lstm ? c.base : nil, y: y.base, ldY: hidden,
                        rows: try #require(sequences.baseAddress), gates: nil, scratch: scratch.base,
                        backward: backward))
            }
            #expect(next.untouchedBehind && scratch.untouchedBehind && y.untouchedBehind)
            return next.values
        }
        let all = try step(Array(0..<count), backward: false)
        for sequences in [[0], [4, 9], [12, 1, 7]] {
            let want = sequences.flatMap { Array(all[$0 * hidden..<($0 + 1) * hidden]) }
            #expect(try step(sequences, backward: false) == want)
            #expect(try step(sequences, backward: true) == want)
        }
    }

    /// The tables round differently, no more: a layer and a head agree within 3e-6 of their largest value.
    @Test(arguments: Table.all)
    func tablesAgree(_ table: Table) throws {
        let baseline = try #require(Table.all.first)
        let (m, n, k) = (37, 70, 300)
        func layer(_ kernels: KernelTable) -> [Float] {
            let packed = kernels.packed(Self.wave(n * k, 1.4142135).values, ldw: k, n: n, k: k)
            let a = Self.wave(m * k, 0.618034)
            let out = Buffer(m * n)
            kernels.f32.run(
                DenseArguments(
                    a: a.base, lda: k, packed: packed.base, bias: nil, activation: .gelu,
                    out: out.base, ldOut: n, m: m, n: n, k: k))
            return out.values
        }
        func head(_ kernels: KernelTable) -> [Float] {
            let (d, rows) = (33, 90)
            let x = Self.wave(rows * d, 0.718)
            let scratch = Buffer(kernels.attention(.f32).scratchCount(rows, rows, d, d))
            let out = Buffer(rows * d)
            kernels.attention(.f32).run(
                AttentionArguments(
                    q: x.base, ldq: d, k: x.base, ldk: d, v: x.base, ldv: d, out: out.base, ldOut: d, queries: rows,
                    keys: rows, headDim: d, valueDim: d, scale: 0.17, scratch: scratch.base))
            return out.values
        }
        #expect(relativeError(layer(table.kernels), layer(baseline.kernels)) < 3e-6)
        #expect(relativeError(head(table.kernels), head(baseline.kernels)) < 3e-6)
    }
}
