import JSON

/// Edits of a JSON tree, chosen by a fuzz input, that leave it valid JSON.
///
/// A fuzzer that changes bytes rarely produces valid JSON.
enum JSONEdits {
    private static let integers = [
        0, 1, -1, 2, 3, 4, 5, 7, 8, 12, 16, 31, 32, 33, 63, 64, 100, 127, 128, 255, 256, 512, 1023, 1024, 4096, 65535,
        65536, 1 << 20, 1 << 24, Int(Int32.max), 1 << 31, 1 << 32, 1 << 40, 1 << 53, 1 << 62, .max, .min,
        Int(Int32.min),
    ]
    private static let numbers = [
        0.5, -0.5, 0.0, -0.0, 1e-12, 1e-300, .leastNonzeroMagnitude, 1e300, -1e300, 1.5, 2.0, 10000, 0.1, 1e18, 9.3e18,
        3e38, 4e38,
    ]

    /// Applies up to five edits that `choices` selects.
    /// - Parameter pool: Values that may replace any node of the tree.
    static func apply(_ base: JSONValue, _ choices: inout Choices, pool: [JSONValue]) -> JSONValue {
        var value = base
        for _ in 0..<(choices.byte() % 6) {
            var before = choices.below(count(value))
            let operation = choices.byte() % 8
            value =
                rewrite(value, &before) { old in
                    switch operation {
                    case 0: return .integer(integers[choices.below(integers.count)])
                    case 1: return .number(numbers[choices.below(numbers.count)])
                    case 2: return .string(choices.text(choices.byte() % 24))
                    case 3: return nil
                    case 4, 5: return pool.isEmpty ? old : pool[choices.below(pool.count)]
                    case 6:
                        return [.null, .bool(true), .bool(false), .array([]), .object([:]), .string("")][
                            choices.below(6)]
                    default: return .array([old, old])
                    }
                } ?? .null
        }
        return value
    }

    /// Returns `value` and its descendants, without those of 40 or more nodes.
    static func nodes(_ value: JSONValue) -> [JSONValue] {
        var list = count(value) < 40 ? [value] : []
        switch value {
        case .array(let values): list += values.prefix(64).flatMap(nodes)
        case .object(let object): list += object.members.prefix(64).flatMap { nodes($0.value) }
        default: break
        }
        return list
    }

    /// Returns `value` as JSON text.
    static func text(_ value: JSONValue) -> [UInt8] {
        var writer = JSONWriter()
        writer.value(value)
        return writer.bytes
    }

    /// Returns the number of nodes in a tree. It counts only the first 64 children of a node, since vocabularies are long.
    private static func count(_ value: JSONValue) -> Int {
        switch value {
        case .array(let values): values.prefix(64).reduce(1) { $0 + count($1) }
        case .object(let object): object.members.prefix(64).reduce(1) { $0 + count($1.value) }
        default: 1
        }
    }

    /// Replaces one node of a tree by the result of `change`, or removes it if that result is `nil`.
    /// - Parameter before: The number of nodes before that node in preorder; −1 after the replacement.
    /// - Returns: The changed tree; `nil` if `change` removes its root.
    private static func rewrite(
        _ value: JSONValue, _ before: inout Int, _ change: (JSONValue) -> JSONValue?
    ) -> JSONValue? {
        before -= 1
        if before < 0 { return change(value) }
        func child(_ value: JSONValue, _ position: Int, _ before: inout Int) -> JSONValue? {
            position < 64 && before >= 0 ? rewrite(value, &before, change) : value
        }
        switch value {
        case .array(let values):
            return .array(values.enumerated().compactMap { child($1, $0, &before) })
        case .object(let object):
            var result = JSONObject()
            for (position, member) in object.members.enumerated() {
                if let value = child(member.value, position, &before) { result.append(member.key, value) }
            }
            return .object(result)
        default: return value
        }
    }
}
