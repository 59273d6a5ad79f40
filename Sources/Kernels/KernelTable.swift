/// The instruction sets a table of kernels can be compiled for.
public enum InstructionSet: String, Sendable, CaseIterable, Comparable {
    case baseline, avx2, avx512

    public static func < (a: InstructionSet, b: InstructionSet) -> Bool {
        allCases.firstIndex(of: a)! < allCases.firstIndex(of: b)!
    }
}

/// The activation applied by a dense layer's epilogue. Names follow torch.
public enum Activation: String, Sendable, CaseIterable {
    case identity, relu, gelu, geluTanh, silu, tanh, sigmoid
    /// x · sigmoid(1.702 x).
    case quickGelu
    /// min(max(x, 0), 6); max(x, 0)²; x for x ≥ 0, else 0.01 x.
    case relu6, reluSquared, leakyRelu
    /// x · tanh(ln(1 + eˣ)); x for x ≥ 0, else eˣ − 1.
    case mish, elu
    /// min(gelu(x), 10); x · min(max(x + 3, 0), 6) / 6.
    case clippedGelu, hardSwish
    /// Φ((x − 0.707107) / 0.282095); √ln(1 + eˣ).
    case laplace, sqrtSoftplus
}

/// What the weights of dense layers are held in, and what they are multiplied with. Outputs, norms, softmax and activation
/// functions are f32 in each.
public enum Precision: String, Sendable, CaseIterable {
    /// Everything f32.
    case f32
    /// Weights and activations rounded to bf16, sums f32.
    case bf16
    /// Weights of 8 bits, symmetric, one scale an output channel; activations of 8 bits, one scale and zero a row, found
    /// from the row itself; sums exact.
    case int8
}

/// A dense layer: `out[m, n] = residual[m, n] + activation(a[m, k] · wᵀ[k, n] + bias[n])`, where `a`, `bias`, `residual` and
/// `out` are f32.
public struct DenseArguments {
    /// [m, k], row-major, rows `lda` floats apart.
    public var a: UnsafePointer<Float>
    public var lda: Int
    /// The weight `[n, k]` (torch's `[out, in]`) as packed by the same `DenseKernels`.
    public var packed: UnsafeRawPointer
    /// `DenseKernels.scratchCount(m, k)` floats, 64-byte aligned; nil where that is none, as for f32.
    public var scratch: UnsafeMutablePointer<Float>?
    /// [n], or nil.
    public var bias: UnsafePointer<Float>?
    /// [m, n], rows `ldResidual` floats apart, or nil. May be the same memory as `out`.
    public var residual: UnsafePointer<Float>?
    public var ldResidual: Int
    public var activation: Activation
    /// [m, n], row-major, rows `ldOut` floats apart. Must not overlap `a`.
    public var out: UnsafeMutablePointer<Float>
    public var ldOut: Int
    public var m: Int
    public var n: Int
    public var k: Int
    /// nil, or for a gated layer (GLU: SwiGLU, GeGLU) its output's columns: `out[m, gated] = activation(gate) ⊙ up`, where the
    /// weight's rows, and the bias, are those of gate and up in turns, `panelWidth / 2` of each, the last filled with
    /// zeros (`gatedOrder`). No residual then; `columns` are the weight's, whole panels.
    public var gated: Int?
    /// Bytes of the second level of cache, for which rows are cut into blocks.
    public var cacheBytes = 1 << 20
    /// The columns of `out` to make, of 0 ..< n; the first is a multiple of `KernelTable.panelWidth`.
    public var columns: Range<Int>

    @inlinable public init(
        a: UnsafePointer<Float>, lda: Int, packed: UnsafeRawPointer, scratch: UnsafeMutablePointer<Float>? = nil,
        bias: UnsafePointer<Float>?, residual: UnsafePointer<Float>? = nil, ldResidual: Int = 0,
        activation: Activation = .identity, out: UnsafeMutablePointer<Float>, ldOut: Int, m: Int, n: Int, k: Int,
        columns: Range<Int>? = nil
    ) {
        self.a = a
        self.lda = lda
        self.packed = packed
        self.scratch = scratch
        self.bias = bias
        self.residual = residual
        self.ldResidual = ldResidual
        self.activation = activation
        self.out = out
        self.ldOut = ldOut
        self.m = m
        self.n = n
        self.k = k
        self.columns = columns ?? 0..<n
    }

    /// Rows of a gated layer's weight: where each comes from, the gate's or the up projection's row, or neither.
    public static func gatedOrder(_ outputs: Int, panelWidth: Int) -> [(isGate: Bool, row: Int?)] {
        let half = panelWidth / 2
        return (0..<(outputs + half - 1) / half * panelWidth).map { i in
            let row = i / panelWidth * half + i % half
            return (i % panelWidth < half, row < outputs ? row : nil)
        }
    }
}

/// What some models make of a score before the softmax: `s ↦ cap · tanh(scale · s / cap) + bias[query, key]`. f32 attention
/// only.
public struct ScoreModifier {
    /// The bias of the first query and key, or nil: that of query i and key j is `bias[i · biasStride + j]`. Where it depends
    /// on the distance of key and query alone, one row of distances serves all queries, with a stride of −1.
    public var bias: UnsafePointer<Float>?
    public var biasStride: Int
    /// Soft cap of the scores (Gemma 2), or 0: none.
    public var cap: Float

    public init(bias: UnsafePointer<Float>? = nil, biasStride: Int = 0, cap: Float = 0) {
        self.bias = bias
        self.biasStride = biasStride
        self.cap = cap
    }
}

/// Scaled dot-product attention of one sequence and one head, f32:
/// `out[i] = Σ_j softmax_j(scale · q_i·k_j) v_j`, where j runs over the keys that `span` lets query i see. With `modifier` the
/// softmax is of what they make of the scores.
///
/// A query that sees no key, or whose scores are all −inf, gives NaN, as torch's softmax does.
public struct AttentionArguments {
    /// [queries, headDim], rows `ldq` floats apart. Likewise `k` [keys, headDim] and `v` [keys, valueDim].
    public var q: UnsafePointer<Float>
    public var ldq: Int
    public var k: UnsafePointer<Float>
    public var ldk: Int
    public var v: UnsafePointer<Float>
    public var ldv: Int
    /// [queries, valueDim], rows `ldOut` floats apart.
    public var out: UnsafeMutablePointer<Float>
    public var ldOut: Int
    /// [queries, 2] or nil: where to leave each row's maximum of q·k, before `scale`, and its sum of
    /// exp(scale · (q·k − maximum)); with `modifier`, the maximum of what they make of the scores, and the sum of
    /// exp(score − maximum). As one number, their log-sum-exp, they would lose the digits that the weights need.
    public var statistics: UnsafeMutablePointer<Float>?
    public var queries: Int
    public var keys: Int
    public var headDim: Int
    public var valueDim: Int
    /// Not negative.
    public var scale: Float
    public var span: AttentionSpan
    /// The position of the first query among the keys, for `span`: that of its token, where some of a sequence's queries
    /// are asked alone.
    public var position: Int
    /// nil: none.
    public var modifier: ScoreModifier?
    /// At least `KernelTable.attentionScratch(queries, keys, headDim, valueDim)` floats, 64-byte aligned.
    public var scratch: UnsafeMutablePointer<Float>

    public init(
        q: UnsafePointer<Float>, ldq: Int, k: UnsafePointer<Float>, ldk: Int, v: UnsafePointer<Float>, ldv: Int,
        out: UnsafeMutablePointer<Float>, ldOut: Int, statistics: UnsafeMutablePointer<Float>? = nil,
        queries: Int, keys: Int, headDim: Int, valueDim: Int, scale: Float, span: AttentionSpan = .all,
        position: Int = 0, modifier: ScoreModifier? = nil, scratch: UnsafeMutablePointer<Float>
    ) {
        self.q = q
        self.ldq = ldq
        self.k = k
        self.ldk = ldk
        self.v = v
        self.ldv = ldv
        self.out = out
        self.ldOut = ldOut
        self.statistics = statistics
        self.queries = queries
        self.keys = keys
        self.headDim = headDim
        self.valueDim = valueDim
        self.scale = scale
        self.span = span
        self.position = position
        self.modifier = modifier
        self.scratch = scratch
    }
}

/// The weights of one head, rebuilt: `out[r, j] = exp(scale · (q_{rows[r]}·k_j − maximum)) / sum` of that row's
/// `statistics`, and 0 where `span` hides key j from that query.
public struct AttentionWeightsArguments {
    /// [queries, headDim] and [keys, headDim] as in `AttentionArguments`.
    public var q: UnsafePointer<Float>
    public var ldq: Int
    public var k: UnsafePointer<Float>
    public var ldk: Int
    /// [queries, 2], as `AttentionArguments` left it.
    public var statistics: UnsafePointer<Float>
    /// [rowCount]: the queries wanted, counted as in `q`. Query i has the position `position` + i.
    public var rows: UnsafePointer<Int32>
    public var rowCount: Int
    public var keys: Int
    public var headDim: Int
    public var scale: Float
    public var span: AttentionSpan
    public var position: Int
    /// As in `AttentionArguments`, for the queries as counted in `q`.
    public var modifier: ScoreModifier?
    /// [rowCount, keys], row-major, contiguous.
    public var out: UnsafeMutablePointer<Float>
    /// At least `KernelTable.attentionScratch(rowCount, keys, headDim, 0)` floats, 64-byte aligned.
    public var scratch: UnsafeMutablePointer<Float>

    public init(
        q: UnsafePointer<Float>, ldq: Int, k: UnsafePointer<Float>, ldk: Int, statistics: UnsafePointer<Float>,
        rows: UnsafePointer<Int32>, rowCount: Int, keys: Int, headDim: Int, scale: Float, span: AttentionSpan = .all,
        position: Int = 0, modifier: ScoreModifier? = nil, out: UnsafeMutablePointer<Float>,
        scratch: UnsafeMutablePointer<Float>
    ) {
        self.q = q
        self.ldq = ldq
        self.k = k
        self.ldk = ldk
        self.statistics = statistics
        self.rows = rows
        self.rowCount = rowCount
        self.keys = keys
        self.headDim = headDim
        self.scale = scale
        self.span = span
        self.position = position
        self.modifier = modifier
        self.out = out
        self.scratch = scratch
    }
}

/// `out[r] = weight ⊙ (x[r] − mean) / √(var + epsilon) + bias`, per row, f32 (torch.nn.LayerNorm).
public struct LayerNormArguments {
    /// [rows, width], contiguous. `out` may be `x`.
    public var x: UnsafePointer<Float>
    public var out: UnsafeMutablePointer<Float>
    /// [width] each; `bias` may be nil.
    public var weight: UnsafePointer<Float>
    public var bias: UnsafePointer<Float>?
    public var rows: Int
    public var width: Int
    public var epsilon: Float

    public init(
        x: UnsafePointer<Float>, out: UnsafeMutablePointer<Float>, weight: UnsafePointer<Float>,
        bias: UnsafePointer<Float>?, rows: Int, width: Int, epsilon: Float
    ) {
        self.x = x
        self.out = out
        self.weight = weight
        self.bias = bias
        self.rows = rows
        self.width = width
        self.epsilon = epsilon
    }
}

/// `out[r] = weight ⊙ x[r] / √(mean(x[r]²) + epsilon)`, per row, f32 (torch.nn.RMSNorm).
public struct RMSNormArguments {
    /// [rows, width], rows `stride` floats apart in both. `out` may be `x`.
    public var x: UnsafePointer<Float>
    public var out: UnsafeMutablePointer<Float>
    /// [width]
    public var weight: UnsafePointer<Float>
    public var rows: Int
    public var width: Int
    public var stride: Int
    public var epsilon: Float

    public init(
        x: UnsafePointer<Float>, out: UnsafeMutablePointer<Float>, weight: UnsafePointer<Float>, rows: Int, width: Int,
        stride: Int, epsilon: Float
    ) {
        self.x = x
        self.out = out
        self.weight = weight
        self.rows = rows
        self.width = width
        self.stride = stride
        self.epsilon = epsilon
    }
}

/// Rotary position embedding (Su et al. 2021, https://arxiv.org/abs/2104.09864) of one token's heads, in place: each pair
/// (a, b) of a head becomes (a cos − b sin, b cos + a sin).
public struct RotaryArguments {
    /// [heads, headDim], contiguous.
    public var x: UnsafeMutablePointer<Float>
    public var heads: Int
    public var headDim: Int
    /// [pairs] each, of this token's position.
    public var cosines: UnsafePointer<Float>
    public var sines: UnsafePointer<Float>
    /// The first 2 · pairs values of a head turn, the others stay.
    public var pairs: Int
    /// Pair i is values 2i and 2i + 1, or else i and i + pairs.
    public var isInterleaved: Bool

    public init(
        x: UnsafeMutablePointer<Float>, heads: Int, headDim: Int, cosines: UnsafePointer<Float>,
        sines: UnsafePointer<Float>, pairs: Int, isInterleaved: Bool
    ) {
        self.x = x
        self.heads = heads
        self.headDim = headDim
        self.cosines = cosines
        self.sines = sines
        self.pairs = pairs
        self.isInterleaved = isInterleaved
    }
}

/// The kind of recurrent cell. Gate order is torch's: LSTM i, f, g, o; GRU r, z, n.
public enum RecurrentCell: String, Sendable, CaseIterable {
    case tanh, relu, gru, lstm

    /// Rows of `weight_ih` and `weight_hh` in units of the hidden size.
    @inlinable public var gates: Int {
        switch self {
        case .tanh, .relu: 1
        case .gru: 3
        case .lstm: 4
        }
    }
}

/// One time step of `count` sequences that run together, after the input projections were made by a dense layer (with
/// b_ih; and b_hh too, except the GRU's n gate, whose b_hh must stay inside r ⊙ (…)).
///
/// Sequences of different lengths step together without padding: the caller lists, for each running sequence, where its
/// row of output goes. See torch.nn.RNN, GRU and LSTM for the equations.
public struct RecurrentStepArguments {
    public var cell: RecurrentCell
    public var hidden: Int
    /// Size of h: `hidden`, or the LSTM's `proj_size`.
    public var output: Int
    public var count: Int
    /// [count, gates·hidden], contiguous: the input projections of this step.
    public var inputs: UnsafePointer<Float>
    /// `weight_hh` [gates·hidden, output], packed by the same `DenseKernels`.
    public var packedHH: UnsafeRawPointer
    /// GRU: b_hh of the n gate, [hidden]; nil where the layer has no bias, or for other cells.
    public var biasHN: UnsafePointer<Float>?
    /// LSTM with projections: `weight_hr` [output, hidden], packed likewise; else nil.
    public var packedHR: UnsafeRawPointer?
    /// [count, output]: h_{t−1}.
    public var h: UnsafePointer<Float>
    /// [count, output]: where h_t goes; not where h_{t−1} is, which is read to the end.
    public var next: UnsafeMutablePointer<Float>
    /// LSTM: [count, hidden], c_{t−1} on entry, c_t on return; nil for other cells.
    public var c: UnsafeMutablePointer<Float>?
    /// Row r's h_t goes to `y + rows[r] * ldY` as well.
    public var y: UnsafeMutablePointer<Float>
    public var ldY: Int
    public var rows: UnsafePointer<Int>
    /// If not nil, the activated gates of row r (LSTM i f g o, GRU r z n; [gates·hidden]) go to
    /// `gates + rows[r] * gates * hidden`.
    public var gates: UnsafeMutablePointer<Float>?
    /// At least `count * (gates + 1) * hidden` floats, 64-byte aligned.
    public var scratch: UnsafeMutablePointer<Float>
    /// `DenseKernels.scratchCount` floats for m = count and k = output, or k = hidden where that is more, 64-byte
    /// aligned; nil where that is none, as for f32.
    public var words: UnsafeMutablePointer<Float>?
    /// Go through `packedHH` from its end. Steps that alternate find in cache what the step before read last.
    public var backward: Bool

    public init(
        cell: RecurrentCell, hidden: Int, output: Int, count: Int, inputs: UnsafePointer<Float>,
        packedHH: UnsafeRawPointer, biasHN: UnsafePointer<Float>?, packedHR: UnsafeRawPointer?,
        h: UnsafePointer<Float>, next: UnsafeMutablePointer<Float>, c: UnsafeMutablePointer<Float>?,
        y: UnsafeMutablePointer<Float>, ldY: Int, rows: UnsafePointer<Int>, gates: UnsafeMutablePointer<Float>?,
        scratch: UnsafeMutablePointer<Float>, words: UnsafeMutablePointer<Float>? = nil, backward: Bool = false
    ) {
        self.cell = cell
        self.hidden = hidden
        self.output = output
        self.count = count
        self.inputs = inputs
        self.packedHH = packedHH
        self.biasHN = biasHN
        self.packedHR = packedHR
        self.h = h
        self.next = next
        self.c = c
        self.y = y
        self.ldY = ldY
        self.rows = rows
        self.gates = gates
        self.scratch = scratch
        self.words = words
        self.backward = backward
    }
}

/// Dense layers, and the steps of recurrent ones, in one precision.
public struct DenseKernels: Sendable {
    public let precision: Precision
    /// The arithmetic in words: `f32`, `VNNI`, `16-bit`, `AVX512_BF16`, `bf16 by f32`.
    public let arithmetic: String
    /// Floats, or as many words of 32 bits, that `pack` writes for a weight of `[n, k]`.
    public let packedCount: @Sendable (_ n: Int, _ k: Int) -> Int
    /// Packs `w` [n, k] (torch's [out, in]), row-major, rows `ldw` floats apart, into panels of `panelWidth` columns of
    /// words w: `packed[(j / width) * K * width + i * width + j % width] = w[j, i]`, K words deep, the last panel filled
    /// with zeros. A word of f32 is one float. Behind the panels of int8 follow a scale and a sum of each column.
    public let pack:
        @Sendable (_ w: UnsafePointer<Float>, _ ldw: Int, _ n: Int, _ k: Int, _ packed: UnsafeMutableRawPointer) -> Void
    /// int8: packs weights [n, k], contiguous, that are quantized already, with their scales [n]; else nil.
    public let packQuantized:
        (
            @Sendable (
                _ w: UnsafePointer<Int8>, _ scales: UnsafePointer<Float>, _ n: Int, _ k: Int,
                _ packed: UnsafeMutableRawPointer
            ) -> Void
        )?
    /// Floats of scratch that `dense` needs for m rows or fewer.
    public let scratchCount: @Sendable (_ m: Int, _ k: Int) -> Int
    public let dense: @Sendable (DenseArguments) -> Void
    public let recurrentStep: @Sendable (RecurrentStepArguments) -> Void

    public init(
        precision: Precision, arithmetic: String, packedCount: @escaping @Sendable (Int, Int) -> Int,
        pack: @escaping @Sendable (UnsafePointer<Float>, Int, Int, Int, UnsafeMutableRawPointer) -> Void,
        packQuantized: (
            @Sendable (UnsafePointer<Int8>, UnsafePointer<Float>, Int, Int, UnsafeMutableRawPointer) -> Void
        )? = nil,
        scratchCount: @escaping @Sendable (Int, Int) -> Int, dense: @escaping @Sendable (DenseArguments) -> Void,
        recurrentStep: @escaping @Sendable (RecurrentStepArguments) -> Void
    ) {
        self.precision = precision
        self.arithmetic = arithmetic
        self.packedCount = packedCount
        self.pack = pack
        self.packQuantized = packQuantized
        self.scratchCount = scratchCount
        self.dense = dense
        self.recurrentStep = recurrentStep
    }
}

/// Attention of one head, in one precision.
public struct AttentionKernels: Sendable {
    public let precision: Precision
    /// Floats of scratch for `run` and `weights`: grows with the queries alone once there are some hundreds of keys.
    public let scratch: @Sendable (_ queries: Int, _ keys: Int, _ headDim: Int, _ valueDim: Int) -> Int
    public let run: @Sendable (AttentionArguments) -> Void
    public let weights: @Sendable (AttentionWeightsArguments) -> Void

    public init(
        precision: Precision, scratch: @escaping @Sendable (Int, Int, Int, Int) -> Int,
        run: @escaping @Sendable (AttentionArguments) -> Void,
        weights: @escaping @Sendable (AttentionWeightsArguments) -> Void
    ) {
        self.precision = precision
        self.scratch = scratch
        self.run = run
        self.weights = weights
    }
}

/// The functions of one instruction set. Every pointer must be valid for the sizes given; nothing is checked here.
///
/// Kernels allocate nothing and keep no state, so a table is shared by all threads.
public struct KernelTable: Sendable {
    public let instructionSet: InstructionSet
    /// The table's name where several are made for one instruction set: `avx512`, `avx512-vnni`, `avx512-vnni-bf16`.
    public var name: String
    /// Columns of a packed panel.
    public let panelWidth: Int

    public let f32: DenseKernels
    public var bf16: DenseKernels
    public var int8: DenseKernels

    private let singleAttention: AttentionKernels
    private let brainAttention: AttentionKernels
    private let quantizedAttention: Precision

    public let layerNorm: @Sendable (LayerNormArguments) -> Void
    public let rmsNorm: @Sendable (RMSNormArguments) -> Void
    public let rotary: @Sendable (RotaryArguments) -> Void
    /// `x[i] = activation(x[i])` for `count` floats.
    public let activate: @Sendable (_ activation: Activation, _ x: UnsafeMutablePointer<Float>, _ count: Int) -> Void
    /// `out[i] = exp(x[i])`, within 2 ulp.
    public let exp: @Sendable (_ x: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>, _ count: Int) -> Void
    /// Softmax over each row of `x` [rows, width], in place.
    public let softmax: @Sendable (_ x: UnsafeMutablePointer<Float>, _ rows: Int, _ width: Int) -> Void
    /// `out[i] += x[i]`.
    public let add: @Sendable (_ x: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>, _ count: Int) -> Void

    public init(
        instructionSet: InstructionSet, panelWidth: Int, f32: DenseKernels, bf16: DenseKernels, int8: DenseKernels,
        attention: AttentionKernels, brainAttention: AttentionKernels, quantizedAttention: Precision,
        layerNorm: @escaping @Sendable (LayerNormArguments) -> Void,
        rmsNorm: @escaping @Sendable (RMSNormArguments) -> Void,
        rotary: @escaping @Sendable (RotaryArguments) -> Void,
        activate: @escaping @Sendable (Activation, UnsafeMutablePointer<Float>, Int) -> Void,
        exp: @escaping @Sendable (UnsafePointer<Float>, UnsafeMutablePointer<Float>, Int) -> Void,
        softmax: @escaping @Sendable (UnsafeMutablePointer<Float>, Int, Int) -> Void,
        add: @escaping @Sendable (UnsafePointer<Float>, UnsafeMutablePointer<Float>, Int) -> Void
    ) {
        self.instructionSet = instructionSet
        name = instructionSet.rawValue
        self.panelWidth = panelWidth
        self.f32 = f32
        self.bf16 = bf16
        self.int8 = int8
        singleAttention = attention
        self.brainAttention = brainAttention
        self.quantizedAttention = quantizedAttention
        self.layerNorm = layerNorm
        self.rmsNorm = rmsNorm
        self.rotary = rotary
        self.activate = activate
        self.exp = exp
        self.softmax = softmax
        self.add = add
    }

    /// The dense layers of a precision.
    public func dense(_ precision: Precision) -> DenseKernels {
        switch precision {
        case .f32: f32
        case .bf16: bf16
        case .int8: int8
        }
    }

    /// Attention between dense layers of a precision: f32, bf16, and between int8 layers bf16 where the processor
    /// multiplies it, else f32.
    public func attention(_ precision: Precision) -> AttentionKernels {
        switch precision {
        case .f32: singleAttention
        case .bf16: brainAttention
        case .int8: quantizedAttention == .bf16 ? brainAttention : singleAttention
        }
    }

    // Those of f32, by short names.
    public var attentionScratch: @Sendable (_ queries: Int, _ keys: Int, _ headDim: Int, _ valueDim: Int) -> Int {
        singleAttention.scratch
    }
    public var attention: @Sendable (AttentionArguments) -> Void { singleAttention.run }
    public var attentionWeights: @Sendable (AttentionWeightsArguments) -> Void { singleAttention.weights }
    public var packedCount: @Sendable (_ n: Int, _ k: Int) -> Int { f32.packedCount }
    public var pack:
        @Sendable (_ w: UnsafePointer<Float>, _ ldw: Int, _ n: Int, _ k: Int, _ packed: UnsafeMutableRawPointer) -> Void
    { f32.pack }
    public var dense: @Sendable (DenseArguments) -> Void { f32.dense }
    public var recurrentStep: @Sendable (RecurrentStepArguments) -> Void { f32.recurrentStep }
}
