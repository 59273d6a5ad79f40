import CIntrinsics
public import Kernels

/// AVX2 and FMA (x86-64-v3).
private enum AVX2: Instructions {
    typealias Vector = f32x8

    @inline(__always) static var lanes: Int { 8 }
    @inline(__always) static var tileRows: Int { 6 }

    @inline(__always) static func splat(_ x: Float) -> Vector { f32x8_splat(x) }
    @inline(__always) static func load(_ p: UnsafePointer<Float>) -> Vector { f32x8_load(p) }
    @inline(__always) static func store(_ p: UnsafeMutablePointer<Float>, _ v: Vector) { f32x8_store(p, v) }
    @inline(__always) static func load(_ p: UnsafePointer<Float>, count: Int, fill: Float) -> Vector {
        f32x8_load_partial(p, count, fill)
    }
    @inline(__always) static func store(_ p: UnsafeMutablePointer<Float>, count: Int, _ v: Vector) {
        f32x8_store_partial(p, count, v)
    }
    @inline(__always) static func add(_ a: Vector, _ b: Vector) -> Vector { f32x8_add(a, b) }
    @inline(__always) static func sub(_ a: Vector, _ b: Vector) -> Vector { f32x8_sub(a, b) }
    @inline(__always) static func mul(_ a: Vector, _ b: Vector) -> Vector { f32x8_mul(a, b) }
    @inline(__always) static func div(_ a: Vector, _ b: Vector) -> Vector { f32x8_div(a, b) }
    @inline(__always) static func fma(_ a: Vector, _ b: Vector, _ c: Vector) -> Vector { f32x8_fma(a, b, c) }
    @inline(__always) static func abs(_ a: Vector) -> Vector { f32x8_abs(a) }
    @inline(__always) static func copySign(_ magnitude: Vector, _ sign: Vector) -> Vector {
        f32x8_copysign(magnitude, sign)
    }
    @inline(__always) static func selectLess(_ a: Vector, _ b: Vector, _ x: Vector, _ y: Vector) -> Vector {
        f32x8_select_less(a, b, x, y)
    }
    @inline(__always) static func scale(_ p: Vector, _ i: Vector, _ rounder: Vector) -> Vector {
        f32x8_scale(p, i, rounder)
    }
    @inline(__always) static func sum(_ v: Vector) -> Float { f32x8_sum(v) }
    @inline(__always) static func maximum(_ v: Vector) -> Float { f32x8_maximum(v) }
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

/// The kernels for AVX2 and FMA: only for a machine that has them.
public func makeAVX2Table() -> KernelTable {
    KernelTable(
        instructionSet: .avx2, panelWidth: 16,
        packedCount: { n, k in (n + 15) / 16 * 16 * k },
        pack: { w, ldw, n, k, packed in packPanels(AVX2.self, w, ldw, n, k, packed) },
        dense: { AVX2.dense($0) },
        attentionScratch: { queries, keys, headDim, valueDim in
            AttentionScratch(AVX2.self, queries: queries, keys: keys, headDim: headDim, valueDim: valueDim).total
        },
        attention: { attentionHead(AVX2.self, $0) },
        attentionWeights: { rebuildWeights(AVX2.self, $0) },
        layerNorm: { normaliseRows(AVX2.self, $0) },
        recurrentStep: { Kernels.recurrentStep(AVX2.self, $0) },
        activate: { activation, x, count in
            AVX2.activate(activation, x, rows: 1, width: count, pitch: count)
        },
        exp: { x, out, count in expVector(AVX2.self, x, out, count) },
        softmax: { x, rows, width in softmaxRows(AVX2.self, x, rows, width) },
        add: { x, out, count in addVector(AVX2.self, x, out, count) })
}
