import KernelSelection
import Testing

/// Dense layers in bf16 and int8. Expected values: numpy and torch, which round the factors and multiply in f64
/// (Tests/Reference/kernels.py, `packed_dense`).
@Suite struct PackedDenseTests {
    private static let precisions = [Precision.bf16, .int8]

    /// A layer's output; every value that it does not write would show as NaN.
    private func run(
        _ dense: DenseKernels, _ a: Buffer, lda: Int, _ w: [Float], ldw: Int, m: Int, n: Int, k: Int,
        bias: Buffer? = nil, activation: Activation = .identity, residual: [Float]? = nil, firstRow: Int = 0
    ) -> [Float] {
        let packed = Buffer(dense.packedCount(n, k))
        w.withUnsafeBufferPointer { if let base = $0.baseAddress { dense.pack(base, ldw, n, k, packed.base) } }
        let scratch = Buffer(dense.scratchCount(m, k))
        let out = Buffer(m * n)
        if let residual { for i in 0..<m * n { out.base[i] = residual[i] } }
        dense.run(
            DenseArguments(
                a: a.base + firstRow * lda, lda: lda, packed: packed.base, scratch: scratch.base, bias: bias?.base,
                residual: residual == nil ? nil : UnsafePointer(out.base), ldResidual: n, activation: activation,
                out: out.base, ldOut: n, m: m, n: n, k: k))
        #expect(out.untouchedBehind && packed.untouchedBehind && scratch.untouchedBehind)
        return out.values
    }

    @Test(arguments: Table.variants, precisions)
    func multiplies(_ table: Table, precision: Precision) throws {
        let dense = table.kernels.dense(precision)
        let reference = try Reference("kernels_packed_dense")
        let a = Buffer(try reference.floats("a"))
        let w = try Reference("kernels_dense").floats("w")
        for k in [1, 7, 384, 1536] {
            let want = try reference.floats("\(precision).\(k)")
            let terms = try reference.floats("\(precision).terms.\(k)")
            let steps = precision == .int8 ? try reference.floats("int8.step.\(k)") : terms.map { _ in 0 }
            for n in [1, 31, 33, 96] {
                for m in 1...17 {
                    let got = run(dense, a, lda: 1536, w, ldw: 1536, m: m, n: n, k: k)
                    var worst: Float = 0
                    for r in 0..<m {
                        for j in 0..<n {
                            let i = r * 96 + j
                            // One value a row may lie on the edge between two steps.
                            let excess = max(0, abs(got[r * n + j] - want[i]) - 1.01 * steps[i]) / terms[i]
                            worst = excess.isNaN ? .infinity : max(worst, excess)
                        }
                    }
                    #expect(worst < 1e-6, "n \(n) m \(m) k \(k)")
                }
            }
        }
    }

    /// Bias, activation and residual come after the product, in f32: the same as from the plain product's output.
    @Test(arguments: Table.variants, precisions)
    func finishes(_ table: Table, precision: Precision) throws {
        let dense = table.kernels.dense(precision)
        let reference = try Reference("kernels_packed_dense")
        let a = Buffer(try reference.floats("a").map { $0 / 16 })
        let full = try Reference("kernels_dense")
        let (w, residual) = (try full.floats("w"), try full.floats("residual"))
        let bias = Buffer(try full.floats("bias"))
        for n in [31, 96] {
            for m in [1, 5, 17] {
                let product = run(dense, a, lda: 1536, w, ldw: 1536, m: m, n: n, k: 384)
                for activation in [Activation.identity, .gelu, .relu, .silu] {
                    for added in [nil, Array(residual.prefix(m * n))] {
                        let got = run(
                            dense, a, lda: 1536, w, ldw: 1536, m: m, n: n, k: 384, bias: bias, activation: activation,
                            residual: added)
                        let want = Buffer(product.indices.map { product[$0] + bias.base[$0 % n] })
                        table.kernels.activate(activation, want.base, m * n)
                        let expected = want.values.indices.map { want.base[$0] + (added?[$0] ?? 0) }
                        // GELU is within 1e-4 here, whatever the largest output.
                        let allowed: Float = activation == .gelu ? 1e-4 : 1e-6 * (expected.map { abs($0) }.max() ?? 0)
                        #expect(
                            zip(got, expected).allSatisfy { abs($0 - $1) <= allowed },
                            "n \(n) m \(m) \(activation) \(added != nil)")
                    }
                }
            }
        }
    }

    /// Over several blocks of rows, each row as if it were alone, to the bit; and one with a NaN or an infinity in it
    /// gives NaN or infinities without touching the others.
    @Test(arguments: Table.variants, precisions)
    func rowsDoNotDependOnTheirNeighbors(_ table: Table, precision: Precision) throws {
        let dense = table.kernels.dense(precision)
        let full = try Reference("kernels_dense")
        let source = try Reference("kernels_packed_dense").floats("a")
        let w = try full.floats("w")
        let (m, n, k) = (1000, 33, 96)
        let a = Buffer((0..<m * k).map { source[($0 * 7919) % source.count] })
        a.base[500 * k + 17] = .nan
        a.base[501 * k + 3] = .infinity
        let all = run(dense, a, lda: k, w, ldw: 1536, m: m, n: n, k: k)
        for row in [0, 1, 11, 12, 479, 480, 499, 502, 997, 999] {
            let alone = run(dense, a, lda: k, w, ldw: 1536, m: 1, n: n, k: k, firstRow: row)
            #expect(alone == Array(all[row * n..<(row + 1) * n]), "row \(row)")
            #expect(alone.allSatisfy { $0.isFinite })
        }
        #expect(all[500 * n..<501 * n].allSatisfy { $0.isNaN })
        #expect(all[501 * n..<502 * n].allSatisfy { !$0.isFinite })
        #expect(all.indices.allSatisfy { $0 / n == 500 || $0 / n == 501 || all[$0].isFinite })
    }

    /// Weights that were quantized ahead of time are packed to the same elements as those quantized while packing.
    @Test(arguments: Table.variants)
    func packsQuantizedWeights(_ table: Table) throws {
        let dense = table.kernels.int8
        let w = try Reference("kernels_dense").floats("w")
        for (n, k) in [(1, 1), (33, 7), (96, 384)] {
            var scales: [Float] = []
            var bytes: [Int8] = []
            for j in 0..<n {
                // The scale as numpy makes it in the reference: the largest magnitude over 127.
                let row = w[j * 1536..<j * 1536 + k]
                let scale = (row.map { abs($0) }.max() ?? 0) / 127
                scales.append(scale)
                bytes.append(contentsOf: row.map { Int8(($0 / scale).rounded(.toNearestOrEven)) })
            }
            let quantized = Buffer(dense.packedCount(n, k))
            let pack = try #require(dense.packQuantized)
            pack(bytes, scales, n, k, quantized.base)
            let packed = Buffer(dense.packedCount(n, k))
            dense.pack(w, 1536, n, k, packed.base)
            #expect(quantized.values.map(\.bitPattern) == packed.values.map(\.bitPattern), "n \(n) k \(k)")
        }
    }

    /// Gated layers (SwiGLU, GeGLU): activation(gate) ⊙ up of two plain layers, in every precision.
    @Test(arguments: Table.variants, Precision.allCases)
    func gates(_ table: Table, precision: Precision) throws {
        let dense = table.kernels.dense(precision)
        let full = try Reference("kernels_dense")
        let w = try full.floats("w")
        let bias = try full.floats("bias")
        let a = Buffer(try full.floats("a").map { $0 / 16 })
        let k = 384
        for outputs in [1, 16, 33, 48] {
            let order = DenseArguments.gatedOrder(outputs, panelWidth: table.kernels.panelWidth)
            var rows: [Float] = []
            var biases: [Float] = []
            for (isGate, row) in order {
                let source = row.map { isGate ? $0 : 48 + $0 }
                rows += source.map { Array(w[$0 * 1536..<$0 * 1536 + k]) } ?? [Float](repeating: 0, count: k)
                biases.append(source.map { bias[$0] } ?? 0)
            }
            let n = order.count
            let packed = Buffer(dense.packedCount(n, k))
            dense.pack(rows, k, n, k, packed.base)
            for m in [1, 7, 8, 17] {
                for activation in [Activation.silu, .gelu, .clippedGelu, .hardSwish, .laplace, .sqrtSoftplus] {
                    let scratch = Buffer(dense.scratchCount(m, k))
                    let out = Buffer(m * (outputs + 1))
                    let gatedBias = Buffer(biases)
                    var layer = DenseArguments(
                        a: a.base, lda: 1536, packed: packed.base, scratch: scratch.base, bias: gatedBias.base,
                        activation: activation, out: out.base, ldOut: outputs + 1, m: m, n: n, k: k)
                    layer.gated = outputs
                    dense.run(layer)
                    #expect(out.untouchedBehind)
                    let gate = Buffer(
                        run(dense, a, lda: 1536, w, ldw: 1536, m: m, n: outputs, k: k, bias: Buffer(bias)))
                    let up = run(
                        dense, a, lda: 1536, Array(w[(48 * 1536)...]), ldw: 1536, m: m, n: outputs, k: k,
                        bias: Buffer(Array(bias[48...])))
                    table.kernels.activate(activation, gate.base, m * outputs)
                    for r in 0..<m {
                        #expect(out.base[r * (outputs + 1) + outputs].isNaN)
                        for j in 0..<outputs {
                            let want = gate.base[r * outputs + j] * up[r * outputs + j]
                            let allowed = 1e-5 + (precision == .f32 ? 0 : 1e-4) * abs(up[r * outputs + j])
                            if abs(out.base[r * (outputs + 1) + j] - want) > allowed * max(1, abs(want)) {
                                Issue.record("\(outputs) outputs, \(m) rows, \(activation): row \(r), column \(j)")
                            }
                        }
                    }
                }
            }
        }
    }
}
