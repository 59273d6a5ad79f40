/// `DenseKernels.recurrentStep` in f32: the product h·W_hhᵀ for all running sequences and the cell's own equations.
///
/// A group of units after another: the panels of all its gates are multiplied into a small tile, and its cells are
/// finished while the tile is in the first level of cache. Where the gates do not begin at a panel's edge, all products
/// come first.
@inlinable @inline(__always)
public func recurrentStep<I: Instructions>(_: I.Type, _ s: RecurrentStepArguments) {
    if s.count <= 0 { return }
    guard s.hidden % I.panelWidth == 0 else {
        recurrentStepUngrouped(I.self, s) { I.dense($0) }
        return
    }
    let block = blockLength(s.count, limit: stepRows)
    var row = 0
    while row < s.count {
        StepPart<F32Arithmetic<I>>(
            step: s, a: s.h + row * s.output, lda: s.output, b: s.packedHH.assumingMemoryBound(to: Float.self),
            scales: nil, k: s.output, kBlock: blockLength(s.output, limit: s.output <= 256 ? 256 : 192), row: row,
            rows: min(block, s.count - row)
        ).run()
        row += block
    }
    s.project { I.dense($0) }
}

/// `DenseKernels.recurrentStep` in bf16 or int8: each row of h is converted to words at each step.
@inlinable @inline(__always)
public func recurrentWords<A: WordArithmetic>(_: A.Type, _ s: RecurrentStepArguments) {
    typealias I = A.I
    guard s.count > 0, let scratch = s.words else { return }
    guard s.hidden % I.panelWidth == 0 else {
        recurrentStepUngrouped(I.self, s) { A.dense($0) }
        return
    }
    let block = blockLength(s.count, limit: min(stepRows, A.blockRows(s.count, s.output)))
    let stride = A.wordPitch(s.output)
    let words = A.wordCount(s.output)
    let columns = s.cell.gates * s.hidden
    let a = UnsafeMutableRawPointer(scratch + roundUp(2 * block, to: 16)).assumingMemoryBound(to: UInt32.self)
    let columnScales = (s.packedHH + 4 * columns * words).assumingMemoryBound(to: Float.self)
    let scales = ProductScales(rows: scratch, columns: columnScales, columnSums: columnScales + columns)
    var row = 0
    while row < s.count {
        let rows = min(block, s.count - row)
        for r in 0..<rows {
            A.convertRow(s.h + (row + r) * s.output, s.output, a + r * stride, scratch + 2 * r)
        }
        StepPart<A>(
            step: s, a: a, lda: stride, b: s.packedHH.assumingMemoryBound(to: UInt32.self),
            scales: A.isQuantized ? scales : nil, k: words, kBlock: words, row: row, rows: rows
        ).run()
        row += block
    }
    s.project { A.dense($0) }
}

/// Rows of a block: a tile of one group's products stays in the first level of cache.
@usableFromInline let stepRows = 48

@inlinable @inline(__always)
func recurrentStepUngrouped<I: Instructions>(_: I.Type, _ s: RecurrentStepArguments, _ dense: (DenseArguments) -> Void)
{
    let gateWidth = s.cell.gates * s.hidden
    dense(
        DenseArguments(
            a: s.h, lda: s.output, packed: s.packedHH, scratch: s.words, bias: nil, out: s.scratch, ldOut: gateWidth,
            m: s.count, n: gateWidth, k: s.output))
    I.finish(
        StepCells(
            step: s, row: 0, rows: s.count, unit: 0, units: s.hidden, stride: gateWidth, gateStride: s.hidden))
    s.project(dense)
}

/// Some rows of a step whose gates begin at panels' edges.
public struct StepPart<A: Arithmetic> {
    public typealias I = A.I
    @usableFromInline let step: RecurrentStepArguments
    /// h [rows, k] words, rows `lda` words apart, and the packed panels.
    @usableFromInline let a: UnsafePointer<A.Word>
    @usableFromInline let lda: Int
    @usableFromInline let b: UnsafePointer<A.Word>
    @usableFromInline let scales: ProductScales?
    @usableFromInline let k: Int
    /// Words of k that are summed in registers before they are added to the tile, as in `denseLayer`.
    @usableFromInline let kBlock: Int
    @usableFromInline let row: Int
    @usableFromInline let rows: Int

    @inlinable @inline(__always)
    init(
        step: RecurrentStepArguments, a: UnsafePointer<A.Word>, lda: Int, b: UnsafePointer<A.Word>,
        scales: ProductScales?,
        k: Int, kBlock: Int, row: Int, rows: Int
    ) {
        self.step = step
        self.a = a
        self.lda = lda
        self.b = b
        self.scales = scales
        self.k = k
        self.kBlock = kBlock
        self.row = row
        self.rows = rows
    }

    @inlinable @inline(__always)
    func run() {
        let width = I.panelWidth
        // One row goes through four panels at once, see `multiplyOneRow`.
        let wide = rows == 1 ? step.hidden / (4 * width) : 0
        let groups = wide + step.hidden / width - 4 * wide
        for i in 0..<groups {
            let group = step.backward ? groups - 1 - i : i
            let unit = group < wide ? group * 4 * width : (3 * wide + group) * width
            let units = group < wide ? 4 * width : width
            multiplyGates(unit: unit, units: units)
            I.finish(
                StepCells(
                    step: step, row: row, rows: rows, unit: unit, units: units, stride: step.cell.gates * units,
                    gateStride: units))
        }
    }

    /// scratch[r, gate, j] = (h·W_hhᵀ)[row + r, gate, unit + j] for whole panels of units.
    @inlinable @inline(__always)
    func multiplyGates(unit: Int, units: Int) {
        let gates = step.cell.gates
        let hidden = step.hidden
        for i in 0..<gates {
            let gate = step.backward ? gates - 1 - i : i
            let column = gate * hidden + unit
            // The panel after this one: of the next gate, or of the first gate of the next units.
            var following = step.backward ? -hidden * k : hidden * k
            if i == gates - 1 {
                let isLast = step.backward ? unit == 0 : unit + units >= hidden
                following = isLast ? 0 : (step.backward ? -1 : 1) * (units - (gates - 1) * hidden) * k
            }
            var p = 0
            repeat {
                let depth = min(kBlock, k - p)
                let offset = p * I.panelWidth
                A.multiply(
                    PanelProduct(
                        a: a + p, lda: lda, b: b + column * k + offset, panelStride: k * I.panelWidth,
                        scales: scales.map {
                            ProductScales(
                                rows: $0.rows, columns: $0.columns + column, columnSums: $0.columnSums + column)
                        },
                        accumulate: p > 0, out: step.scratch + gate * units, ldOut: gates * units, m: rows,
                        columns: units, k: depth,
                        ahead: p + depth < k ? depth * I.panelWidth : following - offset))
                p += depth
            } while p < k
        }
    }
}

extension RecurrentStepArguments {
    /// [count, hidden]: with a projection, the cells' outputs, which are projected from here.
    @inlinable @inline(__always)
    var projected: UnsafeMutablePointer<Float> { scratch + count * cell.gates * hidden }

    /// h = W_hr times the cells' outputs, where there is a projection.
    @inlinable @inline(__always)
    func project(_ dense: (DenseArguments) -> Void) {
        guard let packedHR else { return }
        dense(
            DenseArguments(
                a: projected, lda: hidden, packed: packedHR, scratch: words, bias: nil, out: next, ldOut: output,
                m: count, n: output, k: hidden))
        for r in 0..<count { (y + rowOfOutput(r)).update(from: next + r * output, count: output) }
    }

    @inlinable @inline(__always)
    func rowOfGates(_ r: Int) -> Int { rows[r] * cell.gates * hidden }

    @inlinable @inline(__always)
    func rowOfOutput(_ r: Int) -> Int { rows[r] * ldY }
}

/// Some units of some rows of a step, whose products are in scratch.
public struct StepCells {
    @usableFromInline let step: RecurrentStepArguments
    @usableFromInline let row: Int
    @usableFromInline let rows: Int
    @usableFromInline let unit: Int
    @usableFromInline let units: Int
    /// Floats from a row's products to the next row's, and from a gate's to the next gate's.
    @usableFromInline let stride: Int
    @usableFromInline let gateStride: Int

    @inlinable @inline(__always)
    init(step: RecurrentStepArguments, row: Int, rows: Int, unit: Int, units: Int, stride: Int, gateStride: Int) {
        self.step = step
        self.row = row
        self.rows = rows
        self.unit = unit
        self.units = units
        self.stride = stride
        self.gateStride = gateStride
    }
}

/// The cell's equations.
@inlinable @inline(__always)
public func finishCells<I: Instructions>(_: I.Type, _ part: StepCells) {
    let s = part.step
    let unit = part.unit
    for r in part.row..<(part.row + part.rows) {
        let place = s.rowOfGates(r) + unit
        var cells = CellRow<I>(
            input: s.inputs + r * s.cell.gates * s.hidden + unit, product: s.scratch + (r - part.row) * part.stride,
            productStride: part.gateStride, previous: s.h + r * s.output + unit,
            h: (s.packedHR == nil ? s.next + r * s.output : s.projected + r * s.hidden) + unit,
            y: s.packedHR == nil ? s.y + s.rowOfOutput(r) + unit : nil, c: s.c.map { $0 + r * s.hidden + unit },
            gates: s.gates.map { $0 + place }, biasHN: s.biasHN.map { $0 + unit }, hidden: s.hidden,
            units: part.units)
        switch s.cell {
        case .tanh: cells.forEachVector { $0.simple { VectorMath<I>.tanh($0) } }
        case .relu: cells.forEachVector { $0.simple { VectorMath<I>.relu($0) } }
        case .gru: cells.forEachVector { $0.gru() }
        case .lstm: cells.forEachVector { $0.lstm() }
        }
    }
}

/// One sequence's row of a step, walked a vector of units at a time. All pointers are at the first of the units.
public struct CellRow<I: Instructions> {
    @usableFromInline let input: UnsafePointer<Float>
    @usableFromInline let product: UnsafePointer<Float>
    @usableFromInline let productStride: Int
    @usableFromInline let previous: UnsafePointer<Float>
    @usableFromInline let h: UnsafeMutablePointer<Float>
    @usableFromInline let y: UnsafeMutablePointer<Float>?
    @usableFromInline let c: UnsafeMutablePointer<Float>?
    @usableFromInline let gates: UnsafeMutablePointer<Float>?
    @usableFromInline let biasHN: UnsafePointer<Float>?
    @usableFromInline let hidden: Int
    @usableFromInline let units: Int
    /// The first unit of the current vector, and how many of its lanes are units.
    @usableFromInline var unit: Int
    @usableFromInline var count: Int

    @inlinable @inline(__always)
    init(
        input: UnsafePointer<Float>, product: UnsafePointer<Float>, productStride: Int,
        previous: UnsafePointer<Float>, h: UnsafeMutablePointer<Float>, y: UnsafeMutablePointer<Float>?,
        c: UnsafeMutablePointer<Float>?, gates: UnsafeMutablePointer<Float>?, biasHN: UnsafePointer<Float>?,
        hidden: Int, units: Int
    ) {
        self.input = input
        self.product = product
        self.productStride = productStride
        self.previous = previous
        self.h = h
        self.y = y
        self.c = c
        self.gates = gates
        self.biasHN = biasHN
        self.hidden = hidden
        self.units = units
        unit = 0
        count = 0
    }

    @inlinable @inline(__always)
    mutating func forEachVector(_ body: (CellRow<I>) -> Void) {
        count = I.lanes
        while unit + I.lanes <= units {
            body(self)
            unit += I.lanes
        }
        count = units - unit
        if count > 0 { body(self) }
    }

    @inlinable @inline(__always)
    func load(_ p: UnsafePointer<Float>) -> I.Vector {
        count == I.lanes ? I.load(p + unit) : I.load(p + unit, count: count, fill: 0)
    }

    @inlinable @inline(__always)
    func store(_ p: UnsafeMutablePointer<Float>, _ v: I.Vector) {
        if count == I.lanes { I.store(p + unit, v) } else { I.store(p + unit, count: count, v) }
    }

    /// The gate's input projection plus its product with h.
    @inlinable @inline(__always)
    func gate(_ index: Int) -> I.Vector {
        I.add(load(input + index * hidden), load(product + index * productStride))
    }

    @inlinable @inline(__always)
    func keep(_ index: Int, _ v: I.Vector) {
        if let gates { store(gates + index * hidden, v) }
    }

    @inlinable @inline(__always)
    func give(_ value: I.Vector) {
        store(h, value)
        if let y { store(y, value) }
    }

    /// torch.nn.RNN: h = activation(in + hh).
    @inlinable @inline(__always)
    func simple(_ activation: (I.Vector) -> I.Vector) {
        let value = activation(gate(0))
        keep(0, value)
        give(value)
    }

    /// torch.nn.GRU: n = tanh(in_n + r ⊙ (hh_n + b_hn)), h = (1 − z) ⊙ n + z ⊙ h.
    @inlinable @inline(__always)
    func gru() {
        let r = VectorMath<I>.gate(gate(0))
        let z = VectorMath<I>.gate(gate(1))
        var inner = load(product + 2 * productStride)
        if let biasHN { inner = I.add(inner, load(biasHN)) }
        let n = VectorMath<I>.tanh(I.fma(r, inner, load(input + 2 * hidden)))
        keep(0, r)
        keep(1, z)
        keep(2, n)
        give(I.fma(z, I.sub(load(previous), n), n))
    }

    /// torch.nn.LSTM: c = f ⊙ c + i ⊙ g, h = o ⊙ tanh(c).
    @inlinable @inline(__always)
    func lstm() {
        let i = VectorMath<I>.gate(gate(0))
        let f = VectorMath<I>.gate(gate(1))
        let g = VectorMath<I>.tanh(gate(2))
        let o = VectorMath<I>.gate(gate(3))
        keep(0, i)
        keep(1, f)
        keep(2, g)
        keep(3, o)
        guard let c else { return }
        let state = I.fma(f, load(c), I.mul(i, g))
        store(c, state)
        give(I.mul(o, VectorMath<I>.tanh(state)))
    }
}
