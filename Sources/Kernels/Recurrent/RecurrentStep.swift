/// Runs `DenseKernels.recurrentStep` in f32: the product h·W_hhᵀ for all running sequences and the cell's own
/// equations.
///
/// Units are computed a group at a time: the panels of all its gates are multiplied into a small tile, and its cells
/// are finished while the tile is in the first-level cache. Where the gates do not begin at a panel's edge, all
/// products come first.
@export(implementation) @inline(__always)
public func recurrentStep<I: OutOfLineCells>(_: I.Type, _ s: RecurrentStepArguments) {
    if s.count <= 0 { return }
    guard s.hidden % I.panelWidth == 0 else {
        recurrentStepUngrouped(I.self, s) { I.dense($0) }
        return
    }
    let block = blockLength(s.count, limit: stepRows)
    var row = 0
    while row < s.count {
        RecurrentRowBlock<F32Arithmetic<I>>(
            step: s, a: s.h + row * s.output, lda: s.output, b: s.packedHH.assumingMemoryBound(to: Float.self),
            scales: nil, k: s.output, kBlock: blockLength(s.output, limit: s.output <= 256 ? 256 : 192), row: row,
            rows: min(block, s.count - row)
        ).run()
        row += block
    }
    s.project { I.dense($0) }
}

/// Runs `DenseKernels.recurrentStep` in bf16 or int8: each row of h is converted to packed elements at each step.
@export(implementation) @inline(__always)
public func recurrentStepPacked<A: PackedArithmetic>(_: A.Type, _ s: RecurrentStepArguments) where A.I: OutOfLineCells {
    typealias I = A.I
    guard s.count > 0, let scratch = s.denseScratch else { return }
    guard s.hidden % I.panelWidth == 0 else {
        recurrentStepUngrouped(I.self, s) { A.dense($0) }
        return
    }
    let block = blockLength(s.count, limit: min(stepRows, A.blockRows(s.count, s.output)))
    let stride = A.packedStride(s.output)
    let length = A.packedLength(s.output)
    let columns = s.cell.gates * s.hidden
    let a = UnsafeMutableRawPointer(scratch + roundUp(2 * block, to: 16)).assumingMemoryBound(to: UInt32.self)
    let columnScales = (s.packedHH + 4 * columns * length).assumingMemoryBound(to: Float.self)
    let scales = ProductScales(rows: scratch, columns: columnScales, columnSums: columnScales + columns)
    var row = 0
    while row < s.count {
        let rows = min(block, s.count - row)
        for r in 0..<rows {
            A.convertRow(s.h + (row + r) * s.output, s.output, a + r * stride, scratch + 2 * r)
        }
        RecurrentRowBlock<A>(
            step: s, a: a, lda: stride, b: s.packedHH.assumingMemoryBound(to: UInt32.self),
            scales: A.isQuantized ? scales : nil, k: length, kBlock: length, row: row, rows: rows
        ).run()
        row += block
    }
    s.project { A.dense($0) }
}

/// The most rows of a block, so that a tile of one group's products stays in the first-level cache.
@usableFromInline let stepRows = 48

/// Runs a step whose gates do not begin at panels' edges: all products, then all cells.
/// - Parameter dense: Runs a dense layer.
@export(implementation) @inline(__always)
func recurrentStepUngrouped<I: OutOfLineCells>(
    _: I.Type, _ s: RecurrentStepArguments, _ dense: (DenseArguments) -> Void
) {
    let gateWidth = s.cell.gates * s.hidden
    dense(
        DenseArguments(
            a: s.h, lda: s.output, packed: s.packedHH, scratch: s.denseScratch, bias: nil, out: s.scratch,
            ldOut: gateWidth,
            m: s.count, n: gateWidth, k: s.output))
    I.finish(
        RecurrentCellBlock(
            step: s, row: 0, rows: s.count, unit: 0, units: s.hidden, stride: gateWidth, gateStride: s.hidden))
    s.project(dense)
}

/// A block of rows of a step whose gates begin at panels' edges.
public struct RecurrentRowBlock<A: Arithmetic> where A.I: OutOfLineCells {
    public typealias I = A.I
    @usableFromInline let step: RecurrentStepArguments
    @usableFromInline let a: UnsafePointer<A.PackedElement>
    @usableFromInline let lda: Int
    @usableFromInline let b: UnsafePointer<A.PackedElement>
    @usableFromInline let scales: ProductScales?
    /// The length of a row in packed elements.
    @usableFromInline let k: Int
    /// The number of packed elements that are summed in registers before they are added to the tile, as in
    /// `denseLayer`.
    @usableFromInline let kBlock: Int
    @usableFromInline let row: Int
    @usableFromInline let rows: Int

    @export(implementation) @inline(__always)
    init(
        step: RecurrentStepArguments, a: UnsafePointer<A.PackedElement>, lda: Int, b: UnsafePointer<A.PackedElement>,
        scales: ProductScales?, k: Int, kBlock: Int, row: Int, rows: Int
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

    /// Multiplies and finishes all groups of units.
    @export(implementation) @inline(__always)
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
                RecurrentCellBlock(
                    step: step, row: row, rows: rows, unit: unit, units: units, stride: step.cell.gates * units,
                    gateStride: units))
        }
    }

    /// Computes the products of whole panels of units for all gates,
    /// `scratch[r, gate, j] = (h·W_hhᵀ)[row + r, gate, unit + j]`.
    @export(implementation) @inline(__always)
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
                        scales: scales.map { $0.advanced(column: column) },
                        accumulate: p > 0, out: step.scratch + gate * units, ldOut: gates * units, m: rows,
                        columns: units, k: depth,
                        prefetchOffset: p + depth < k ? depth * I.panelWidth : following - offset))
                p += depth
            } while p < k
        }
    }
}

extension RecurrentStepArguments {
    /// The cells' outputs [count, hidden] before they are projected.
    @export(implementation) @inline(__always)
    var projected: UnsafeMutablePointer<Float> { scratch + count * cell.gates * hidden }

    /// Computes h as W_hr times the cells' outputs, if there is a projection.
    @export(implementation) @inline(__always)
    func project(_ dense: (DenseArguments) -> Void) {
        guard let packedHR else { return }
        dense(
            DenseArguments(
                a: projected, lda: hidden, packed: packedHR, scratch: denseScratch, bias: nil, out: next, ldOut: output,
                m: count, n: output, k: hidden))
        for r in 0..<count { (y + rowOfOutput(r)).update(from: next + r * output, count: output) }
    }

    /// Returns the offset in `gates` of a running sequence.
    @export(implementation) @inline(__always)
    func rowOfGates(_ r: Int) -> Int { rows[r] * cell.gates * hidden }

    /// Returns the offset in `y` of a running sequence.
    @export(implementation) @inline(__always)
    func rowOfOutput(_ r: Int) -> Int { rows[r] * ldY }
}
