import JSON
import ModelFiles

/// The vocabulary and the merges of a tokenizer.json, unparsed, and the rest of the file without them.
struct ModelLists {
    /// A list: an array or an object.
    struct List {
        let range: Range<Int>
        /// An upper bound of the number of elements or members: the number of commas plus one.
        let most: Int
        let isArray: Bool
    }

    let bytes: [UInt8]
    private(set) var vocab: List?
    private(set) var merges: List?
    /// The file with the lists replaced by empty ones of the same kind.
    private var rest: [UInt8]

    /// - Returns: no lists, and the whole file as `rest`, if the text is malformed. Whoever parses the rest then
    ///   reports why.
    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        rest = bytes
        guard String(validating: bytes, as: UTF8.self) != nil else { return }
        var found: [(name: String, list: List)] = []
        let whole = bytes.withUnsafeBufferPointer { bytes in
            var scanner = ListScanner(bytes, bytes.indices)
            return ModelLists.members(&scanner) { name, scanner in
                guard name == "model", scanner.peek() == UInt8(ascii: "{") else { return scanner.skipValue() }
                return ModelLists.members(&scanner) { name, scanner in
                    let first = scanner.peek()
                    let start = scanner.position
                    guard scanner.skipValue() else { return false }
                    if name == "vocab" || name == "merges", first == UInt8(ascii: "{") || first == UInt8(ascii: "[") {
                        let range = start..<scanner.position
                        let commas = bytes[range].count { $0 == UInt8(ascii: ",") }
                        found.append((name, List(range: range, most: commas + 1, isArray: first == UInt8(ascii: "["))))
                    }
                    return true
                }
            }
        }
        guard whole, Set(found.map(\.name)).count == found.count else { return }
        rest = []
        var position = 0
        for (name, list) in found {
            rest += bytes[position..<list.range.lowerBound]
            rest += list.isArray ? [UInt8(ascii: "["), UInt8(ascii: "]")] : [UInt8(ascii: "{"), UInt8(ascii: "}")]
            position = list.range.upperBound
            if name == "vocab" { vocab = list } else { merges = list }
        }
        rest += bytes[position...]
    }

    /// - Throws: the fault of the rest, with its position in the whole file.
    func parseRest() throws(JSONError) -> JSONValue {
        do throws(JSONError) { return try JSONValue(parsing: rest) } catch {
            if rest.count == bytes.count { throw error }
            _ = try JSONValue(parsing: bytes)
            throw error
        }
    }

    /// Visits the members of an object.
    /// - Parameter value: takes the member's value. Returns false if it cannot.
    private static func members(
        _ scanner: inout ListScanner, _ value: (String, inout ListScanner) -> Bool
    ) -> Bool {
        guard scanner.take(UInt8(ascii: "{")) else { return false }
        if scanner.take(UInt8(ascii: "}")) { return true }
        while true {
            guard let name = scanner.withString({ String(decoding: $0, as: UTF8.self) }),
                scanner.take(UInt8(ascii: ":")), value(name, &scanner),
                let more = scanner.next(UInt8(ascii: "}"))
            else { return false }
            if !more { return true }
        }
    }

    /// Reads the elements or members of a list, in order.
    /// - Parameters:
    ///   - path: the list's place in the file, for messages.
    ///   - element: takes an element, or a member's name, colon and value.
    func read(
        _ list: List, path: String, file: TokenizerFile,
        _ element: (Int, inout ListScanner) throws(FileError) -> Void
    ) throws(FileError) {
        let result: Result<Void, FileError> = bytes.withUnsafeBufferPointer { bytes in
            var scanner = ListScanner(bytes, list.range)
            let closing = UInt8(ascii: list.isArray ? "]" : "}")
            do throws(FileError) {
                guard scanner.take(UInt8(ascii: list.isArray ? "[" : "{")) else {
                    throw file.error("\(path) is malformed")
                }
                if scanner.take(closing) { return .success(()) }
                var i = 0
                while true {
                    try element(i, &scanner)
                    guard let more = scanner.next(closing) else {
                        throw file.error(
                            "not valid JSON: expected ',' or '\(list.isArray ? "]" : "}")' in \(path) at byte \(scanner.position)"
                        )
                    }
                    if !more { return .success(()) }
                    i += 1
                }
            } catch { return .failure(error) }
        }
        try result.get()
    }

    /// Returns a description of what was found instead of the expected value: `"abc"`, `3.5`, `an array`.
    func found(_ scanner: ListScanner) -> String {
        var end = scanner
        _ = end.peek()
        let start = end.position
        guard end.skipValue(), let value = try? JSONValue(parsing: Array(bytes[start..<end.position])) else {
            return "malformed"
        }
        return switch value {
        case .integer(let value): "\(value)"
        case .number(let value): "\(value)"
        case .string(let value): "\"\(value.prefix(80))\""
        default: value.kind
        }
    }
}
