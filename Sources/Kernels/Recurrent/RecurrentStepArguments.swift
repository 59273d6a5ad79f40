/// The arguments of one time step of `count` sequences that run together. The equations are those of torch.nn.RNN, GRU
/// and LSTM.
///
/// A dense layer has already computed the input projections, with b_ih. They include b_hh too, except that of the GRU's
/// n gate, which must stay inside r ⊙ (…). Sequences of different lengths step together without padding: the caller
/// lists where the output row of each running sequence goes.
public struct RecurrentStepArguments {
    public var cell: RecurrentCell
    /// The hidden size: units of the cell.
    public var hidden: Int
    /// The size of h: `hidden`, or the LSTM's `proj_size`.
    public var output: Int
    /// The number of running sequences.
    public var count: Int
    /// The input projections of this step [count, gates · hidden], contiguous.
    public var inputs: UnsafePointer<Float>
    /// `weight_hh` [gates · hidden, output], packed by the same `DenseKernels`.
    public var packedHH: UnsafeRawPointer
    /// b_hh of the GRU's n gate [hidden]. `nil` if the layer has no bias or the cell is another.
    public var biasHN: UnsafePointer<Float>?
    /// The LSTM's `weight_hr` [output, hidden], packed likewise. `nil` if there is no projection.
    public var packedHR: UnsafeRawPointer?
    /// The state h_{t−1} [count, output].
    public var h: UnsafePointer<Float>
    /// The memory [count, output] that receives h_t. It must not be that of h_{t−1}, which is read to the end.
    public var next: UnsafeMutablePointer<Float>
    /// The LSTM's cell state [count, hidden]: c_{t−1} on entry, c_t on return. `nil` if the cell is another.
    public var c: UnsafeMutablePointer<Float>?
    /// The output sequence: h_t of row r also goes to `y + rows[r] * ldY`.
    public var y: UnsafeMutablePointer<Float>
    /// The distance from one output row to the next, in floats.
    public var ldY: Int
    /// The output row of each running sequence [count].
    public var rows: UnsafePointer<Int>
    /// The memory that receives the activated gates [gates · hidden] of row r at `gates + rows[r] * gates * hidden`
    /// (LSTM i f g o, GRU r z n). `nil` if they are not wanted.
    public var gates: UnsafeMutablePointer<Float>?
    /// Scratch of at least `count * (gates + 1) * hidden` floats, 64-byte aligned.
    public var scratch: UnsafeMutablePointer<Float>
    /// Scratch of `DenseKernels.scratchCount` floats for m = count and the larger k of `output` and `hidden`, 64-byte
    /// aligned. `nil` if that count is 0, as in f32.
    public var denseScratch: UnsafeMutablePointer<Float>?
    /// Whether to read `packedHH` from its end. Steps that alternate find in cache what the step before read last.
    public var backward: Bool

    public init(
        cell: RecurrentCell, hidden: Int, output: Int, count: Int, inputs: UnsafePointer<Float>,
        packedHH: UnsafeRawPointer, biasHN: UnsafePointer<Float>?, packedHR: UnsafeRawPointer?,
        h: UnsafePointer<Float>, next: UnsafeMutablePointer<Float>, c: UnsafeMutablePointer<Float>?,
        y: UnsafeMutablePointer<Float>, ldY: Int, rows: UnsafePointer<Int>, gates: UnsafeMutablePointer<Float>?,
        scratch: UnsafeMutablePointer<Float>, denseScratch: UnsafeMutablePointer<Float>? = nil, backward: Bool = false
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
        self.denseScratch = denseScratch
        self.backward = backward
    }
}
