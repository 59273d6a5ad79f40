import CIntrinsics
public import Kernels

/// What every machine has: SSE2 on x86-64, NEON with FMA on arm64.
private enum Baseline: Instructions {
    typealias Vector = f32x4

    @inline(__always) static var lanes: Int { 4 }
    // SSE2 has 16 registers: 4 × 2 sums, 2 of the panel, a broadcast and a product. NEON has 32 and FMA.
    #if arch(arm64)
    @inline(__always) static var tileRows: Int { 10 }
    #else
    @inline(__always) static var tileRows: Int { 4 }
    #endif

    @inline(__always) static func splat(_ x: Float) -> Vector { f32x4_splat(x) }
    @inline(__always) static func load(_ p: UnsafePointer<Float>) -> Vector { f32x4_load(p) }
    @inline(__always) static func store(_ p: UnsafeMutablePointer<Float>, _ v: Vector) { f32x4_store(p, v) }
    @inline(__always) static func load(_ p: UnsafePointer<Float>, count: Int, fill: Float) -> Vector {
        f32x4_load_partial(p, count, fill)
    }
    @inline(__always) static func store(_ p: UnsafeMutablePointer<Float>, count: Int, _ v: Vector) {
        f32x4_store_partial(p, count, v)
    }
    @inline(__always) static func add(_ a: Vector, _ b: Vector) -> Vector { f32x4_add(a, b) }
    @inline(__always) static func sub(_ a: Vector, _ b: Vector) -> Vector { f32x4_sub(a, b) }
    @inline(__always) static func mul(_ a: Vector, _ b: Vector) -> Vector { f32x4_mul(a, b) }
    @inline(__always) static func div(_ a: Vector, _ b: Vector) -> Vector { f32x4_div(a, b) }
    @inline(__always) static func fma(_ a: Vector, _ b: Vector, _ c: Vector) -> Vector { f32x4_fma(a, b, c) }
    @inline(__always) static func abs(_ a: Vector) -> Vector { f32x4_abs(a) }
    @inline(__always) static func copySign(_ magnitude: Vector, _ sign: Vector) -> Vector {
        f32x4_copysign(magnitude, sign)
    }
    @inline(__always) static func selectLess(_ a: Vector, _ b: Vector, _ x: Vector, _ y: Vector) -> Vector {
        f32x4_select_less(a, b, x, y)
    }
    @inline(__always) static func scale(_ p: Vector, _ i: Vector, _ rounder: Vector) -> Vector {
        f32x4_scale(p, i, rounder)
    }
    @inline(__always) static func sum(_ v: Vector) -> Float { f32x4_sum(v) }
    @inline(__always) static func maximum(_ v: Vector) -> Float { f32x4_maximum(v) }
    @inline(__always) static func prefetch(_ p: UnsafePointer<Float>) { encoderd_prefetch(p) }

    @inline(never) static func multiply(_ product: PanelProduct) { multiplyPanel(Self.self, product) }
    @inline(never) static func multiplyRow(_ product: PanelProduct) { multiplyOneRow(Self.self, product) }
    @inline(never) static func attend(_ task: AttentionTask) { attendBlock(Self.self, task) }
    @inline(never) static func scores(_ product: ScoreProduct) {
        runTile(ScoreWork(Self.self, product), rows: product.rows)
    }
    @inline(never) static func values(_ product: ValueProduct) {
        runTile(ValueWork(Self.self, product), rows: product.rows)
    }
    @inline(never) static func activate(
        _ activation: Activation, _ x: UnsafeMutablePointer<Float>, rows: Int, width: Int, pitch: Int
    ) {
        activateRows(Self.self, activation, x, rows: rows, width: width, pitch: pitch)
    }
    @inline(never) static func dense(_ d: Dense) { denseLayer(Self.self, d) }
}

/// The kernels for every machine of the architecture.
public func makeBaselineTable() -> KernelTable {
    KernelTable(
        instructionSet: .baseline, panelWidth: 8,
        packedCount: { n, k in (n + 7) / 8 * 8 * k },
        pack: { w, ldw, n, k, packed in packPanels(Baseline.self, w, ldw, n, k, packed) },
        dense: { Baseline.dense($0) },
        attentionScratch: { queries, keys, headDim, valueDim in
            AttentionScratch(Baseline.self, queries: queries, keys: keys, headDim: headDim, valueDim: valueDim).total
        },
        attention: { attentionHead(Baseline.self, $0) },
        attentionWeights: { rebuildWeights(Baseline.self, $0) },
        layerNorm: { normaliseRows(Baseline.self, $0) },
        recurrentStep: { Kernels.recurrentStep(Baseline.self, $0) },
        activate: { activation, x, count in
            Baseline.activate(activation, x, rows: 1, width: count, pitch: count)
        },
        exp: { x, out, count in expVector(Baseline.self, x, out, count) },
        softmax: { x, rows, width in softmaxRows(Baseline.self, x, rows, width) },
        add: { x, out, count in addVector(Baseline.self, x, out, count) })
}
