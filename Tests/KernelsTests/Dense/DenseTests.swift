import KernelSelection
import Testing

@Suite struct DenseTests {
    /// The layout is part of the interface: other code packs and reads it.
    @Test(arguments: Table.all, [(1, 1), (31, 7), (33, 5), (96, 3)])
    func packs(_ table: Table, size: (n: Int, k: Int)) {
        let (n, k) = size
        let w = (0..<n * k).map { Float($0) + 1 }
        let packed = table.kernels.packed(w, ldw: k, n: n, k: k)
        let width = table.kernels.panelWidth
        #expect(packed.count == (n + width - 1) / width * width * k)
        var want = [Float](repeating: 0, count: packed.count)
        for j in 0..<n { for i in 0..<k { want[j / width * k * width + i * width + j % width] = w[j * k + i] } }
        #expect(packed.values == want)
        #expect(packed.untouchedBehind)
    }

    /// torch, f64: a · wᵀ for every number of rows up to 17, with remainders of panels, tiles and blocks of k.
    @Test(arguments: Table.all, [1, 31, 33, 96])
    func multiplies(_ table: Table, n: Int) throws {
        let reference = try Reference("kernels_dense")
        let a = Buffer(try reference.floats("a"))
        let w = try reference.floats("w")
        for k in [1, 7, 384, 1536] {
            let want = try reference.floats("product.\(n).\(k)")
            let terms = try reference.floats("terms.\(k)")
            let packed = table.kernels.packed(w, ldw: 1536, n: n, k: k)
            for m in 1...17 {
                let out = Buffer(m * n)
                table.kernels.f32.run(
                    DenseArguments(
                        a: a.base, lda: 1536, packed: packed.base, bias: nil, out: out.base, ldOut: n, m: m, n: n, k: k)
                )
                let scale = (0..<m * n).map { terms[$0 / n * 96 + $0 % n] }
                #expect(error(out.values, Array(want[..<(m * n)]), perUnitOf: scale) < 3e-7, "m \(m) k \(k)")
                #expect(out.untouchedBehind, "m \(m) k \(k)")
            }
        }
    }

    /// A row's result is the same to the bit whatever rows share the product, so an answer does not depend on a batch.
    @Test(arguments: Table.all, [33, 96])
    func rowsDoNotDependOnTheirNeighbors(_ table: Table, n: Int) throws {
        let reference = try Reference("kernels_dense")
        let a = Buffer(try reference.floats("a"))
        let k = 1536
        let packed = table.kernels.packed(try reference.floats("w"), ldw: k, n: n, k: k)
        let bias = Buffer(try reference.floats("bias"))
        func rows(from first: Int, _ m: Int) -> [Float] {
            let out = Buffer(m * n)
            table.kernels.f32.run(
                DenseArguments(
                    a: a.base + first * k, lda: k, packed: packed.base, bias: bias.base, activation: .gelu,
                    out: out.base, ldOut: n, m: m, n: n, k: k))
            return out.values
        }
        let all = rows(from: 0, 17)
        for m in 1...16 { #expect(rows(from: 17 - m, m) == Array(all[((17 - m) * n)...]), "m \(m)") }
    }

    /// Every activation with bias, with and without a residual, which may be the output's own memory; the output's rows
    /// are further apart than its columns are many, and what lies between stays as it was.
    @Test(arguments: Table.all, Activation.allCases)
    func activates(_ table: Table, activation: Activation) throws {
        let reference = try Reference("kernels_dense")
        // The reference scales the product by 1/16, exactly.
        let a = Buffer(try reference.floats("a").map { $0 / 16 })
        let w = try reference.floats("w")
        let bias = Buffer(try reference.floats("bias"))
        let residual = try reference.floats("residual")
        let want = try reference.floats("activated.\(activation.rawValue)")
        let terms = try reference.floats("terms.384")
        let k = 384
        for n in [1, 31, 33, 96] {
            let packed = table.kernels.packed(w, ldw: 1536, n: n, k: k)
            for m in [1, 5, 17] {
                for withResidual in [false, true] {
                    let stride = n + 3
                    let out = Buffer(m * stride)
                    for r in 0..<m where withResidual {
                        for j in 0..<n { out.base[r * stride + j] = residual[r * 96 + j] }
                    }
                    table.kernels.f32.run(
                        DenseArguments(
                            a: a.base, lda: 1536, packed: packed.base, bias: bias.base,
                            residual: withResidual ? UnsafePointer(out.base) : nil, ldResidual: stride,
                            activation: activation, out: out.base, ldOut: stride, m: m, n: n, k: k))
                    var got: [Float] = []
                    var expected: [Float] = []
                    var scale: [Float] = []
                    var between = true
                    for r in 0..<m {
                        for j in 0..<n {
                            got.append(out.base[r * stride + j])
                            let added = withResidual ? residual[r * 96 + j] : 0
                            expected.append(want[r * 96 + j] + added)
                            // No activation is steeper than 1.5, but for the square, which is 2 √x steep.
                            let slope = activation == .reluSquared ? 1 + 2 * want[r * 96 + j].squareRoot() : 1
                            scale.append(slope * (terms[r * 96 + j] / 16 + abs(bias.base[j])) + abs(added))
                        }
                        for j in n..<stride where !out.base[r * stride + j].isNaN { between = false }
                    }
                    #expect(
                        error(got, expected, perUnitOf: scale) < 3e-7, "n \(n) m \(m) residual \(withResidual)")
                    #expect(between && out.untouchedBehind)
                }
            }
        }
    }

    /// Two blocks of rows, the second shorter.
    @Test(arguments: Table.all)
    func multipliesManyRows(_ table: Table) throws {
        let reference = try Reference("kernels_dense")
        let a = Buffer(try reference.floats("tall"))
        let bias = Buffer(try reference.floats("bias"))
        let packed = table.kernels.packed(try reference.floats("w"), ldw: 1536, n: 33, k: 40)
        let out = Buffer(300 * 33)
        table.kernels.f32.run(
            DenseArguments(
                a: a.base, lda: 40, packed: packed.base, bias: bias.base, out: out.base, ldOut: 33, m: 300, n: 33, k: 40
            ))
        #expect(relativeError(out.values, try reference.floats("tall.product")) < 2e-6)
    }
}
