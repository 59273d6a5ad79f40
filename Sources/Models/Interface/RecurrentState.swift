/// The state of a recurrent model: h and, for an LSTM, c. Rows have torch's order: layer-major, then direction.
public struct RecurrentState: Sendable, Equatable {
    /// h, [layers · directions, hidden (or proj_size)].
    public var hidden: Matrix
    /// c, [layers · directions, hidden]. `nil` if the model is not an LSTM.
    public var cell: Matrix?

    public init(hidden: Matrix, cell: Matrix?) {
        self.hidden = hidden
        self.cell = cell
    }
}

/// The shape of a recurrent model's `RecurrentState`.
public struct RecurrentStateShape: Sendable, Equatable {
    /// Rows of h and c: layers · directions.
    public var rows: Int
    /// Columns of h.
    public var hidden: Int
    /// Columns of c; 0 if the model is not an LSTM.
    public var cell: Int

    public init(rows: Int, hidden: Int, cell: Int) {
        self.rows = rows
        self.hidden = hidden
        self.cell = cell
    }
}
