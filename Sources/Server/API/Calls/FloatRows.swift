import JSON

/// A reader of matrices written as JSON.
enum FloatRows {
    /// Reads an array of rows of numbers, each `columns` wide.
    /// - Parameters:
    ///   - param: The field that holds the array.
    ///   - what: What decides the width, for the error.
    ///   - code: The code of the error for a row of another width.
    ///   - rows: The number of rows to keep; those behind them are only checked.
    /// - Returns: The numbers, [rows, columns], row-major.
    static func read(
        _ items: JSONElements, _ param: String, columns: Int, code: String, what: String, rows: Int
    ) throws(APIError) -> [Float] {
        var values: [Float] = []
        values.reserveCapacity(min(items.count, rows) * columns)
        for (i, item) in items.enumerated() {
            if case .numbers(let numbers) = item, numbers.floats.count == columns {
                if i < rows { values.append(contentsOf: numbers.floats) }
                continue
            }
            guard let row = item.elements else {
                throw .type("\(param)[\(i)]", "an array of \(columns) numbers", found: item)
            }
            guard row.count == columns else {
                throw APIError(
                    400, code, param: "\(param)[\(i)]",
                    "'\(param)[\(i)]' has \(row.count) numbers; \(what) is \(columns).")
            }
            for (j, value) in row.enumerated() {
                guard let double = value.double else { throw .type("\(param)[\(i)][\(j)]", "a number", found: value) }
                let float = Float(double)
                guard float.isFinite else {
                    throw APIError(
                        400, "number_out_of_range", param: "\(param)[\(i)][\(j)]",
                        "'\(param)[\(i)][\(j)]' is \(double), beyond the range of a 32-bit float (±3.4e38).")
                }
                if i < rows { values.append(float) }
            }
        }
        return values
    }
}
