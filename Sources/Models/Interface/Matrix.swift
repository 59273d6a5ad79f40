/// A row-major matrix of f32.
public struct Matrix: Sendable, Equatable {
    public var rows: Int
    public var columns: Int
    /// The elements, [rows, columns].
    public var values: [Float]

    public init(rows: Int, columns: Int, values: [Float]) {
        precondition(values.count == rows * columns)
        self.rows = rows
        self.columns = columns
        self.values = values
    }
}
