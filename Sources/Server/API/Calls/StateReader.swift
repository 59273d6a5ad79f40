import JSON
import Models

/// A reader of the states that a recurrent model begins with.
struct StateReader {
    private let shape: RecurrentStateShape

    init(_ shape: RecurrentStateShape) { self.shape = shape }

    /// Reads one state for each sequence.
    func read(_ value: JSONValue, sequences: Int) throws(APIError) -> [RecurrentState] {
        guard let array = value.elements else {
            guard sequences == 1 else {
                throw .value(
                    "initial_state", "There are \(sequences) sequences: send an array of as many states, one for each.")
            }
            return [try state(value, "initial_state")]
        }
        guard array.count == sequences else {
            throw .value("initial_state", "\(array.count) states for \(sequences) sequences; send one for each.")
        }
        var states: [RecurrentState] = []
        for (position, item) in array.enumerated() {
            states.append(try state(item, "initial_state[\(position)]"))
        }
        return states
    }

    private func state(_ value: JSONValue, _ param: String) throws(APIError) -> RecurrentState {
        let names = shape.cell > 0 ? ["hidden", "cell"] : ["hidden"]
        let fields = try FieldReader(value, .strict, name: "this model's state", param: param, fields: names)
        return RecurrentState(
            hidden: try matrix(fields, "hidden", param, columns: shape.hidden),
            cell: shape.cell > 0 ? try matrix(fields, "cell", param, columns: shape.cell) : nil)
    }

    private func matrix(
        _ fields: FieldReader, _ name: String, _ param: String, columns: Int
    ) throws(APIError) -> Matrix {
        let param = "\(param).\(name)"
        guard let value = fields[name] else {
            throw APIError(
                400, "missing_field", param: param, "This model's state needs '\(name)', [\(shape.rows), \(columns)].")
        }
        guard let rows = value.elements else { throw .type(param, "an array of arrays of numbers", found: value) }
        guard rows.count == shape.rows else {
            throw APIError(
                400, "invalid_shape", param: param,
                "'\(param)' has \(rows.count) rows; this model's state is [\(shape.rows), \(columns)].")
        }
        let values = try FloatRows.read(
            rows, param, columns: columns, code: "invalid_shape", what: "the state's width", rows: rows.count)
        return Matrix(rows: shape.rows, columns: columns, values: values)
    }
}
