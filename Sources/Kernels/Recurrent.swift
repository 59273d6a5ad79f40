/// `KernelTable.recurrentStep`: one product h·W_hhᵀ for all running sequences, then the cell's own equations.
@inlinable @inline(__always)
public func recurrentStep<I: Instructions>(_: I.Type, _ s: RecurrentStep) {
    if s.count <= 0 { return }
    let gateWidth = s.cell.gates * s.hidden
    let products = s.scratch
    I.dense(
        Dense(
            a: s.h, lda: s.output, packed: s.packedHH, bias: nil, out: products, ldOut: gateWidth, m: s.count,
            n: gateWidth, k: s.output))
    // With a projection the cell's output is projected from here into h.
    let projected = s.scratch + s.count * gateWidth
    let target = s.packedHR == nil ? s.h : projected
    let pitch = s.packedHR == nil ? s.output : s.hidden
    for r in 0..<s.count {
        let row = s.inputRows[r] * gateWidth
        var cell = CellRow<I>(
            input: s.inputs + row, product: products + r * gateWidth, h: target + r * pitch,
            c: s.c.map { $0 + r * s.hidden }, gates: s.gates.map { $0 + row }, biasHN: s.biasHN, hidden: s.hidden)
        switch s.cell {
        case .tanh: cell.forEachVector { $0.simple { VectorMath<I>.tanh($0) } }
        case .relu: cell.forEachVector { $0.simple { VectorMath<I>.relu($0) } }
        case .gru: cell.forEachVector { $0.gru() }
        case .lstm: cell.forEachVector { $0.lstm() }
        }
    }
    if let packedHR = s.packedHR {
        I.dense(
            Dense(
                a: projected, lda: s.hidden, packed: packedHR, bias: nil, out: s.h, ldOut: s.output, m: s.count,
                n: s.output, k: s.hidden))
    }
}

/// One sequence's row of a step, walked a vector of hidden units at a time.
public struct CellRow<I: Instructions> {
    @usableFromInline let input: UnsafePointer<Float>
    @usableFromInline let product: UnsafePointer<Float>
    @usableFromInline let h: UnsafeMutablePointer<Float>
    @usableFromInline let c: UnsafeMutablePointer<Float>?
    @usableFromInline let gates: UnsafeMutablePointer<Float>?
    @usableFromInline let biasHN: UnsafePointer<Float>?
    @usableFromInline let hidden: Int
    /// The first unit of the current vector, and how many of its lanes are units.
    @usableFromInline var unit: Int
    @usableFromInline var count: Int

    @inlinable @inline(__always)
    init(
        input: UnsafePointer<Float>, product: UnsafePointer<Float>, h: UnsafeMutablePointer<Float>,
        c: UnsafeMutablePointer<Float>?, gates: UnsafeMutablePointer<Float>?, biasHN: UnsafePointer<Float>?,
        hidden: Int
    ) {
        self.input = input
        self.product = product
        self.h = h
        self.c = c
        self.gates = gates
        self.biasHN = biasHN
        self.hidden = hidden
        unit = 0
        count = 0
    }

    @inlinable @inline(__always)
    mutating func forEachVector(_ body: (CellRow<I>) -> Void) {
        count = I.lanes
        while unit + I.lanes <= hidden {
            body(self)
            unit += I.lanes
        }
        count = hidden - unit
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
        I.add(load(input + index * hidden), load(product + index * hidden))
    }

    @inlinable @inline(__always)
    func keep(_ index: Int, _ v: I.Vector) {
        if let gates { store(gates + index * hidden, v) }
    }

    /// torch.nn.RNN: h = activation(in + hh).
    @inlinable @inline(__always)
    func simple(_ activation: (I.Vector) -> I.Vector) {
        let value = activation(gate(0))
        keep(0, value)
        store(h, value)
    }

    /// torch.nn.GRU: n = tanh(in_n + r ⊙ (hh_n + b_hn)), h = (1 − z) ⊙ n + z ⊙ h.
    @inlinable @inline(__always)
    func gru() {
        let r = VectorMath<I>.sigmoid(gate(0))
        let z = VectorMath<I>.sigmoid(gate(1))
        var inner = load(product + 2 * hidden)
        if let biasHN { inner = I.add(inner, load(biasHN)) }
        let n = VectorMath<I>.tanh(I.fma(r, inner, load(input + 2 * hidden)))
        keep(0, r)
        keep(1, z)
        keep(2, n)
        store(h, I.fma(z, I.sub(load(h), n), n))
    }

    /// torch.nn.LSTM: c = f ⊙ c + i ⊙ g, h = o ⊙ tanh(c).
    @inlinable @inline(__always)
    func lstm() {
        let i = VectorMath<I>.sigmoid(gate(0))
        let f = VectorMath<I>.sigmoid(gate(1))
        let g = VectorMath<I>.tanh(gate(2))
        let o = VectorMath<I>.sigmoid(gate(3))
        keep(0, i)
        keep(1, f)
        keep(2, g)
        keep(3, o)
        guard let c else { return }
        let state = I.fma(f, load(c), I.mul(i, g))
        store(c, state)
        store(h, I.mul(o, VectorMath<I>.tanh(state)))
    }
}
