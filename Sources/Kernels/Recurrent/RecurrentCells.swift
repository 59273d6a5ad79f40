/// A block of cells of a step, some units of some rows, whose products are in scratch.
public struct RecurrentCellBlock {
    @usableFromInline let step: RecurrentStepArguments
    @usableFromInline let row: Int
    @usableFromInline let rows: Int
    @usableFromInline let unit: Int
    @usableFromInline let units: Int
    /// The distance from a row's products to the next row's, in floats.
    @usableFromInline let stride: Int
    /// The distance from a gate's products to the next gate's, in floats.
    @usableFromInline let gateStride: Int

    @export(implementation) @inline(__always)
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

/// Computes the cell's equations for a block of cells.
@export(implementation) @inline(__always)
public func finishCells<I: Instructions>(_: I.Type, _ part: RecurrentCellBlock) {
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

/// A row of cells of one sequence, walked a vector of units at a time. All pointers are at the first of the units.
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
    /// The first unit of the current vector.
    @usableFromInline var unit: Int
    /// The number of lanes of the current vector that are units.
    @usableFromInline var count: Int

    @export(implementation) @inline(__always)
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

    /// Calls `body` with each vector of units as the current one.
    @export(implementation) @inline(__always)
    mutating func forEachVector(_ body: (CellRow<I>) -> Void) {
        count = I.lanes
        while unit + I.lanes <= units {
            body(self)
            unit += I.lanes
        }
        count = units - unit
        if count > 0 { body(self) }
    }

    @export(implementation) @inline(__always)
    func load(_ p: UnsafePointer<Float>) -> I.Vector {
        count == I.lanes ? I.load(p + unit) : I.load(p + unit, count: count, fill: 0)
    }

    @export(implementation) @inline(__always)
    func store(_ p: UnsafeMutablePointer<Float>, _ v: I.Vector) {
        if count == I.lanes { I.store(p + unit, v) } else { I.store(p + unit, count: count, v) }
    }

    /// Returns a gate's input projection plus its product with h.
    @export(implementation) @inline(__always)
    func gate(_ index: Int) -> I.Vector {
        I.add(load(input + index * hidden), load(product + index * productStride))
    }

    /// Stores an activated gate, if gates are wanted.
    @export(implementation) @inline(__always)
    func storeGate(_ index: Int, _ v: I.Vector) {
        if let gates { store(gates + index * hidden, v) }
    }

    /// Stores the cell's output in the next state and in the output sequence.
    @export(implementation) @inline(__always)
    func storeOutput(_ value: I.Vector) {
        store(h, value)
        if let y { store(y, value) }
    }

    /// Computes torch.nn.RNN: h = activation(in + hh).
    @export(implementation) @inline(__always)
    func simple(_ activation: (I.Vector) -> I.Vector) {
        let value = activation(gate(0))
        storeGate(0, value)
        storeOutput(value)
    }

    /// Computes torch.nn.GRU: n = tanh(in_n + r ⊙ (hh_n + b_hn)), h = (1 − z) ⊙ n + z ⊙ h.
    @export(implementation) @inline(__always)
    func gru() {
        let r = VectorMath<I>.gate(gate(0))
        let z = VectorMath<I>.gate(gate(1))
        var inner = load(product + 2 * productStride)
        if let biasHN { inner = I.add(inner, load(biasHN)) }
        let n = VectorMath<I>.tanh(I.fma(r, inner, load(input + 2 * hidden)))
        storeGate(0, r)
        storeGate(1, z)
        storeGate(2, n)
        storeOutput(I.fma(z, I.sub(load(previous), n), n))
    }

    /// Computes torch.nn.LSTM: c = f ⊙ c + i ⊙ g, h = o ⊙ tanh(c).
    @export(implementation) @inline(__always)
    func lstm() {
        let i = VectorMath<I>.gate(gate(0))
        let f = VectorMath<I>.gate(gate(1))
        let g = VectorMath<I>.tanh(gate(2))
        let o = VectorMath<I>.gate(gate(3))
        storeGate(0, i)
        storeGate(1, f)
        storeGate(2, g)
        storeGate(3, o)
        guard let c else { return }
        let state = I.fma(f, load(c), I.mul(i, g))
        store(c, state)
        storeOutput(I.mul(o, VectorMath<I>.tanh(state)))
    }
}
