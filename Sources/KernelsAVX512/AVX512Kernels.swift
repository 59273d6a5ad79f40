import CIntrinsics
public import Kernels

/// The instructions of AVX-512 F, BW, CD, DQ and VL (x86-64-v4).
private enum AVX512: OutOfLineAttention, OutOfLineCells {
    typealias Vector = f32x16
    typealias Integers = f32x16_bits

    @inline(__always) static var lanes: Int { 16 }
    @inline(__always) static var tileRows: Int { 12 }

    @inline(__always) static func splat(_ x: Float) -> Vector { f32x16_splat(x) }
    @inline(__always) static func load(_ p: UnsafePointer<Float>) -> Vector { f32x16_load(p) }
    @inline(__always) static func store(_ p: UnsafeMutablePointer<Float>, _ v: Vector) { f32x16_store(p, v) }
    @inline(__always) static func load(_ p: UnsafePointer<Float>, count: Int, fill: Float) -> Vector {
        f32x16_load_partial(p, count, fill)
    }
    @inline(__always) static func store(_ p: UnsafeMutablePointer<Float>, count: Int, _ v: Vector) {
        f32x16_store_partial(p, count, v)
    }
    @inline(__always) static func add(_ a: Vector, _ b: Vector) -> Vector { f32x16_add(a, b) }
    @inline(__always) static func sub(_ a: Vector, _ b: Vector) -> Vector { f32x16_sub(a, b) }
    @inline(__always) static func mul(_ a: Vector, _ b: Vector) -> Vector { f32x16_mul(a, b) }
    @inline(__always) static func div(_ a: Vector, _ b: Vector) -> Vector { f32x16_div(a, b) }
    @inline(__always) static func fma(_ a: Vector, _ b: Vector, _ c: Vector) -> Vector { f32x16_fma(a, b, c) }
    @inline(__always) static func abs(_ a: Vector) -> Vector { f32x16_abs(a) }
    @inline(__always) static func squareRoot(_ a: Vector) -> Vector { f32x16_sqrt(a) }
    @inline(__always) static func selectLess(_ a: Vector, _ b: Vector, _ x: Vector, _ y: Vector) -> Vector {
        f32x16_select_less(a, b, x, y)
    }
    @inline(__always) static func scale(_ p: Vector, _ i: Vector, _ rounder: Vector) -> Vector {
        f32x16_scale(p, i, rounder)
    }
    @inline(__always) static func split(_ y: Vector) -> (whole: Vector, rest: Vector, rounder: Vector) {
        let rest = f32x16_rest(y)
        let whole = f32x16_sub(y, rest)
        return (whole, rest, whole)
    }
    @inline(__always) static func sum(_ v: Vector) -> Float { f32x16_sum(v) }
    @inline(__always) static func maximum(_ v: Vector) -> Float { f32x16_maximum(v) }
    @inline(__always) static func minimum(_ v: Vector) -> Float { f32x16_minimum(v) }
    @inline(__always) static func prefetch(_ p: UnsafeRawPointer) { encoderd_prefetch(p) }

    @inline(__always) static var zeroIntegers: Integers { f32x16_zero_integers() }
    @inline(__always) static func splatInteger(_ p: UnsafePointer<UInt32>) -> Integers { f32x16_splat_integer(p) }
    @inline(__always) static func loadIntegers(_ p: UnsafePointer<UInt32>) -> Integers { f32x16_load_integers(p) }
    @inline(__always) static func floats(_ v: Integers) -> Vector { f32x16_floats(v) }
    @inline(__always) static func addPairs(_ sum: Integers, _ a: Integers, _ b: Integers) -> Integers {
        f32x16_add_pairs(sum, a, b)
    }
    @inline(__always) static func lowerBF16(_ v: Integers) -> Vector { f32x16_lower_bf16(v) }
    @inline(__always) static func upperBF16(_ v: Integers) -> Vector { f32x16_upper_bf16(v) }
    @inline(__always) static func storeBF16(_ p: UnsafeMutablePointer<UInt16>, _ v: Vector) {
        f32x16_store_bf16(p, v)
    }
    @inline(__always) static func storeBF16Pairs(
        _ p: UnsafeMutablePointer<UInt32>, _ lower: Vector, _ upper: Vector
    ) { f32x16_store_bf16_pairs(p, lower, upper) }
    @inline(__always) static func storeBytes(_ p: UnsafeMutablePointer<UInt8>, _ v: Vector) {
        f32x16_store_bytes(p, v)
    }
    @inline(__always) static func storeShorts(_ p: UnsafeMutablePointer<UInt16>, _ v: Vector) {
        f32x16_store_shorts(p, v)
    }

    @inline(never) static func multiply(_ product: PanelProduct<Float>) {
        multiplyPanel(F32Arithmetic<Self>.self, product)
    }
    @inline(never) static func multiplyRow(_ product: PanelProduct<Float>) {
        multiplyOneRow(F32Arithmetic<Self>.self, product)
    }
    @inline(never) static func packKeys(
        _ k: UnsafePointer<Float>, _ ldk: Int, _ keys: Int, _ headDim: Int, _ panels: UnsafeMutablePointer<Float>
    ) { packKeyRows(Self.self, k, ldk, keys, headDim, panels) }
    @inline(never) static func attend(_ task: AttentionBlock) { attendBlock(Self.self, task) }
    @inline(never) static func scores(_ product: ScoreProduct) {
        runTile(ScoreWork(Self.self, product), rows: product.rows)
    }
    @inline(never) static func values(_ product: ValueProduct) {
        runTile(ValueWork(Self.self, product), rows: product.rows)
    }
    @inline(never) static func activate(
        _ activation: Activation, _ x: UnsafeMutablePointer<Float>, rows: Int, width: Int, stride: Int, isCoarse: Bool
    ) {
        activateRows(Self.self, activation, x, rows: rows, width: width, stride: stride, isCoarse: isCoarse)
    }
    @inline(never) static func finish(_ cells: RecurrentCellBlock) { finishCells(Self.self, cells) }
    @inline(never) static func dense(_ d: DenseArguments) { denseLayer(Self.self, d) }
}

private enum AVX512BF16Emulated: BF16Emulated {
    typealias I = AVX512
    @inline(never) static func multiply(_ product: PanelProduct<UInt32>) { multiplyPanel(Self.self, product) }
    @inline(never) static func multiplyRow(_ product: PanelProduct<UInt32>) { multiplyOneRow(Self.self, product) }
    @inline(never) static func dense(_ d: DenseArguments) { densePacked(Self.self, d) }
}

private enum AVX512Int8Widened: Int8Widened {
    typealias I = AVX512
    @inline(never) static func multiply(_ product: PanelProduct<UInt32>) { multiplyPanel(Self.self, product) }
    @inline(never) static func multiplyRow(_ product: PanelProduct<UInt32>) { multiplyOneRow(Self.self, product) }
    @inline(never) static func dense(_ d: DenseArguments) { densePacked(Self.self, d) }
}

/// Int8 products by AVX512_VNNI.
private enum AVX512Int8VNNI: Int8VNNI {
    typealias I = AVX512
    @inline(__always) static func step(_ a: f32x16_bits, _ b: f32x16_bits, _ sums: f32x16_bits) -> f32x16_bits {
        f32x16_add_quads(sums, a, b)
    }
    @inline(never) static func multiply(_ product: PanelProduct<UInt32>) { multiplyPanel(Self.self, product) }
    @inline(never) static func multiplyRow(_ product: PanelProduct<UInt32>) { multiplyOneRow(Self.self, product) }
    @inline(never) static func dense(_ d: DenseArguments) { densePacked(Self.self, d) }
}

/// bf16 products by AVX512_BF16.
private enum AVX512BF16Native: BF16Native {
    typealias I = AVX512
    @inline(__always) static func step(_ a: f32x16_bits, _ b: f32x16_bits, _ sums: f32x16) -> f32x16 {
        f32x16_add_bf16_pairs(sums, a, b)
    }
    @inline(__always) static func storeBF16(_ p: UnsafeMutablePointer<UInt16>, _ v: f32x16) {
        f32x16_convert_bf16(p, v)
    }
    @inline(never) static func multiply(_ product: PanelProduct<UInt32>) { multiplyPanel(Self.self, product) }
    @inline(never) static func multiplyRow(_ product: PanelProduct<UInt32>) { multiplyOneRow(Self.self, product) }
    @inline(never) static func dense(_ d: DenseArguments) { densePacked(Self.self, d) }
}

/// Makes the kernels of dense layers in bf16 or int8. Each table has its own copy of this function: closures of an
/// inlinable function are weak symbols (see scripts/check_symbols.sh).
private func makeDenseKernels<A: PackedArithmetic>(_: A.Type, _ precision: Precision, _ name: String) -> DenseKernels
where A.I: OutOfLineCells {
    var pack: (@Sendable (UnsafePointer<Int8>, UnsafePointer<Float>, Int, Int, UnsafeMutableRawPointer) -> Void)?
    if A.isQuantized {
        pack = { w, scales, n, k, packed in
            packQuantized(A.self, w, scales, n, k, packed.assumingMemoryBound(to: UInt32.self))
        }
    }
    return DenseKernels(
        precision: precision, arithmetic: name, packedCount: { n, k in A.packedCount(n, k) },
        pack: { w, ldw, n, k, packed in A.pack(w, ldw, n, k, packed.assumingMemoryBound(to: UInt32.self)) },
        packQuantized: pack,
        scratchCount: { m, k in A.scratchCount(m, k) }, run: { A.dense($0) },
        recurrentStep: { recurrentStepPacked(A.self, $0) })
}

/// Makes the kernels of attention in bf16.
private func makeBF16Attention<A: BF16Arithmetic>(_: A.Type) -> AttentionKernels {
    AttentionKernels(
        precision: .bf16,
        scratchCount: { queries, keys, headDim, valueDim in
            BF16AttentionScratch(A.self, queries: queries, keys: keys, headDim: headDim, valueDim: valueDim).total
        },
        run: { bf16AttentionHead(A.self, $0) }, weights: { bf16AttentionWeights(A.self, $0) })
}

/// Makes the kernels of attention in f32.
private func makeF32Attention() -> AttentionKernels {
    AttentionKernels(
        precision: .f32,
        scratchCount: { queries, keys, headDim, valueDim in
            AttentionScratch(AVX512.self, queries: queries, keys: keys, headDim: headDim, valueDim: valueDim).total
        },
        run: { f32AttentionHead(AVX512.self, $0) }, weights: { f32AttentionWeights(AVX512.self, $0) })
}

/// Makes the table of AVX-512, which only a machine that has AVX-512 may run.
///
/// - Parameters:
///   - name: The table's name.
///   - vnni: Whether the machine also has AVX512_VNNI.
///   - bf16: Whether the machine also has AVX512_BF16.
public func makeAVX512Table(_ name: String, vnni: Bool, bf16: Bool) -> KernelTable {
    let f32Attention = makeF32Attention()
    let bf16Attention =
        bf16 ? makeBF16Attention(AVX512BF16Native.self) : makeBF16Attention(AVX512BF16Emulated.self)
    return KernelTable(
        instructionSet: .avx512, name: name, panelWidth: 32,
        f32: DenseKernels(
            precision: .f32, arithmetic: "f32",
            packedCount: { n, k in (n + 31) / 32 * 32 * k },
            pack: { w, ldw, n, k, packed in
                packPanels(AVX512.self, w, ldw, n, k, packed.assumingMemoryBound(to: Float.self))
            },
            scratchCount: { _, _ in 0 }, run: { AVX512.dense($0) },
            recurrentStep: { Kernels.recurrentStep(AVX512.self, $0) }),
        bf16: bf16
            ? makeDenseKernels(AVX512BF16Native.self, .bf16, "AVX512_BF16")
            : makeDenseKernels(AVX512BF16Emulated.self, .bf16, "bf16 by f32"),
        int8: vnni
            ? makeDenseKernels(AVX512Int8VNNI.self, .int8, "AVX512_VNNI")
            : makeDenseKernels(AVX512Int8Widened.self, .int8, "16-bit"),
        f32Attention: f32Attention, bf16Attention: bf16Attention, int8Attention: bf16 ? bf16Attention : f32Attention,
        layerNorm: { layerNormRows(AVX512.self, $0) },
        rmsNorm: { rmsNormRows(AVX512.self, $0) },
        rotary: { rotaryHeads(AVX512.self, $0) },
        activate: { activation, x, count in
            AVX512.activate(activation, x, rows: 1, width: count, stride: count, isCoarse: false)
        },
        exp: { x, out, count in expVector(AVX512.self, x, out, count) },
        softmax: { x, rows, width in softmaxRows(AVX512.self, x, rows, width) },
        add: { x, out, count in addVector(AVX512.self, x, out, count) })
}
