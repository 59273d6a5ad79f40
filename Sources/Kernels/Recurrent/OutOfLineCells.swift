/// Instructions whose type compiles the equations of recurrent cells once, out of line.
public protocol OutOfLineCells: OutOfLineDense {
    /// Runs `finishCells`, out of line.
    static func finish(_ cells: RecurrentCellBlock)
}
