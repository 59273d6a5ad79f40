import KernelSelection

/// Measures dense layers of MiniLM. `hot` runs one weight again and again; `cold` goes through copies that together exceed the
/// last level of cache, as a pass over all layers of a model does. Percentages are of the peak of the precision's own
/// instructions.
func measureDense(_ dense: DenseKernels, _ stopwatch: Stopwatch, _ report: Report, brief: Bool) {
    let shapes: [(n: Int, k: Int, activation: Activation)] = [
        (1152, 384, .identity), (384, 384, .identity), (1536, 384, .gelu), (384, 1536, .identity),
    ]
    let peak = stopwatch.peak * dense.peakFactor
    for (n, k, activation) in shapes {
        // Sums with a standard deviation of 1, as activations meet them.
        let w = Floats(n * k, scale: 3 / Float(k).squareRoot())
        let size = dense.packedCount(n, k)
        let copies = max(2, 48 << 20 / (4 * size))
        let packed = Floats(copies * size)
        for i in 0..<copies { dense.pack(w.base, k, n, k, packed.base + i * size) }
        let bias = Floats(n)
        for m in brief ? [1, 16, 512] : [1, 2, 4, 8, 16, 32, 64, 128, 512, 2048, 4096] {
            let a = Floats(m * k)
            let out = Floats(m * n)
            let scratch = Floats(dense.scratchCount(m, k))
            func call(_ weight: UnsafeMutablePointer<Float>) {
                dense.run(
                    DenseArguments(
                        a: a.base, lda: k, packed: weight, scratch: scratch.base, bias: bias.base,
                        activation: activation, out: out.base, ldOut: n, m: m, n: n, k: k))
            }
            let hot = stopwatch.best { call(packed.base) }
            var next = 0
            let cold = stopwatch.best {
                call(packed.base + next * size)
                next = (next + 1) % copies
            }
            let work = 2 * Double(m * n * k)
            report.add(
                "dense \(dense.precision)", "\(m)×\(k)→\(n) \(activation)",
                [
                    ("gflop_s", work / hot / 1e9), ("percent_of_peak", 100 * work / hot / peak),
                    ("cold_percent_of_peak", 100 * work / cold / peak),
                    ("cold_weights_gb_s", Double(4 * size) / cold / 1e9),
                ])
        }
    }
}

extension DenseKernels {
    /// The number of multiplications in one instruction of this arithmetic, relative to f32. All of them take as
    /// long as a multiply-add on the machines measured (Zen 4: 116 GFLOP/s f32, 233 bf16, 465 int8).
    var peakFactor: Double {
        switch arithmetic {
        case "AVX512_VNNI", "AVX-VNNI": 4
        case "AVX512_BF16", "16-bit": 2
        default: 1
        }
    }
}

/// Measures heads inside a matrix [tokens, 3 · 12 · dim] of queries, keys and values, as a model has them: twelve, or one for
/// long sequences; and what spans of visible keys save.
func measureAttention(_ attention: AttentionKernels, _ stopwatch: Stopwatch, _ report: Report, brief: Bool) {
    for dim in brief ? [32] : [32, 64, 128] {
        for tokens in brief ? [16, 128, 512] : [16, 64, 128, 512, 2048, 8192] {
            measureHeads(attention, stopwatch, report, tokens: tokens, dim: dim, span: .all, "")
        }
    }
    for tokens in brief ? [2048] : [512, 2048, 8192] {
        measureHeads(attention, stopwatch, report, tokens: tokens, dim: 64, span: .causal, ", causal")
        measureHeads(attention, stopwatch, report, tokens: tokens, dim: 64, span: .local(window: 128), ", local 128")
    }
}

private func measureHeads(
    _ attention: AttentionKernels, _ stopwatch: Stopwatch, _ report: Report, tokens: Int, dim: Int, span: AttentionSpan,
    _ label: String
) {
    let heads = tokens > 2048 ? 1 : 12
    let row = 3 * 12 * dim
    let qkv = Floats(tokens * row)
    let out = Floats(tokens * 12 * dim)
    let scratch = Floats(attention.scratchCount(tokens, tokens, dim, dim))
    let seconds = stopwatch.best {
        for head in 0..<heads {
            let q = qkv.base + head * dim
            attention.run(
                AttentionArguments(
                    q: q, ldq: row, k: q + 12 * dim, ldk: row, v: q + 24 * dim, ldv: row, out: out.base + head * dim,
                    ldOut: 12 * dim, queries: tokens, keys: tokens, headDim: dim, valueDim: dim,
                    scale: 1 / Float(dim).squareRoot(), span: span, scratch: scratch.base))
        }
    }
    // Visible pairs count, not what is computed beside them.
    let pairs = (0..<tokens).reduce(0) { sum, i in
        sum + min(tokens - 1, i + span.after) - max(0, i - span.before) + 1
    }
    let work = 4 * Double(heads * pairs * dim)
    report.add(
        "attention \(attention.precision)", "\(tokens) tokens, \(heads) × \(dim)\(label)",
        [
            ("us", seconds * 1e6), ("gflop_s", work / seconds / 1e9),
            ("percent_of_peak", 100 * work / seconds / stopwatch.peak),
        ])
}

/// Measures elementwise kernels over 64 rows of 384, in the second-level cache as after a dense layer.
func measureRows(_ kernels: KernelTable, _ stopwatch: Stopwatch, _ report: Report) {
    let (rows, width) = (64, 384)
    let count = rows * width
    let source = Floats(count)
    let out = Floats(count)
    func fresh() { out.base.update(from: source.base, count: count) }
    func add(_ name: String, _ seconds: Double) {
        report.add(
            name, "\(rows)×\(width)",
            [
                ("ns_per_element", seconds * 1e9 / Double(count)),
                // Multiply-adds that the core could have done instead.
                ("multiply_adds_per_element", seconds * stopwatch.peak / 2 / Double(count)),
            ])
    }
    for activation in [Activation.relu, .gelu, .geluTanh, .silu, .tanh, .sigmoid] {
        // Fresh values every time: those of repeated calls in place become subnormal. The copy is subtracted.
        let copy = stopwatch.best { fresh() }
        let both = stopwatch.best {
            fresh()
            kernels.activate(activation, out.base, count)
        }
        add("\(activation)", both - copy)
    }
    add("exp", stopwatch.best { kernels.exp(source.base, out.base, count) })
    add("softmax", stopwatch.best { kernels.softmax(out.base, rows, width) })
    let weight = Floats(width)
    add(
        "layerNorm",
        stopwatch.best {
            kernels.layerNorm(
                LayerNormArguments(
                    x: source.base, out: out.base, weight: weight.base, bias: weight.base, rows: rows, width: width,
                    epsilon: 1e-12))
        })
    add("add", stopwatch.best { kernels.add(source.base, out.base, count) })
}

/// Measures a recurrent step of 256 units for 1, 8 and 32 sequences.
func measureRecurrent(_ dense: DenseKernels, _ stopwatch: Stopwatch, _ report: Report) {
    let hidden = 256
    for cell in [RecurrentCell.lstm, .gru, .tanh] {
        let gates = cell.gates * hidden
        let w = Floats(gates * hidden, scale: 1 / 16)
        let packed = Floats(dense.packedCount(gates, hidden))
        dense.pack(w.base, hidden, gates, hidden, packed.base)
        for count in [1, 8, 32] {
            let inputs = Floats(count * gates)
            let h = Floats(count * hidden)
            let next = Floats(count * hidden)
            let y = Floats(count * hidden)
            var backward = false
            let c = Floats(count * hidden)
            let bias = Floats(hidden)
            let scratch = Floats(count * (cell.gates + 1) * hidden)
            let denseScratch = Floats(dense.scratchCount(count, hidden))
            let rows = Array(0..<count)
            let seconds = rows.withUnsafeBufferPointer { rows in
                stopwatch.best {
                    guard let rows = rows.baseAddress else { return }
                    dense.recurrentStep(
                        RecurrentStepArguments(
                            cell: cell, hidden: hidden, output: hidden, count: count, inputs: inputs.base,
                            packedHH: packed.base, biasHN: cell == .gru ? bias.base : nil, packedHR: nil,
                            h: h.base, next: next.base, c: cell == .lstm ? c.base : nil, y: y.base, ldY: hidden,
                            rows: rows, gates: nil, scratch: scratch.base, denseScratch: denseScratch.base,
                            backward: backward))
                    backward.toggle()
                }
            }
            let work = 2 * Double(count * gates * hidden)
            report.add(
                "recurrentStep \(dense.precision)", "\(cell) \(hidden), \(count) sequences",
                [
                    ("us", seconds * 1e6), ("steps_per_s", Double(count) / seconds),
                    ("percent_of_peak", 100 * work / seconds / stopwatch.peak / dense.peakFactor),
                    ("weights_gb_s", Double(4 * dense.packedCount(gates, hidden)) / seconds / 1e9),
                ])
        }
    }
}
